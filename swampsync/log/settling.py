"""Settling a plan: what the verdicts of `conflicts` leave to be published, and what first needs other bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swampsync.log.commit import CommitDraft
from swampsync.log.conflicts import Decision, Verdict
from swampsync.log.paths import parse_version_path
from swampsync.log.rows import ArtifactRow, FilePut


@dataclass(frozen=True, slots=True)
class Settled:
    """Our plan after the verdicts.

    Args:
        draft: What can be published as it is; conflict copies are in it.
        renumber: Versions to publish under a new number: decision, then their rows under the old one.
        merge: Files whose lines the caller tries to merge, else keeps beside (`keep_beside`).
        decisions: All verdicts, for the report.
    """

    draft: CommitDraft
    renumber: tuple[tuple[Decision, tuple[FilePut | ArtifactRow, ...]], ...]
    merge: tuple[tuple[Decision, FilePut], ...]
    decisions: tuple[Decision, ...]


def settle(draft: CommitDraft, decisions: Iterable[Decision]) -> Settled:
    """Apply verdicts to a plan; what needs other bytes than it has is handed back instead."""
    decided = {decision.path: decision for decision in decisions}
    put: list[FilePut] = []
    artifacts: list[ArtifactRow] = []
    merge: list[tuple[Decision, FilePut]] = []
    moved: dict[str, list[FilePut | ArtifactRow]] = {}
    for row in draft.published_rows():
        version = parse_version_path(row.path)
        decision = decided.get(row.path if version is None else version.directory)
        verdict = None if decision is None else decision.verdict
        if decision is None or verdict is Verdict.OURS_STAYS:
            if isinstance(row, FilePut):
                put.append(row)
            else:
                artifacts.append(row)
        elif verdict is Verdict.RENUMBER:
            moved.setdefault(decision.path, []).append(row)
        elif verdict is Verdict.MERGE_LINES and isinstance(row, FilePut):
            merge.append((decision, row))
        elif verdict is Verdict.KEEP_BOTH and isinstance(row, FilePut):
            put.append(keep_beside(row, decision))
    remove = tuple(path for path in draft.remove if path not in decided)
    settled = CommitDraft(
        kind=draft.kind,
        repo_id=draft.repo_id,
        author=draft.author,
        tool=draft.tool,
        put=tuple(put),
        remove=remove,
        artifacts=tuple(artifacts),
    )
    renumber = tuple((decided[path], tuple(rows)) for path, rows in moved.items())
    return Settled(settled, renumber, tuple(merge), tuple(decided.values()))


def keep_beside(row: FilePut, decision: Decision) -> FilePut:
    """Make the row of a conflict copy: another path, the object where it lies already."""
    assert decision.new_path is not None
    return FilePut(decision.new_path, row.size, row.sha256, key=row.object_path)
