"""Rows that an expression had no value for: how many, and why."""

from __future__ import annotations

from typing import Final

# Rows whose reason is looked up after SQL has counted them.
SAMPLE_SIZE: Final = 1000


class Failures:
    """Counts rows by the reason that evaluation gave.

    Attributes:
        count: Rows that failed.
        reasons: Rows by reason, as far as their reason was looked at.
    """

    __slots__ = ("count", "reasons", "sample")

    def __init__(self) -> None:
        self.count = 0
        self.reasons: dict[str, int] = {}
        self.sample: list[int] = []

    def add(self, reason: str) -> None:
        """Count a row whose reason is known."""
        self.count += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def add_row(self, rowid: int) -> int:
        """Count a row that SQL found to fail; return 0, which leaves the row out."""
        self.count += 1
        if len(self.sample) < SAMPLE_SIZE:
            self.sample.append(rowid)
        return 0

    def explain_row(self, reason: str) -> None:
        """Note the reason of a row that was counted before."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def describe(self, what: str) -> str:
        """Return one line: `3 rows skipped: no such key …; use has()`.

        Args:
            what: What became of the rows: `skipped`, `without a value`.
        """
        rows = f"{self.count:,} {'row' if self.count == 1 else 'rows'} {what}"
        if not self.reasons:
            return rows
        ordered = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))
        if len(ordered) == 1:
            return f"{rows}: {ordered[0][0]}"
        is_complete = sum(self.reasons.values()) == self.count
        shown = ", ".join(f"{reason}" + (f" ({number:,})" if is_complete else "") for reason, number in ordered[:3])
        return f"{rows}: {shown}" + (" and others" if len(ordered) > 3 else "")
