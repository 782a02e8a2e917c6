"""A small, fast YAML reader that gives an answer only where it is certain.

It knows the shape that swamp and we write, and little more: block mappings, nested; block sequences of one-line
scalars; plain, single- and double-quoted scalars on one line; literal and folded block scalars; `{}` and `[]`;
comments and blank lines. Scalars stay text, as with PyYAML's `BaseLoader`. For anything else (anchors, tags, flow
collections with content, several documents, multi-line plain scalars, duplicate keys, odd white space, errors) the
answer is `None`, and the caller asks PyYAML, which knows better and is ten times slower before it is even imported.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

_DOCUMENT_MARK: Final = re.compile(r"^(?:---|\.\.\.|%)", re.MULTILINE)
_ENTRY: Final = re.compile(
    r"""( *)(?:([\w.$/+~][\w.$/+~@-]*)|'((?:[^']|'')*)'|"((?:[^"\\]|\\.)*)"):(?: +(.*))?""",
)
_ITEM: Final = re.compile(r"( *)- +(.*)")
_SINGLE: Final = re.compile(r"'((?:[^']|'')*)' *(?: #.*)?")
_DOUBLE: Final = re.compile(r'"((?:[^"\\]|\\.)*)" *(?: #.*)?')
_BLOCK_HEADER: Final = re.compile(r"([|>])([1-9]?)([+-]?)")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED: Final = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_NO_PLAIN_START: Final = frozenset(" ?:,[]{}#&*!|>'\"%@`")
_MAX_KEY: Final = 1_000  # YAML's own limit for a key on one line is 1,024
_MAX_DEPTH: Final = 50


class _NotCertainError(Exception):
    """The text has a shape that this reader does not know."""


def _keep(text: str) -> str:
    return text


def parse_strict(text: str, *, plain: Callable[[str], Any] = _keep) -> dict[str, Any] | None:
    """Read a YAML mapping, or return `None` where there is the least doubt.

    Args:
        text: The whole document.
        plain: What to make of a plain (unquoted) scalar, an empty one included; as it stands leaves it text. Keys
            and quoted scalars are always text.

    Returns:
        What PyYAML's `CBaseLoader` returns for the same text, or `None`.
    """
    if not text.endswith("\n"):
        if "|" in text or ">" in text:
            return None
        text += "\n"
    if _has_odd_character(text) or _DOCUMENT_MARK.search(text):
        return None
    lines = text.split("\n")
    lines.pop()
    reader = _Reader(lines, plain)
    try:
        start = reader.skip_blank(0)
        if start == len(lines) or lines[start].startswith(" "):
            return None
        values, end = reader.read_mapping(start, 0, 0)
    except _NotCertainError:
        return None
    return values if end == len(lines) else None


def _has_odd_character(text: str) -> bool:
    """Look for what is not printable, or is a line break to some version of YAML."""
    if text.isascii():
        return not text.replace("\n", "").isprintable()
    return _odd_character().search(text) is not None


