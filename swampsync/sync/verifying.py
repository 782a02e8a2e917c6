"""Whether one clone says what the log says: its state, its catalog and its local copy, and what the objects hold.

Nothing is changed. What is pending stands above the log and is no difference; a file that is missing from the copy is
content that was not fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from swampsync.backends.base import ObjectNotFound
from swampsync.backends.transfer import Done, run_many
from swampsync.catalog.files import FileState
from swampsync.catalog.rows import ArtifactKey
from swampsync.log.paths import METADATA_FILE
from swampsync.log.state import NamespaceState
from swampsync.log.tail import Position, tail
from swampsync.log.verify import Problem, ProblemKind
from swampsync.sync.cataloguing import (
    artifact_row_of,
    catalog_rows_of,
    iterate_artifacts,
    metadata_row_of,
    metadata_text_of,
)
from swampsync.sync.clone import Clone, artifact_key_of, artifact_path_of
from swampsync.sync.drafting import unit_path
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.pending import PendingWork
from swampsync.sync.scan_plan import Change
from swampsync.sync.scanning import Scanner

_SHOWN = 20
_IS_FINE = frozenset({Change.FOUND, Change.REMOVED})

Progress = Callable[[int, int | None], None]


def _ignore(_done: int, _total: int | None) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Expected:
    """What an object must hold.

    Args:
        path: Where it lies, relative to the namespace.
        size: In bytes.
        sha256: Of its content.
    """

    path: str
    size: int
    sha256: str


def go_on_to(clone: Clone, head: NamespaceState, position: Position) -> NamespaceState:
    """Replay what was published after a state was read, up to where the clone stands."""
    if head.seq >= position.seq:
        return head
    for published in tail(clone.log, Position(head.seq, head.commit_id), limit=None).commits():
        head.apply(published.commit, clone.log.rows(published.commit))
        if published.commit.seq == position.seq:
            break
    return head


# --- state and catalog -------------------------------------------------------------------------------------------


def compare_state(clone: Clone, head: NamespaceState) -> Iterator[Problem]:
    """Compare what the clone's state says is published with the log's state at the clone's position."""
    namespace = clone.namespace
    pending = {entry.path for entry in PendingWork(clone.state, namespace, clock=clone.clock).entries()}
    seen: set[str] = set()
    for record in clone.state.files.all(namespace):
        if unit_path(record.path) in pending:
            continue
        seen.add(record.path)
        known = head.files.get(record.path)
        if record.state is FileState.PENDING or known is None:
            yield _differs(record.path, "is known here, and the log does not have it")
        elif (record.size, record.sha256, record.key) != known:
            yield _differs(record.path, "is not what the log says")
    for path in sorted(head.files.keys() - seen):
        if unit_path(path) not in pending:
            yield _differs(path, "is in the log, and not known here")
    yield from _compare_metadata(clone, head, pending)
    yield from _compare_memory(clone, head)


