"""Which models of a bucket's namespace have data but no definition, from what the log says of it.

The rules are those of a directory (`prune`). Definitions that travel lie in the local copy, where they may not have
been fetched yet: whoever plans fetches them first, and what could not be fetched is not known, so that nothing goes.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.scan import Problem
from swampsync.catalog.metadata_rows import MetadataRow
from swampsync.catalog.state import SyncState
from swampsync.disk import Disk
from swampsync.errors import DataError
from swampsync.layout import Layout
from swampsync.maintenance.prune import Orphan, OrphanArtifact, PrunePlan, find_live_ids, find_unknown, is_live
from swampsync.sync.cataloguing import iterate_artifacts, metadata_of


def plan_bucket_prune(
    disk: Disk,
    layout: Layout,
    state: SyncState,
    *,
    is_home: bool,
    others: Collection[str],
    not_fetched: Collection[tuple[str, str]] = (),
) -> PrunePlan:
    """Decide which models of a namespace are orphans; writes nothing.

    Args:
        disk: Where the repo and the local copy lie.
        layout: Of the namespace.
        state: What the log says.
        is_home: See `plan_prune`.
        others: Other repos that write in the namespace, whose definitions are not here.
        not_fetched: Path and reason of definitions that could not be fetched.
    """
    unknown = find_unknown(layout.namespace.name or "the datastore", is_home=is_home, other_members=others)
    problems = [Problem(path, reason) for path, reason in not_fetched] if unknown is None else [unknown]
    live = set() if problems else find_live_ids(disk, layout, problems)
    if problems:
        return PrunePlan((), tuple(problems))
    orphans: list[Orphan] = []
    rows = iterate_artifacts(state, layout.namespace.name)
    for (model_type, model_id), artifacts in groupby(rows, key=lambda found: found[0][1:3]):
        if is_live(model_type, model_id, live):
            continue
        names: list[str] = []
        described = []
        for key, versions in artifacts:
            metadata = [_read(row, problems) for row in versions]
            latest = metadata[-1]
            names += [m.tags["modelName"] for m in metadata if m is not None and m.tags.get("modelName")]
            numbers = tuple(row.version for row in versions)
            sizes = tuple(0 if m is None else m.size or 0 for m in metadata)
            described.append(OrphanArtifact(key.data_name, numbers, sizes, latest is None or latest.is_deleted))
        orphans.append(Orphan(model_type, model_id, names[-1] if names else "", tuple(described)))
    return PrunePlan(tuple(orphans), tuple(problems))


def _read(row: MetadataRow, problems: list[Problem]) -> Metadata | None:
    try:
        return metadata_of(row)
    except DataError as error:
        problems.append(Problem(row.data_name, error.message))
        return None
