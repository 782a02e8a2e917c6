"""Vacuum: which objects of a namespace nobody can need any more.

An object goes only if it is in no state from the beginning of the horizon to the head, and is older than the horizon
by the store's own clock. No lock is needed: keys are used once, so what is in no state never comes back into one, and a
commit names only objects that were put within the last 24 hours, far inside of any horizon.

Two things stay although they look useless. The claim of a version's number and the first object at another file's path,
if the log does not know that they were ever used: removed, they could be made a second time, while a writer that was
paused for days still believes in the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from swampsync.artifacts.tree import no_check
from swampsync.backends.base import ObjectInfo, ObjectNotFound
from swampsync.errors import DataError, InvalidInput, Refused, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.log.catch_up import read_state
from swampsync.log.checkpoint import CheckpointEntry, list_checkpoints, read_checkpoint
from swampsync.log.commit_json import UnknownFormat
from swampsync.log.history import read_state_at
from swampsync.log.log import Log
from swampsync.log.paths import RAW_FILE, SHARED_SUBDIRS, parse_version_path
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.state import NamespaceState

MIN_HORIZON: Final = timedelta(days=3)
DEFAULT_HORIZON: Final = timedelta(days=7)

# Where a file lies whose own path was used before: such a key is random and never made twice.
_SPARE_KEY: Final = re.compile(r"~[0-9a-f]{8}$")


def _ignore(_done: int, _total: int | None) -> None:
    pass


@dataclass(frozen=True, slots=True)
class VacuumInput:
    """What is known when a plan is made.

    Args:
        head: The state at the head.
        needed: Paths of objects, relative to the namespace, of every state from the beginning of the horizon on.
        needed_segments: Segments of those states, by id.
        needed_checkpoints: Checkpoints of those states, by number.
        checkpoints: All that are listed.
        objects: The complete listing of the namespace's files and segments, by path relative to the namespace.
        cutoff: The beginning of the horizon by the store's clock.
    """

    head: NamespaceState
    needed: frozenset[str]
    needed_segments: frozenset[str]
    needed_checkpoints: frozenset[int]
    checkpoints: tuple[CheckpointEntry, ...]
    objects: Mapping[str, ObjectInfo]
    cutoff: datetime


@dataclass(frozen=True, slots=True)
class VacuumPlan:
    """What would be removed.

    Args:
        keys: Of objects, sorted.
        size: Of all of them, in bytes; checkpoints, which are small, are not counted.
        kept: How many objects stay.
        segments: How many of them are segments.
        checkpoints: How many of them are checkpoints.
    """

    keys: tuple[ObjectKey, ...]
    size: int
    kept: int
    segments: int = 0
    checkpoints: int = 0

    @property
    def contents(self) -> int:
        """How many of them are contents and metadata of versions and files."""
        return len(self.keys) - self.segments - self.checkpoints


def make_vacuum_plan(log: Log, known: VacuumInput) -> VacuumPlan:
    """Decide what goes; pure.

    Raises:
        Refused: The listing lacks an object of the head: it is not complete, or the namespace is damaged.
    """
    for path in known.head.object_paths():
        if path not in known.objects:
            key = log.layout.key(path).text
            raise Refused(
                f"object `{key}` belongs to the namespace but is not listed: nothing is removed on such a listing",
                hint="swamp datastore verify",
                key=key,
            )
    keys: list[ObjectKey] = []
    size = segments = 0
    for path, info in known.objects.items():
        if info.modified_at < known.cutoff and not _is_needed(path, known):
            keys.append(info.key)
            size += info.size
            segments += path.startswith("_segments/")
    checkpoints = [
        log.layout.checkpoint_key(entry.seq)
        for entry in known.checkpoints
        if entry.seq not in known.needed_checkpoints and entry.published_at < known.cutoff
    ]
    keys += checkpoints
    kept = len(known.objects) + len(known.checkpoints) - len(keys)
    return VacuumPlan(tuple(sorted(keys)), size, kept, segments, len(checkpoints))


def _is_needed(path: str, known: VacuumInput) -> bool:
    directory, _, name = path.partition("/")
    if directory == "_segments":
        return name.removesuffix(".jsonl.gz") in known.needed_segments
    if path in known.needed:
        return True
    version = parse_version_path(path)
    if version is not None and version.file == RAW_FILE:
        return False
    return not known.head.is_used(path) and _SPARE_KEY.search(path) is None


def read_vacuum_input(log: Log, *, horizon: timedelta, server_now: datetime | None = None) -> VacuumInput:
    """Gather what a plan needs: the states inside the horizon, and a complete listing.

    Args:
        log: Whose.
        horizon: How long nothing is removed.
        server_now: By the store's clock; without it the newest object's time, which errs on keeping.

    Raises:
        InvalidInput: The horizon is shorter than three days.
        DataError: The log is damaged, or of an unknown format: nothing can be known for certain.
        Unavailable: The listing broke off.
    """
    if horizon < MIN_HORIZON:
        raise InvalidInput(
            "uploads that are under way may be as old as a day: what was removed is kept for at least"
            f" {MIN_HORIZON.days} days",
            hint=f"--older-than {MIN_HORIZON.days}d",
        )
    # The state before the listing, which must show all of it; the log after it, so that it knows what is listed.
    head, _ = read_state(log)
    objects = {info.key.text[len(log.layout.prefix_of("")) :]: info for info in _list_all(log)}
    checkpoints = tuple(list_checkpoints(log))
    commits = log.list_commits(0)
    times = [info.modified_at for info in objects.values()] + [entry.published_at for entry in commits]
    cutoff = max(times, default=datetime.min.replace(tzinfo=UTC)) if server_now is None else server_now
    cutoff -= min(horizon, cutoff - datetime.min.replace(tzinfo=UTC))
    # The commit whose state was true when the horizon began, and the checkpoint that it is read from.
    first = max((entry.seq for entry in commits if entry.published_at < cutoff), default=0)
    kept, segments, base = _needed_checkpoints(log, checkpoints, first=first, cutoff=cutoff, objects=objects)
    needed = set(head.object_paths())
    if first:
        needed |= set(read_state_at(log, first).object_paths())
    for published in log.read_commits(entry.seq for entry in commits if entry.seq > base):
        segments |= {ref.id for ref in published.commit.segments}
        if published.commit.seq > first:
            rows = log.rows(published.commit)
            needed |= {row.object_path for row in rows if isinstance(row, FilePut | ArtifactRow)}
    return VacuumInput(head, frozenset(needed), frozenset(segments), frozenset(kept), checkpoints, objects, cutoff)


def _needed_checkpoints(
    log: Log,
    checkpoints: Iterable[CheckpointEntry],
    *,
    first: int,
    cutoff: datetime,
    objects: Mapping[str, ObjectInfo],
) -> tuple[set[int], set[str], int]:
    """Return which checkpoints stay, the segments they name, and the number of the oldest.

    All stay from the one on that served when the horizon began; if there was none, the number is 0.

    A checkpoint's own age counts, not only its number: one that a paused writer wrote late makes an older one useless
    only after everybody who meant to build upon that has published, or given up after a day (`checkpointing`).
    """
    kept: set[int] = set()
    segments: set[str] = set()
    for entry in checkpoints:  # newest first
        try:
            named = {ref.id for ref in read_checkpoint(log, entry.seq).segments}
        except UnknownFormat:
            raise
        except (DataError, ObjectNotFound):
            continue
        kept.add(entry.seq)
        segments |= named
        is_whole = all(f"_segments/{name}.jsonl.gz" in objects for name in named)
        if is_whole and entry.seq <= first and entry.published_at < cutoff:
            return kept, segments, entry.seq
    return kept, segments, 0


def apply_vacuum_plan(
    log: Log,
    plan: VacuumPlan,
    *,
    check: Callable[[], None] = no_check,
    progress: Callable[[int, int | None], None] = _ignore,
) -> dict[ObjectKey, SwampsyncError]:
    """Remove what the plan names; return what could not be removed, which the next vacuum finds again.

    Args:
        log: Whose.
        plan: From `make_vacuum_plan`.
        check: Called before each request; raises to stop there.
        progress: Told how many are done, and how many there are.
    """
    failures: dict[ObjectKey, SwampsyncError] = {}
    step = log.store.capabilities.max_delete_many
    for at in range(0, len(plan.keys), step):
        check()
        failures |= log.store.delete_many(plan.keys[at : at + step])
        progress(min(at + step, len(plan.keys)), len(plan.keys))
    return failures


def _list_all(log: Log) -> Iterable[ObjectInfo]:
    for directory in (*SHARED_SUBDIRS, "_segments"):
        yield from log.list_objects(directory)
