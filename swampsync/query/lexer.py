"""CEL text to tokens."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from swampsync.query.diagnostics import habit_hint, syntax_error
from swampsync.query.values import INT_MAX, UInt

MAX_TEXT_BYTES: Final = 64 * 1024

# The literals of the language, which no name may take.
KEYWORDS: Final = frozenset({"true", "false", "null", "in"})
# Names kept free for host languages. `namespace` is one of our fields, and usable.
RESERVED: Final = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"}
    | {"loop", "package", "return", "var", "void", "while"}
)

_SPACE: Final = r"[ \t\n\f\r]+|//[^\n\r]*"
_ELEMENT: Final = r"""
    (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:"{3}|'{3}|"|'))
  | (?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<int>0x[0-9a-fA-F]+[uU]?|[0-9]+[uU]?)
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<escaped>`[^`\n\r]*`)
  | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
"""
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip


class Token(NamedTuple):
    """One lexical element: kind is `literal`, `name`, `escaped`, an operator's own text, or `end`."""

    kind: str
    value: Any
    start: int
    end: int


def tokenize(source: str) -> list[Token]:
    """Split CEL text into tokens; the last one has the kind `end`.

    Raises:
        QueryError: The text is too long, is not valid Unicode, or holds something that is no token.
    """
    if len(source) > MAX_TEXT_BYTES or _utf8_length(source) > MAX_TEXT_BYTES:
        raise syntax_error(source, MAX_TEXT_BYTES, f"the text is longer than {MAX_TEXT_BYTES // 1024} KiB")
    space = re.compile(f"(?:{_SPACE})+")
    pattern = re.compile(_ELEMENT, re.VERBOSE)
    tokens: list[Token] = []
    position = 0
    while True:
        if blank := space.match(source, position):
            position = blank.end()
        if position >= len(source):
            tokens.append(Token("end", None, position, position))
            return tokens
        match = pattern.match(source, position)
        if match is None:
            character = source[position]
            raise syntax_error(source, position, f"unexpected character `{character}`", hint=habit_hint(character))
        token = _read(source, match)
        tokens.append(token)
        position = token.end


def _read(source: str, match: re.Match[str]) -> Token:
    position, end, text, kind = match.start(), match.end(), match.group(), match.lastgroup
    if kind == "string":
        return _read_string(source, position, text)
    if kind == "name":
        return Token("name", text, position, end)
    if kind == "escaped":
        return Token("escaped", _read_escaped_name(source, position, text), position, end)
    if kind == "op":
        return Token(text, text, position, end)
    if source[end : end + 1].isalnum():
        raise syntax_error(source, end, "a number runs into a name")
    read = _read_double if kind == "float" else _read_integer
    return Token("literal", read(source, position, text), position, end)


def _utf8_length(source: str) -> int:
    try:
        return len(source.encode())
    except UnicodeEncodeError as error:
        raise syntax_error(source, error.start, "the text is not valid Unicode") from None


def _read_double(source: str, position: int, text: str) -> float:
    value = float(text)
    if value == float("inf"):
        raise syntax_error(source, position, "the number is too large for a double")
    return value


def _read_integer(source: str, position: int, text: str) -> int:
    is_unsigned = text[-1] in "uU"
    digits = text[:-1] if is_unsigned else text
    if len(digits) > 40:
        raise syntax_error(source, position, "the number does not fit into 64 bits")
    value = int(digits, 16) if digits[:2] == "0x" else int(digits)
    if is_unsigned:
        if value > 2 * INT_MAX + 1:
            raise syntax_error(source, position, "the number does not fit into 64 bits")
        return UInt(value)
    # 2^63 is kept: it is the operand of the minus sign of the least integer, and refused everywhere else.
    if value > INT_MAX + 1:
        raise syntax_error(source, position, "the number does not fit into 64 bits")
    return value


def _read_escaped_name(source: str, position: int, text: str) -> str:
    name = text[1:-1]
    if not re.fullmatch(r"[a-zA-Z0-9_./ -]+", name):
        raise syntax_error(source, position, "a name in back-ticks holds letters, digits and `_-./ ` only")
    return name


def _read_string(source: str, start: int, opening: str) -> Token:
    quote = opening.lstrip("rRbB")
    prefix = opening[: -len(quote)].lower()
    is_raw, is_bytes = "r" in prefix, "b" in prefix
    position = start + len(opening)
    parts: list[str] = []
    octets = bytearray()
    # What ends a plain run: the quote, a backslash, and (in single-quoted strings) a line break.
    stops = re.compile(quote[0] + "|\\\\" + ("" if len(quote) == 3 else r"|[\r\n]"))
    while True:
        stop = stops.search(source, position)
        if stop is None:
            raise syntax_error(source, start, "the string is not closed")
        run = source[position : stop.start()]
        parts.append(run)
        octets += run.encode() if is_bytes else b""
        position = stop.start()
        if source.startswith(quote, position):
            position += len(quote)
            break
        char = source[position]
        if char in "\r\n":
            raise syntax_error(source, start, "the string is not closed on its line")
        if char == "\\" and not is_raw:
            text, position = _read_escape(source, position, is_bytes=is_bytes)
            if is_bytes:
                octets += text.encode("latin-1") if len(text) == 1 and ord(text) < 256 else text.encode()
            else:
                parts.append(text)
            continue
        # A lone quote inside a triple-quoted string, or a backslash in a raw one, which takes no meaning from it.
        parts.append(char)
        octets += char.encode()
        position += 1
    return Token("literal", bytes(octets) if is_bytes else "".join(parts), start, position)


def _read_escape(source: str, position: int, *, is_bytes: bool) -> tuple[str, int]:
    code = source[position + 1 : position + 2]
    if code in _ESCAPES and code:
        return _ESCAPES[code], position + 2
    if code in "xX" and code:
        width, digits, base = 2, source[position + 2 : position + 4], 16
        end = position + 4
    elif code in "uU" and code and not is_bytes:
        width = 4 if code == "u" else 8
        digits, base, end = source[position + 2 : position + 2 + width], 16, position + 2 + width
    elif code in "0123" and code:
        width, digits, base, end = 3, source[position + 1 : position + 4], 8, position + 4
    else:
        raise syntax_error(source, position, f"unknown escape `\\{code}`")
    allowed = "0123456789abcdefABCDEF" if base == 16 else "01234567"
    if len(digits) != width or any(d not in allowed for d in digits):
        raise syntax_error(source, position, f"incomplete escape `\\{code}`")
    value = int(digits, base)
    if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        raise syntax_error(source, position, "the escape is no Unicode code point")
    return chr(value), end
