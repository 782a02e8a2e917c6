"""What an unquoted YAML scalar means to swamp: YAML's core schema, and timestamps.

The reader needs it to refuse what swamp refuses (`name: 123` is a number), the writer to quote what swamp would
take for something else than text.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# YAML 1.1 words; swamp writes them quoted for the sake of old readers, and reads them as text.
_OLD_BOOLEANS: Final = frozenset(
    ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"]
)
_INTEGER: Final = re.compile(
    r"[-+]?(?:0b(?P<two>[01_]+)|0x(?P<hex>[0-9a-fA-F_]+)|0o?(?P<oct>[0-7_]+)|(?P<ten>0|[1-9][0-9_]*))"
)
_FLOAT: Final = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))"
    r"|\.(?:nan|NaN|NAN)"
)
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
)
_MAYBE_TYPED: Final = frozenset("+-.0123456789~nNtTfF")


def resolve_plain(text: str) -> Any:
    """Return the value of an unquoted scalar: `None`, a bool, a number, a `date` for any timestamp, or the text."""
    if text and text[0] not in _MAYBE_TYPED:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _DATE.fullmatch(text) or _TIME.fullmatch(text):
        return date.min
    if not text.endswith("_"):
        match = _INTEGER.fullmatch(text)
        if match is not None:
            return _integer(match)
        if _FLOAT.fullmatch(text):
            return _float(text)
    return text


def is_ambiguous(text: str) -> bool:
    """Whether `text` unquoted would not be text, to swamp or to a reader of YAML 1.1."""
    if text in _OLD_BOOLEANS or text in {"<<", "="}:
        return True
    return not isinstance(resolve_plain(text), str)


def _integer(match: re.Match[str]) -> int | str:
    sign = -1 if match[0].startswith("-") else 1
    for group, base in (("two", 2), ("hex", 16), ("oct", 8), ("ten", 10)):
        digits = match[group]
        if digits is not None:
            digits = digits.replace("_", "")
            return sign * int(digits, base) if digits else match[0]
    return match[0]


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    if digits.endswith((".inf", ".nan")):
        digits = digits.replace(".inf", "inf").replace(".nan", "nan")
    try:
        return float(digits)
    except ValueError:
        return float("nan")
