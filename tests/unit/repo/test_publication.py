"""What a writing command says of pending work that others were faster with."""

from __future__ import annotations

from swampsync.repo.publication import report_resolved
from swampsync.sync.resolving import Resolved


def test_everything_that_became_of_pending_work_is_a_notice() -> None:
    """Renumbered versions, conflict copies, merged files and kept ones are a line each, and cannot fake another."""
    resolved = Resolved(
        renumbered=[("data/a/b/c/1", "data/a/b/c/2")],
        kept_beside=[("notes/x", "notes/x.conflict-1")],
        merged=["log.jsonl"],
        given_way=["gone\nError: no"],
    )
    lines: list[str] = []
    report_resolved(resolved, notice=lines.append)
    assert lines == [
        "Renumbered data/a/b/c/1 -> 2",
        "Conflict: notes/x was changed by others too; yours is notes/x.conflict-1",
        "Merged log.jsonl: others' lines, then yours",
        "Kept gone\\x0aError: no: somebody changed what you removed",
    ]


def test_nothing_is_said_of_nothing() -> None:
    """What nobody was faster with makes no notice."""
    lines: list[str] = []
    report_resolved(Resolved(published=["data/a/b/c/1"]), notice=lines.append)
    assert lines == []
