"""Verify: whether a log is whole, its checkpoints say the same, and every object of its state is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from swampsync.backends.base import ObjectInfo
from swampsync.log.examine import Examination, Found, examine, list_objects, replay
from swampsync.log.log import Log
from swampsync.log.state import NamespaceState

COMPARED: Final = 3


class ProblemKind(Enum):
    """What is wrong: in the log, in the objects that it names, in this clone, or in the tree of a directory."""

    COMMIT_MISSING = "commit missing"
    COMMIT_DAMAGED = "commit damaged"
    CHAIN_BROKEN = "chain broken"
    ROWS_DAMAGED = "rows damaged"
    CHECKPOINT_UNREADABLE = "checkpoint unreadable"
    CHECKPOINT_DIFFERS = "checkpoint differs"
    OBJECT_MISSING = "object missing"
    OBJECT_SIZE = "object size"
    OBJECT_DIGEST = "object digest"
    LOG_REPLACED = "log replaced"
    STATE_DIFFERS = "state differs"
    CATALOG_DIFFERS = "catalog differs"
    COPY_CHANGED = "copy changed"
    COPY_UNREADABLE = "copy unreadable"
    VERSION_DAMAGED = "version damaged"
    CONTENT_DIFFERS = "content differs"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    Args:
        kind: What sort of thing.
        key: Of the object that it is about.
        detail: One sentence.
    """

    kind: ProblemKind
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    Args:
        problems: Everything that is wrong, the log's first.
        commits: How many numbers were looked at.
        objects: How many objects the state has.
        unreferenced: How many objects no state has: what dead pushes and removals left for vacuum.
        head: The state at the newest commit; `None` if it cannot be known.
        checkpoints: How many there are, readable or not.
        size: Bytes of the contents that the state names.
    """

    problems: tuple[Problem, ...]
    commits: int
    objects: int
    unreferenced: int
    head: NamespaceState | None
    checkpoints: int = 0
    size: int = 0


def verify(log: Log) -> Verification:
    """Read the whole log and all checkpoints, compare the three newest with the replay, and list all objects.

    Raises:
        UnknownFormat: Part of the log can be read by a newer version only.
        Unavailable: The store cannot be reached, or the listing broke off.
    """
    examination = examine(log)
    problems = [*_commit_problems(examination), *_checkpoint_problems(examination)]
    head: NamespaceState | None = NamespaceState()
    compared = compared_checkpoints(examination)
    for entry, state, is_known in replay(examination):
        anchor = examination.anchors.get(entry.seq)
        if is_known and entry.seq in compared and examination.anchor_state(entry.seq) != state:
            key = log.layout.checkpoint_key(entry.seq).text
            problem = f"checkpoint `{key}` says something else than the commits up to it"
            problems.append(Problem(ProblemKind.CHECKPOINT_DIFFERS, key, problem))
        head = state if is_known else examination.anchor_state(entry.seq) if anchor is not None else None
    objects = list_objects(log)
    known = set() if head is None else set(head.object_paths())
    if head is not None:
        problems.extend(_object_problems(log, head, objects))
    return Verification(
        tuple(problems),
        len(examination.found),
        len(known),
        len(objects.keys() - known) if known else 0,
        head,
        checkpoints=len(examination.anchors) + len(examination.unreadable),
        size=0 if head is None else sum(file.size for file in head.files.values()),
    )


def compared_checkpoints(examination: Examination) -> list[int]:
    """Return the numbers of the checkpoints that are compared with the replay: reading a state costs its size."""
    return sorted(examination.anchors)[-COMPARED:]


def find_commit_problem(entry: Found, *, is_before_anchor: bool) -> ProblemKind | None:
    """Say what is wrong with a commit; that vacuum took the segments of an old one is nothing wrong."""
    if entry.is_sound:
        return None
    if entry.published is not None:
        return None if is_before_anchor else ProblemKind.ROWS_DAMAGED
    return ProblemKind.COMMIT_MISSING if entry.etag is None else ProblemKind.COMMIT_DAMAGED


def _commit_problems(examination: Examination) -> Iterator[Problem]:
    layout = examination.log.layout
    before: Found | None = None
    for entry in examination.found:
        key = layout.log_key(entry.seq).text
        kind = find_commit_problem(entry, is_before_anchor=entry.seq <= examination.last_anchor)
        if kind is not None:
            yield Problem(kind, key, str(entry.error))
        if before is not None and before.published is not None and entry.published is not None:
            parent, expected = entry.published.commit.parent, before.published.commit.id
            if parent != expected:
                detail = f"commit `{key}` names `{parent}` as its parent, but commit {before.seq} is `{expected}`"
                yield Problem(ProblemKind.CHAIN_BROKEN, key, detail)
        before = entry


def _checkpoint_problems(examination: Examination) -> Iterator[Problem]:
    for seq, error in examination.unreadable.items():
        key = examination.log.layout.checkpoint_key(seq).text
        yield Problem(ProblemKind.CHECKPOINT_UNREADABLE, key, str(error))


def _object_problems(log: Log, head: NamespaceState, objects: Mapping[str, ObjectInfo]) -> Iterator[Problem]:
    sizes = {file.key or path: file.size for path, file in head.files.items()}
    for path in sorted(head.object_paths()):
        key = log.layout.key(path).text
        info = objects.get(path)
        if info is None:
            yield Problem(ProblemKind.OBJECT_MISSING, key, f"object `{key}` is missing")
        elif path in sizes and info.size != sizes[path]:
            detail = f"object `{key}` has {info.size} bytes instead of {sizes[path]}"
            yield Problem(ProblemKind.OBJECT_SIZE, key, detail)
