"""Conflicts: what becomes of our plan when somebody else's commit came first.

Pure decisions over rows; the contents of files are nobody's business here. The rule behind all of them: nothing is
ever dropped silently. Whatever we meant to publish is afterwards in our commit, under another number or beside the
other content if need be, or it stands in the log already; whatever we meant to remove is removed, or stays because
somebody changed it.

    ours                    newer in the log                  verdict
    version N               version N, same id and digest     ALREADY_PUBLISHED   our rows are left out
    version N               version N otherwise, or removed   RENUMBER            we take the next free number
    file, changed or new    same content at the path          ALREADY_PUBLISHED   our row is left out
    file, based on theirs   that content                      (unaffected)
    JSON lines              other content at the path         MERGE_LINES         KEEP_BOTH if one is no extension of it
    file, changed or new    other content at the path         KEEP_BOTH           ours becomes a conflict copy
    file at `a` or `a/b`    file at `a/b` or `a`              KEEP_BOTH           no disk can hold both
    file, changed or new    removed                           OURS_STAYS          a change wins over a removal
    removal                 changed                           THEIRS_STAYS        our removal is left out
    removal                 removed                           ALREADY_REMOVED     our removal is left out
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from swampsync.log.commit import CommitDraft
from swampsync.log.conflict_copies import ancestors, conflict_path, is_json_lines
from swampsync.log.paths import METADATA_FILE, RAW_FILE, VersionPath, parse_version_path
from swampsync.log.rows import ArtifactRow, FilePut, Removal, Row


class Verdict(Enum):
    """What becomes of an entry of our plan."""

    ALREADY_PUBLISHED = "already published"
    ALREADY_REMOVED = "already removed"
    RENUMBER = "renumber"
    KEEP_BOTH = "keep both"
    MERGE_LINES = "merge lines"
    OURS_STAYS = "our change stays"
    THEIRS_STAYS = "their change stays"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on one entry.

    Args:
        verdict: What becomes of it.
        path: Of the file or removal; for a version its directory (`data/…/{name}/{N}`).
        new_path: Where our content goes instead (`KEEP_BOTH`), or would go if the lines cannot be merged.
        number: The version's new number (`RENUMBER`).
        theirs: What the newer commits put at the path, if anything.
    """

    verdict: Verdict
    path: str
    new_path: str | None = None
    number: int | None = None
    theirs: FilePut | None = None


class StateView(Protocol):
    """What a decision needs to know of the state that includes the newer commits."""

    def highest_number(self, artifact: str) -> int:
        """Return the highest number that the artifact ever had, 0 for none."""
        ...

    def file_digest(self, path: str) -> str | None:
        """Return the digest of the file that exists at a path, if one does."""
        ...


@dataclass(slots=True)
class NewerChanges:
    """What commits newer than our plan did, net effect; filled commit by commit.

    Attributes:
        puts: What exists because of them, by path.
        removed: What does not exist any more because of them.
        version_ids: The metadata ids that each version directory was ever published with.
        version_digests: The digests that `raw` of each version directory was ever published with.
    """

    puts: dict[str, FilePut] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    version_ids: dict[str, set[str]] = field(default_factory=dict)
    version_digests: dict[str, set[str]] = field(default_factory=dict)

    def add(self, rows: Iterable[Row]) -> None:
        """Take in the rows of the next commit."""
        for row in rows:
            version = parse_version_path(row.path)
            if isinstance(row, Removal):
                self.puts.pop(row.path, None)
                self.removed.add(row.path)
                if version is not None:
                    self.version_ids.setdefault(version.directory, set())
                continue
            self.removed.discard(row.path)
            if isinstance(row, FilePut):
                self.puts[row.path] = row
                if version is not None and version.file == RAW_FILE:
                    self.version_digests.setdefault(version.directory, set()).add(row.sha256)
            if version is not None:
                ids = self.version_ids.setdefault(version.directory, set())
                if isinstance(row, ArtifactRow):
                    ids.add(row.metadata["id"])

    def directories(self) -> set[str]:
        """Return every directory that must exist for the files that they put."""
        return {parent for path in self.puts for parent in ancestors(path)}


def check_plan(draft: CommitDraft, newer: NewerChanges, *, state: StateView) -> list[Decision]:
    """Decide on every entry of a plan that newer commits touched; the others are not mentioned.

    Args:
        draft: Our plan, made before them.
        newer: What they did.
        state: What is true with them.
    """
    return [
        *_decide_versions(draft, newer, state),
        *_decide_files(draft, newer, state),
        *_decide_removals(draft, newer),
    ]


# --- versions ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _OurVersion:
    path: VersionPath
    identifier: str | None = None
    digest: str | None = None


