"""Paths and names as people write them: `*` and `?` match within one name, `**` across directories."""

from __future__ import annotations

import re
from typing import Final

_MEANINGS: Final = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
_WILDCARD: Final = re.compile(r"(\*\*/?|\*|\?)")


def has_wildcards(text: str) -> bool:
    """Say whether a text names more than itself."""
    return _WILDCARD.search(text) is not None


def compile_name(pattern: str) -> re.Pattern[str]:
    """Compile what names are matched whole with."""
    return re.compile(_translate(pattern))


def compile_path(pattern: str) -> re.Pattern[str]:
    """Compile what paths are matched whole with: what the pattern names, and all that lies below it.

    Args:
        pattern: Relative to the namespace; `/` at its end says nothing, and nothing at all names everything.
    """
    path = pattern.rstrip("/")
    return re.compile(f"{_translate(path)}(?:/.*)?" if path else ".*")


def _translate(pattern: str) -> str:
    return "".join(_MEANINGS.get(part) or re.escape(part) for part in _WILDCARD.split(pattern))