def _compare_metadata(clone: Clone, head: NamespaceState, pending: set[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for key, rows in iterate_artifacts(clone.state, clone.namespace):
        artifact = artifact_path_of(key)
        for row in rows:
            directory = f"{artifact}/{row.version}"
            path = f"{directory}/{METADATA_FILE}"
            seen.add(path)
            if directory in pending:
                continue
            known = head.artifact(path)
            if known is None:
                yield _differs(path, "is known here, and the log does not have it")
            elif artifact_row_of(row) != known._replace(key=None):
                yield _differs(path, "is not what the log says")
    for path in sorted(set(head.artifact_paths) - seen):
        if unit_path(path) not in pending:
            yield _differs(path, "is in the log, and not known here")


def _compare_memory(clone: Clone, head: NamespaceState) -> Iterator[Problem]:
    """Compare which numbers and paths must never be used again; to know of more than the log does is no harm."""
    for artifact, number in sorted(head.highest.items()):
        known = clone.state.highest.find(artifact_key_of(clone.namespace, artifact))
        if known < number:
            yield _differs(artifact, f"once had version {number}, and only {known} is known here")
    with clone.state.database.read() as connection:
        rows = connection.execute("SELECT path FROM used_paths WHERE namespace = ?", (clone.namespace,))
        used = {path for (path,) in rows}
    for path in sorted(head.used - head.files.keys() - used):
        yield _differs(path, "was used once, which is not known here")


def _differs(path: str, detail: str) -> Problem:
    return Problem(ProblemKind.STATE_DIFFERS, path, f"`{path}` {detail}")


def compare_catalog(clone: Clone) -> Iterator[Problem]:
    """Compare the catalog's rows with what the state makes of them."""
    known = 0
    wrong: list[ArtifactKey] = []
    for key, rows in iterate_artifacts(clone.state, clone.namespace):
        found = sorted(clone.catalog.versions(key))
        known += len(found)
        if found != sorted(catalog_rows_of(rows)):
            wrong.append(key)
    path = clone.layout.catalog_path()
    for key in wrong[:_SHOWN]:
        name = artifact_path_of(key)
        yield Problem(ProblemKind.CATALOG_DIFFERS, path, f"the rows of `{name}` are not what its metadata says")
    if len(wrong) > _SHOWN:
        detail = f"nor are those of {len(wrong) - _SHOWN:,} other artifacts"
        yield Problem(ProblemKind.CATALOG_DIFFERS, path, detail)
    others = clone.catalog.count(clone.namespace) - known
    if others:
        detail = f"{others:,} of its rows are of artifacts that do not exist"
        yield Problem(ProblemKind.CATALOG_DIFFERS, path, detail)


# --- contents ----------------------------------------------------------------------------------------------------


def compare_copy(clone: Clone, copy: LocalCopy, *, progress: Progress = _ignore) -> tuple[list[Problem], int]:
    """Look for what changed in the local copy behind our back; return that, and how many files were looked at."""
    plan = Scanner(clone, copy).scan(progress=progress)
    problems = [
        Problem(ProblemKind.COPY_CHANGED, finding.path, f"`{finding.path}` is here as {finding.change.value}")
        for finding in plan.findings
        if finding.change not in _IS_FINE
    ]
    for path, reason in plan.failures:
        problems.append(Problem(ProblemKind.COPY_UNREADABLE, path, f"`{path}` cannot be read: {reason}"))
    return problems, plan.seen


def compare_contents(clone: Clone, head: NamespaceState, *, progress: Progress = _ignore) -> Iterator[Problem]:
    """Read every object of a state from the bucket and compare its digest; what is missing is told elsewhere."""
    total = len(head.files) + sum(1 for _ in head.artifact_paths)

    def look(expected: Expected) -> Problem | None:
        return _look(clone, expected)

    for done, problem in enumerate(_each(clone, _expected(clone, head), look), start=1):
        progress(done, total)
        if problem is not None:
            yield problem


def _expected(clone: Clone, head: NamespaceState) -> Iterator[Expected]:
    for path, file in sorted(head.files.items()):
        yield Expected(file.key or path, file.size, file.sha256)
    for row in head.artifacts():
        body = metadata_text_of(metadata_row_of(clone.namespace, row))
        yield Expected(row.object_path, len(body), hashlib.sha256(body).hexdigest())


def _each(
    clone: Clone, items: Iterable[Expected], look: Callable[[Expected], Problem | None]
) -> Iterator[Problem | None]:
    if clone.pool is None:
        yield from map(look, items)
        return
    for outcome in run_many(items, look, pool=clone.pool, concurrency=clone.concurrency):
        if not isinstance(outcome, Done):
            raise outcome.error
        yield outcome.result


def _look(clone: Clone, expected: Expected) -> Problem | None:
    key = clone.layout.key(expected.path)
    digest, size = hashlib.sha256(), 0
    try:
        with clone.log.store.open(key) as (_, chunks):
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
    except ObjectNotFound:
        return None
    if size != expected.size or digest.hexdigest() == expected.sha256:
        return None  # another size was told already
    return Problem(ProblemKind.OBJECT_DIGEST, key.text, f"object `{key}` holds other bytes than the log names")
