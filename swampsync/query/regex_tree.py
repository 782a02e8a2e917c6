"""The tree of a regular expression."""

from __future__ import annotations

from typing import TypeAlias

Range: TypeAlias = tuple[int, int]


class CharacterClass:
    """A set of characters: ranges of code points, general categories, and what is taken out."""

    __slots__ = ("categories", "folds", "is_negated", "ranges")

    def __init__(
        self,
        ranges: tuple[Range, ...],
        *,
        categories: tuple[tuple[str, bool], ...] = (),
        is_negated: bool = False,
        folds: bool = False,
    ) -> None:
        self.ranges = ranges
        self.categories = categories
        self.is_negated = is_negated
        self.folds = folds

    def matches(self, char: str) -> bool:
        """Return whether a character is in the set."""
        found = self._has(char)
        if not found and self.folds:
            found = any(self._has(other) for other in {char.lower(), char.upper()} if len(other) == 1)
        return found != self.is_negated

    def _has(self, char: str) -> bool:
        code = ord(char)
        if any(low <= code <= high for low, high in self.ranges):
            return True
        if not self.categories:
            return False
        import unicodedata  # noqa: PLC0415  few patterns name a category

        category = unicodedata.category(char)
        return any(category.startswith(name) != is_negated for name, is_negated in self.categories)


class Assertion:
    """Something that holds between two characters."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Sequence:
    """Items one after the other."""

    __slots__ = ("items",)

    def __init__(self, items: list[Item]) -> None:
        self.items = items


class Alternation:
    """One of several branches."""

    __slots__ = ("branches",)

    def __init__(self, branches: list[Item]) -> None:
        self.branches = branches


class Repetition:
    """An item, at least `low` and at most `high` times."""

    __slots__ = ("high", "item", "low")

    def __init__(self, item: Item, low: int, high: int | None) -> None:
        self.item = item
        self.low = low
        self.high = high


Item: TypeAlias = CharacterClass | Assertion | Sequence | Alternation | Repetition
