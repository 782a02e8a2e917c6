"""Which rows are the latest: per model, name and step, the highest version.

The rule is a function of rows, and every writer goes through it, so that what a put leaves in the catalog is what a
rebuild from the tree would have left there. A step of a workflow has a latest of its own: two steps that write the
same name both keep one. (The `latest` marker on the disk knows no steps.)
"""

from __future__ import annotations

from collections.abc import Sequence

from swampsync.catalog.rows import CatalogRow


def assign_latest(rows: Sequence[CatalogRow]) -> list[CatalogRow]:
    """Set `is_latest` of the rows of one artifact: 1 for the highest version of each step, else 0.

    Args:
        rows: All rows of one artifact, in any order; returned in the same order.
    """
    highest: dict[str, int] = {}
    for row in rows:
        if row.version > highest.get(row.step_name, 0):
            highest[row.step_name] = row.version
    return [
        row if row.is_latest == flag else row._replace(is_latest=flag)
        for row in rows
        for flag in (1 if row.version == highest.get(row.step_name) else 0,)
    ]
