"""Sizes as people write them."""

from __future__ import annotations

import re
from typing import Final

from swampsync.config.schema import SettingReader
from swampsync.errors import InvalidInput, printable

DEFAULT_CACHE_LIMIT: Final = 2 * 1024**3
CACHE_LIMIT: Final = ("datastore", "cacheLimit")

_SIZE: Final = re.compile(r"(\d{1,12}) ?([KMGT]?)(i?)B?", re.IGNORECASE | re.ASCII)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """Read a number of bytes: `500`, `500MB` (of a thousand thousand), `2GiB`, `2G` (of 1,024 each).

    Raises:
        InvalidInput: It is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"`{printable(text[:40])}` is no size", hint="for example: 500MB, 2GiB")
    number, unit, is_binary = found.groups()
    is_decimal = bool(unit) and not is_binary and text.rstrip()[-1] in "bB"
    size: int = int(number) * (1_000 if is_decimal else 1_024) ** _POWERS[unit.lower()]
    return size


def read_cache_limit(reader: SettingReader) -> int:
    """Read how much content of other namespaces is kept for a user, in bytes.

    Raises:
        InvalidInput: It is no size.
    """
    text = reader.text(*CACHE_LIMIT)
    if text is None:
        return DEFAULT_CACHE_LIMIT
    try:
        return parse_size(text)
    except InvalidInput as error:
        raise reader.wrong(CACHE_LIMIT, f"cannot be used: {error.message}", hint=error.hint) from error
