"""Content of rows that are about to be looked at, fetched side by side where it has to be fetched at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from swampsync.catalog.rows import CatalogRow
from swampsync.query.activation import ContentSource

# Rows and bytes of a batch: enough to keep every connection busy, little enough not to fetch much that nobody reads.
_ROWS: Final = 64
_BYTES: Final = 32 << 20


@runtime_checkable
class PrefetchingSource(Protocol):
    """A source whose content may be far away."""

    def prefetch(self, rows: Sequence[CatalogRow]) -> None:
        """Make ready what is not here of these rows; what cannot be is found out when it is read."""
        ...


def prefetch(contents: ContentSource, rows: Sequence[CatalogRow]) -> None:
    """Let a source make content ready, if it is one that can."""
    if rows and isinstance(contents, PrefetchingSource):
        contents.prefetch(rows)


def read_ahead(
    matches: Iterator[tuple[Any, ...]], contents: ContentSource, *, width: int, has_json: bool, at_most: int | None
) -> Iterator[tuple[Any, ...]]:
    """Yield matches in their order, the content of some made ready at a time.

    Args:
        matches: Each a row id, something, then a catalog row.
        contents: Where their content comes from.
        width: Of the catalog row.
        has_json: Whether the last value is the row's JSON content, where that is at hand.
        at_most: How many of them will be looked at, if that is known.
    """
    if not isinstance(contents, PrefetchingSource):
        yield from matches
        return
    longest = _ROWS if at_most is None else min(_ROWS, at_most)
    batch: list[tuple[Any, ...]] = []
    missing: list[CatalogRow] = []
    size = 0
    for values in matches:
        batch.append(values)
        row = CatalogRow(*values[2 : 2 + width])
        if not (has_json and values[-1] is not None):
            missing.append(row)
            size += row.size
        if len(batch) >= longest or size >= _BYTES:
            prefetch(contents, missing)
            yield from batch
            batch, missing, size = [], [], 0
    prefetch(contents, missing)
    yield from batch