@functools.cache
def _odd_character() -> re.Pattern[str]:
    # Compiling so wide a class takes longer than reading a hundred documents; most are ASCII.
    return re.compile("[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _Reader:
    """The lines of one document; every method takes a line's index and returns the next one."""

    __slots__ = ("_lines", "_plain")

    def __init__(self, lines: list[str], plain: Callable[[str], Any]) -> None:
        self._lines = lines
        self._plain = plain

    def skip_blank(self, index: int) -> int:
        """Skip blank lines and comments."""
        lines = self._lines
        while index < len(lines):
            content = lines[index].lstrip(" ")
            if content and not content.startswith("#"):
                break
            index += 1
        return index

    def read_mapping(self, index: int, indent: int, depth: int) -> tuple[dict[str, Any], int]:
        """Read the entries at `indent`, up to the first line that is indented less."""
        if depth > _MAX_DEPTH:
            raise _NotCertainError
        lines = self._lines
        values: dict[str, Any] = {}
        while index < len(lines):
            match = _ENTRY.fullmatch(lines[index])
            if match is None:
                following = self.skip_blank(index)
                if following == index:
                    if self._indent(index) < indent:
                        break
                    raise _NotCertainError
                index = following
                continue
            blanks, key, single, double, rest = match.groups()
            if len(blanks) != indent:
                if len(blanks) > indent:
                    raise _NotCertainError
                break
            if key is None:
                key = single.replace("''", "'") if single is not None else _unescape(double)
            if key in values or len(key) > _MAX_KEY:
                raise _NotCertainError
            values[key], index = self._read_value(rest, index, indent, depth)
        return values, index

    def _read_value(self, rest: str | None, index: int, indent: int, depth: int) -> tuple[Any, int]:
        if rest:
            first = rest[0]
            if first not in "|>#":
                return self._read_scalar(rest), index + 1
            if first != "#":
                return self._read_block(rest, index, indent)
        following = self.skip_blank(index + 1)
        if following == len(self._lines):
            return self._plain(""), following
        deeper = self._indent(following)
        if self._lines[following].startswith("- ", deeper) and deeper >= indent:
            return self._read_sequence(following, deeper)
        if deeper > indent:
            return self.read_mapping(following, deeper, depth + 1)
        return self._plain(""), following

    def _read_sequence(self, index: int, indent: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while (index := self.skip_blank(index)) < len(self._lines):
            match = _ITEM.fullmatch(self._lines[index])
            if match is None or len(match[1]) != indent:
                if self._indent(index) > indent or (match is not None and len(match[1]) > indent):
                    raise _NotCertainError
                break
            items.append(self._read_scalar(match[2]))
            index += 1
        return items, index

    def _read_scalar(self, rest: str) -> Any:
        first = rest[0] if rest else " "
        if first == "'":
            match = _SINGLE.fullmatch(rest)
            if match is None:
                raise _NotCertainError
            return match[1].replace("''", "'")
        if first == '"':
            match = _DOUBLE.fullmatch(rest)
            if match is None:
                raise _NotCertainError
            return _unescape(match[1])
        if " #" in rest:
            rest = rest[: rest.index(" #")]
        rest = rest.rstrip(" ")
        if rest == "{}":
            return {}
        if rest == "[]":
            return []
        if first in _NO_PLAIN_START or ": " in rest or rest.endswith(":") or rest == "-" or rest.startswith("- "):
            raise _NotCertainError
        return self._plain(rest)

    def _read_block(self, header: str, index: int, indent: int) -> tuple[str, int]:
        match = _BLOCK_HEADER.fullmatch(header)
        if match is None:
            raise _NotCertainError
        style, indicator, chomping = match.groups()
        lines = self._lines
        start = index + 1
        first = start
        while first < len(lines) and not lines[first].strip(" "):
            first += 1
        if first == len(lines):
            raise _NotCertainError
        width = indent + int(indicator) if indicator else self._indent(first)
        if width <= indent or self._indent(first) < width:
            raise _NotCertainError
        end = start
        margin = " " * width
        content: list[str] = []
        while end < len(lines):
            line = lines[end]
            if line.startswith(margin):
                if not line.strip(" ") and len(line) > width:
                    raise _NotCertainError
                content.append(line[width:])
            elif line.strip(" "):
                break
            else:
                content.append("")
            end += 1
        return _join_block(content, is_folded=style == ">", chomping=chomping), end

    def _indent(self, index: int) -> int:
        line = self._lines[index]
        return len(line) - len(line.lstrip(" "))


def _join_block(lines: list[str], *, is_folded: bool, chomping: str) -> str:
    """Join a block scalar's lines: fold single breaks between lines that do not begin with a space."""
    trailing = 0
    while not lines[-1 - trailing]:
        trailing += 1
    body = lines[: len(lines) - trailing]
    text = _fold(body) if is_folded else "\n".join(body)
    if chomping == "-":
        return text
    return text + "\n" * (1 + trailing if chomping == "+" else 1)


def _fold(lines: list[str]) -> str:
    chunks: list[str] = []
    previous: str | None = None
    breaks = 0
    for line in lines:
        if not line:
            breaks += 1
            continue
        if previous is None:
            chunks.append("\n" * breaks)
        elif previous[0] != " " and line[0] != " ":
            chunks.append("\n" * breaks or " ")
        else:
            chunks.append("\n" * (breaks + 1))
        chunks.append(line)
        previous = line
        breaks = 0
    return "".join(chunks)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_replace_escape, text) if "\\" in text else text


def _replace_escape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        if match[4] not in _ESCAPED:
            raise _NotCertainError
        return _ESCAPED[match[4]]
    number = int(code, 16)
    if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF:
        raise _NotCertainError
    return chr(number)
