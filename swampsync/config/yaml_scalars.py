"""How we write values into YAML, so that every reader of every YAML version reads the same back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from swampsync.config.document import NewValue
from swampsync.errors import InvalidInput

# Plain only where no schema can see anything but text: YAML 1.1 takes `yes`, `1:30`, `0o7`, `1_000` and dates for
# something else, so what does not begin with a letter or a slash is quoted. The second form is a UUID.
_PLAIN: Final = re.compile(r"[A-Za-z/_$][A-Za-z0-9_/.$-]*|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WORDS_WITH_MEANING: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED_ABOVE_ASCII: Final = frozenset("\u2028\u2029\ufeff\ufffe\uffff")


def format_scalar(value: str | bool | int) -> str:  # noqa: FBT001  (a value, not a switch)
    """Format one value on one line: `true`, `12`, plain text where that is safe, else double quotes.

    Raises:
        InvalidInput: The text is not valid Unicode.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS_WITH_MEANING:
        return value
    return '"' + "".join(map(_escape, value)) + '"'


def format_flow(value: NewValue) -> str:
    """Format a value on one line: `[a, b]`, `{k: v}`."""
    if isinstance(value, str | bool | int):
        return format_scalar(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{format_scalar(key)}: {format_flow(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(format_scalar, value)) + "]"


def format_entry(key: str, value: NewValue, *, step: int) -> list[str]:
    """Format a key with its value as the lines of a block, without the indent that the first one will have."""
    if is_inline(value):
        return [f"{format_scalar(key)}: {format_flow(value)}"]
    return [f"{format_scalar(key)}:", *(" " * step + line for line in format_block(value, step=step))]


def format_block(value: NewValue, *, step: int) -> list[str]:
    """Format a list or map that is not empty as the lines of a block."""
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in format_entry(key, item, step=step)]
    assert not isinstance(value, str | bool | int)
    return [f"- {format_scalar(item)}" for item in value]


def is_inline(value: NewValue) -> bool:
    """Whether a value goes onto its key's line: a scalar, or an empty list or map."""
    return isinstance(value, str | bool | int) or not value


def _escape(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise InvalidInput("a setting holds text that is not valid Unicode")
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if character in _ESCAPED_ABOVE_ASCII else character
