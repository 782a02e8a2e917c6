"""Options whose value may be left out: the one that is meant then."""

from __future__ import annotations

from typing import Final

_VALUES: Final[dict[tuple[str, ...], dict[str, str]]] = {("datastore", "sync"): {"--watch": "10"}}


def fill_in(words: tuple[str, ...], rest: list[str]) -> list[str]:
    """Give options whose value may be left out the one that is meant; typer knows no such options."""
    defaults = _VALUES.get(words, {})
    filled = []
    for argument, following in zip(rest, [*rest[1:], ""], strict=False):
        has_value = following[:1].isdigit() or following[:1] == "."
        filled.append(f"{argument}={defaults[argument]}" if argument in defaults and not has_value else argument)
    return filled
