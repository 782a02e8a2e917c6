"""`exclude` patterns: which paths stay in the repo although their subdirectory lies in the datastore.

The patterns are swamp's subset of gitignore's: anchored at both ends, the last one that matches wins, `!` takes
back. swamp asks them only about the bare subdirectory, so that a pattern with depth has no effect there; here they
are asked about every directory on the way, and what lies below an excluded directory is excluded too unless a
pattern that matches deeper takes it back. A subdirectory that is excluded itself is local altogether, as in swamp.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from swampsync.errors import InvalidInput

_PIECE: Final = r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|."


@dataclass(frozen=True, slots=True)
class _Rule:
    matches: Callable[[str], object]
    is_excluding: bool


class ExcludeRules:
    """Compiled patterns; called with a relative path (`data/x/y`), says whether it is excluded."""

    __slots__ = ("_rules", "patterns")

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile the patterns.

        Raises:
            InvalidInput: A pattern is malformed.
        """
        self.patterns = tuple(patterns)
        self._rules = tuple(_compile(p) for p in patterns if p.strip() and not p.startswith("#"))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that could exclude a path."""
        return not self._rules

    def __call__(self, relative: str) -> bool:
        """Say whether a path, or a directory it lies in, is excluded."""
        is_excluded = False
        end = relative.find("/")
        while True:
            directory = relative if end < 0 else relative[:end]
            verdict = self._match(directory)
            if verdict is not None:
                is_excluded = verdict
            if end < 0 or (is_excluded and "/" not in directory):
                return is_excluded
            end = relative.find("/", end + 1)

    def _match(self, path: str) -> bool | None:
        for rule in reversed(self._rules):
            if rule.matches(path):
                return rule.is_excluding
        return None


def translate_pattern(pattern: str) -> str:
    """Translate one pattern, without its `!`, to a regular expression that must match a whole path."""
    pattern = pattern.removeprefix("/")
    while "**/**/" in pattern:
        pattern = pattern.replace("**/**/", "**/")
    return "".join(_translate_piece(piece) for piece in re.findall(_PIECE, pattern, re.DOTALL))


def _translate_piece(piece: str) -> str:
    match piece:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if len(piece) > 1:
        # A class goes through as it is; what Python's own syntax may one day read in it is taken literally.
        return "[" + re.sub(r"([\[&|~])", r"\\\1", piece[1:-1]).replace("--", r"-\-") + "]"
    return re.escape(piece)


def _compile(pattern: str) -> _Rule:
    body = pattern.removeprefix("!")
    try:
        compiled = re.compile(translate_pattern(body), re.DOTALL)
    except re.error as error:
        raise InvalidInput(f"exclude pattern `{pattern}` is malformed: {error.msg}") from error
    return _Rule(compiled.fullmatch, is_excluding=not pattern.startswith("!"))