def _decide_versions(draft: CommitDraft, newer: NewerChanges, state: StateView) -> Iterator[Decision]:
    ours: dict[str, dict[int, _OurVersion]] = {}
    for row in draft.published_rows():
        path = parse_version_path(row.path)
        if path is None:
            continue
        version = ours.setdefault(path.artifact, {}).setdefault(path.number, _OurVersion(path))
        if isinstance(row, ArtifactRow):
            version.identifier = row.metadata["id"]
            version.digest = version.digest or row.metadata.get("checksum")
        elif path.file == RAW_FILE:
            version.digest = row.sha256
    for artifact, versions in ours.items():
        if any(version.path.directory in newer.version_ids for version in versions.values()):
            yield from _decide_artifact(artifact, versions, newer, state)


def _decide_artifact(
    artifact: str, versions: dict[int, _OurVersion], newer: NewerChanges, state: StateView
) -> Iterator[Decision]:
    # Keys are used once: a number that we claimed ourselves is as little free as one of theirs. And versions behind
    # the first that moves must move too, or the older content would become the latest.
    number = max(state.highest_number(artifact), *versions)
    is_moving = False
    for _, version in sorted(versions.items()):
        directory = version.path.directory
        is_taken = directory in newer.version_ids
        if is_taken and _is_same_version(version, newer):
            yield Decision(Verdict.ALREADY_PUBLISHED, directory, theirs=newer.puts.get(f"{directory}/{RAW_FILE}"))
            continue
        is_moving = is_moving or is_taken
        if is_moving:
            number += 1
            yield Decision(Verdict.RENUMBER, directory, number=number, theirs=newer.puts.get(f"{directory}/{RAW_FILE}"))


def _is_same_version(ours: _OurVersion, newer: NewerChanges) -> bool:
    directory = ours.path.directory
    digests = newer.version_digests.get(directory, set())
    return ours.identifier in newer.version_ids[directory] and ours.digest in digests


# --- other files ---------------------------------------------------------------------------------------------


class _FileDecider:
    """Decides on files other than versions', one by one; remembers which conflict copies it has named."""

    def __init__(self, draft: CommitDraft, newer: NewerChanges, state: StateView) -> None:
        self._newer = newer
        self._state = state
        self._directories = newer.directories()
        self._taken = {row.path: row.sha256 for row in draft.put}

    def decide(self, row: FilePut) -> Decision | None:
        theirs = self._newer.puts.get(row.path)
        if theirs is not None:
            if theirs.sha256 == row.sha256:
                return Decision(Verdict.ALREADY_PUBLISHED, row.path, theirs=theirs)
            if theirs.sha256 == row.base:
                return None
            verdict = Verdict.MERGE_LINES if is_json_lines(row.path) else Verdict.KEEP_BOTH
            return self._beside(row, verdict, theirs=theirs)
        above = next((parent for parent in ancestors(row.path) if parent in self._newer.puts), None)
        if above is not None:
            return self._beside(row, Verdict.KEEP_BOTH, theirs=self._newer.puts[above], at=above)
        if row.path in self._directories:
            return self._beside(row, Verdict.KEEP_BOTH)
        return Decision(Verdict.OURS_STAYS, row.path) if row.path in self._newer.removed else None

    def _beside(
        self, row: FilePut, verdict: Verdict, *, theirs: FilePut | None = None, at: str | None = None
    ) -> Decision:
        for digits in (8, 16, 64):
            path = conflict_path(row.path, row.sha256, at=at, digits=digits)
            there = self._taken.get(path) or self._state.file_digest(path)
            if there is None:
                self._taken[path] = row.sha256
                return Decision(verdict, row.path, new_path=path, theirs=theirs)
            if there == row.sha256:  # our content has been kept there before
                return Decision(Verdict.ALREADY_PUBLISHED, row.path, new_path=path, theirs=theirs)
        raise AssertionError("a path made of a whole digest holds other content")


def _decide_files(draft: CommitDraft, newer: NewerChanges, state: StateView) -> Iterator[Decision]:
    decider = _FileDecider(draft, newer, state)
    for row in draft.put:
        if parse_version_path(row.path) is None:
            decision = decider.decide(row)
            if decision is not None:
                yield decision


def _decide_removals(draft: CommitDraft, newer: NewerChanges) -> Iterator[Decision]:
    for path in draft.remove:
        version = parse_version_path(path)
        is_metadata = version is not None and version.file == METADATA_FILE
        if path in newer.removed:
            yield Decision(Verdict.ALREADY_REMOVED, path)
        elif path in newer.puts:
            yield Decision(Verdict.THEIRS_STAYS, path, theirs=newer.puts[path])
        elif is_metadata and version is not None and newer.version_ids.get(version.directory):
            yield Decision(Verdict.THEIRS_STAYS, path)
