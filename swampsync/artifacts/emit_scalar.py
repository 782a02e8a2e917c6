"""How swamp's YAML writer (js-yaml) puts a text: plain, quoted, literal or folded.

The choice depends on the text's characters and on the width that is left beside the indentation. Columns are
counted as JavaScript counts them, in UTF-16 units.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from swampsync.artifacts.core_schema import is_ambiguous
from swampsync.strict_yaml import parse_strict

_LINE_WIDTH: Final = 80
_MIN_WIDTH: Final = 40
_MAX_PLAIN_KEY: Final = 1_000
_SIMPLE: Final = re.compile(r"[A-Za-z/$(_][A-Za-z0-9/$()_.+;-]*")
# Nothing that js-yaml takes for unprintable; characters beyond the first plane are, as it sees surrogates.
_PRINTABLE: Final = re.compile("[ -~\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*")
_PRINTABLE_LINES: Final = re.compile("[\n -~\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*")
_NO_PLAIN: Final = re.compile(r"[,\[\]{}:#]")
_NO_PLAIN_START: Final = frozenset(" -?&*!|>'\"%@`=")
_ESCAPES: Final = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r",
    "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


@functools.lru_cache(maxsize=2_048)  # the same tags and owners come again and again
def format_pair(key: str, value: str) -> str:
    """Format an entry of a mapping that is nested once, without its line's end."""
    shown = format_key(key)
    text = format_text(value, indent=4)
    # A key that is too long for YAML to look for its colon must be announced.
    return f"  {shown}: {text}" if len(shown) <= _MAX_PLAIN_KEY else f"  ? {shown}\n  : {text}"


def format_key(text: str) -> str:
    """Format a mapping key: always on one line."""
    if _SIMPLE.fullmatch(text) and not is_ambiguous(text):
        return text
    if not _PRINTABLE.fullmatch(text):
        return _double(text)
    return _plain_or_single(text)


def format_text(text: str, *, indent: int) -> str:
    """Format a text value.

    Args:
        text: The value.
        indent: Columns by which the lines of a block scalar are indented.
    """
    if _SIMPLE.fullmatch(text) and len(text) <= _MIN_WIDTH and not is_ambiguous(text):
        return text
    if not _PRINTABLE_LINES.fullmatch(text):
        return _double(text)
    width = max(_MIN_WIDTH, _LINE_WIDTH - indent)
    lines = text.split("\n")
    is_long = any(len(line) > width and not line.startswith(" ") for line in lines)
    if len(lines) == 1 and not is_long:
        return _plain_or_single(text)
    body = _fold(text, width) if is_long else text
    block = f"{'>' if is_long else '|'}{_header(text)}\n{_indent(body, indent)}"
    # A block scalar that begins or ends in white space has corners where YAML readers differ: quote those.
    return block if _reads_back(block, text, indent) else _double(text)


def _plain_or_single(text: str) -> str:
    is_plain = (
        text != ""
        and text[0] not in _NO_PLAIN_START
        and text[-1] != " "
        and not _NO_PLAIN.search(text)
        and not text.startswith("...")
        and not is_ambiguous(text)
    )
    return text if is_plain else "'" + text.replace("'", "''") + "'"


def _double(text: str) -> str:
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(char: str) -> str:
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    if _PRINTABLE.fullmatch(char):
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _header(text: str) -> str:
    indicator = "2" if text.lstrip("\n").startswith(" ") else ""
    if not text.endswith("\n"):
        return indicator + "-"
    return indicator + ("+" if text == "\n" or text.endswith("\n\n") else "")


def _indent(text: str, indent: int) -> str:
    margin = " " * indent
    body = text.removesuffix("\n")
    return "\n".join(margin + line if line else "" for line in body.split("\n"))


def _reads_back(block: str, text: str, indent: int) -> bool:
    parents = "".join(f"{' ' * depth}k:\n" for depth in range(0, indent - 2, 2))
    values: object = parse_strict(f"{parents}{' ' * (indent - 2)}k: {block}\n")
    while isinstance(values, dict):
        values = values.get("k")
    return values == text


def _fold(text: str, width: int) -> str:
    """Fold every line that is too long; a break between unindented lines takes an empty line."""
    head, *_ = text.split("\n", 1)
    folded = [_fold_line(head, width)]
    was_more_indented = text.startswith(("\n", " "))
    for match in re.finditer(r"(\n+)([^\n]*)", text[len(head) :]):
        breaks, line = match.groups()
        is_more_indented = line.startswith(" ")
        folded.append(breaks)
        if not was_more_indented and not is_more_indented and line:
            folded.append("\n")
        folded.append(_fold_line(line, width))
        was_more_indented = is_more_indented
    return "".join(folded)


def _fold_line(line: str, width: int) -> str:
    """Break at single spaces so that no part is wider than `width` if that can be."""
    if not line or line.startswith(" "):
        return line
    parts = []
    start = candidate = 0
    for match in re.finditer(r" [^ ]", line):
        place = match.start()
        if place - start > width:
            end = candidate if candidate > start else place
            parts.append(line[start:end])
            start = end + 1
        candidate = place
    if len(line) - start > width and candidate > start:
        parts.append(line[start:candidate])
        start = candidate + 1
    parts.append(line[start:])
    return "\n".join(parts)
