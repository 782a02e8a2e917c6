"""What the log of a bucket's namespace knows of the past: who changed what, and what was true then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from swampsync.clock import format_timestamp
from swampsync.errors import NotFound, Refused
from swampsync.layout import Layout
from swampsync.log.commit import Commit, PublishedCommit
from swampsync.log.history import find_commit_as_of, find_head, iterate_history
from swampsync.log.log import Log, SegmentMissing
from swampsync.log.paths import METADATA_FILE, parse_version_path
from swampsync.log.rows import Removal
from swampsync.namespace import Namespace, parse_scoped_name
from swampsync.repo.parts import Parts

if TYPE_CHECKING:
    from swampsync.repo.past import Past
    from swampsync.repo.undeleting import Undeleter

AsOf = int | datetime


@dataclass(frozen=True, slots=True)
class LogEntryView:
    """A commit as `datastore log` shows it.

    Args:
        seq: Its number.
        id: Its id.
        kind: The command.
        user: Who ran it.
        host: Where.
        repo_id: Of whose clone.
        tool: Name and version of the program.
        at: When it was published, by the store's clock; by the writer's where the store does not tell.
        versions: Versions that it put.
        files: Other files that it put.
        removed: Versions and other files that it removed; where vacuum has taken its rows, as if all were versions.
    """

    seq: int
    id: str
    kind: str
    user: str
    host: str
    repo_id: str
    tool: str
    at: str
    versions: int
    files: int
    removed: int

    @property
    def author(self) -> str:
        """Who, and where."""
        return f"{self.user}@{self.host}" if self.host else self.user

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        return {
            "seq": self.seq,
            "id": self.id,
            "kind": self.kind,
            "author": self.author,
            "user": self.user,
            "host": self.host,
            "repoId": self.repo_id,
            "tool": self.tool,
            "at": self.at,
            "put": self.versions + self.files,
            "versions": self.versions,
            "files": self.files,
            "removed": self.removed,
        }


@dataclass(frozen=True, slots=True)
class LogListing:
    """The newest commits.

    Args:
        entries: Those that match.
        is_limited: Whether there are more.
        unknown: Numbers of commits of which nobody knows any more whether they match: their rows were vacuumed.
    """

    entries: tuple[LogEntryView, ...]
    is_limited: bool
    unknown: tuple[int, ...] = ()


def require_log(parts: Parts, what: str, *, hint: str | None = None) -> None:
    """Make sure that there is a log to look at.

    Args:
        parts: Of the repo.
        what: What follows from there being none.
        hint: What else serves the purpose; a bucket by default.

    Raises:
        Refused: The datastore is a directory.
    """
    if not parts.config.is_remote:
        raise Refused(
            f"the datastore is a directory, which keeps no log: {what}",
            hint=hint or "a bucket has one: swamp datastore setup s3 --bucket BUCKET",
        )


def log_of(parts: Parts, namespace: Namespace) -> Log:
    """Return the log of a namespace; sends nothing."""
    return parts.syncing.syncer_of(namespace).clone.log


def head_of(parts: Parts, namespace: Namespace) -> int:
    """Find the newest commit of a namespace; takes nothing in."""
    position = parts.state.positions.find(namespace.name)
    return find_head(log_of(parts, namespace), known=0 if position is None else position.seq)


def require_head(parts: Parts, namespace: Namespace) -> int:
    """Find the newest commit of a namespace that has one; takes nothing in.

    Raises:
        NotFound: There is no such namespace, or nothing was ever published in it.
    """
    head = head_of(parts, namespace)
    if head == 0:
        if not namespace.is_solo:
            parts.registry.read_manifest(namespace)
        raise NotFound("nothing was published yet", hint="swamp data put MODEL NAME FILE")
    return head


class History:
    """Looks into the log of the namespace that the repo acts in, or of another one.

    Args:
        parts: Of the repo.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def find_path(self, model: str, name: str | None = None) -> tuple[Namespace, str]:
        """Find where the data of a model, or one artifact of it, lies: the namespace, and the path in it.

        Raises:
            NotFound: Nobody knows the model; what was removed whole is found by its path only.
            Refused: The datastore is a directory.
        """
        require_log(self._parts, "nobody wrote down who changed what")
        from swampsync.repo.finding import ModelFinder

        scoped, _ = parse_scoped_name(model)
        namespace = self._parts.namespace if scoped is None else scoped
        self._parts.syncing.follow(namespace, is_asked_for=True)
        _, found = ModelFinder(self._parts).find_model(model)
        path = Layout.model_path(found.type, found.id)
        return namespace, path if name is None else f"{path}/{name}"

    def entries(
        self,
        *,
        path: str | None = None,
        since: datetime | None = None,
        limit: int = 20,
        namespace: Namespace | None = None,
    ) -> LogListing:
        """List the newest commits; asks the bucket, and takes nothing in.

        Args:
            path: Only commits that put or removed what this names, relative to the namespace and wildcards included,
                or something below it.
            since: Only those published at or after this time.
            limit: At most so many.
            namespace: Whose log; the namespace that the repo acts in by default.

        Raises:
            NotFound: Nothing was ever published.
            Refused: The datastore is a directory.
        """
        require_log(self._parts, "nobody wrote down who changed what")
        chosen = self._parts.namespace if namespace is None else namespace
        log, head = log_of(self._parts, chosen), require_head(self._parts, chosen)
        found: list[LogEntryView] = []
        unknown: list[int] = []
        commits = iterate_history(
            log, head=head, path=path, since=since, on_unknown=lambda commit: unknown.append(commit.seq)
        )
        for published in commits:
            if len(found) == limit:
                return LogListing(tuple(found), is_limited=True, unknown=tuple(unknown))
            found.append(_view(log, published))
        return LogListing(tuple(found), is_limited=False, unknown=tuple(unknown))

    @property
    def undeleter(self) -> Undeleter:
        """What brings back what was removed."""
        from swampsync.repo.undeleting import Undeleter

        return Undeleter(self._parts)

    def at(self, when: AsOf, *, namespace: Namespace | None = None) -> Past:
        """Read what was true at a commit, or at a time by the store's clock; asks the bucket, and takes nothing in.

        Args:
            when: The number of a commit, or a time.
            namespace: Whose log; the namespace that the repo acts in by default.

        Raises:
            NotFound: The log does not reach so far back or forward, or vacuum has taken the state of then.
            DataError: The log of then is damaged.
            Refused: The datastore is a directory.
        """
        require_log(self._parts, "it has what is there now, and no past")
        from swampsync.log.vacuumed import read_past_state
        from swampsync.repo.past import Past

        chosen = self._parts.namespace if namespace is None else namespace
        log = log_of(self._parts, chosen)
        seq = find_commit_as_of(log, when, head=require_head(self._parts, chosen))
        return Past(self._parts, chosen, read_past_state(log, seq))


def _view(log: Log, published: PublishedCommit) -> LogEntryView:
    commit = published.commit
    user, _, host = commit.author.rpartition("@") if "@" in commit.author else (commit.author, "", "")
    return LogEntryView(
        seq=commit.seq,
        id=commit.id,
        kind=commit.kind,
        user=user,
        host=host,
        repo_id=commit.repo_id,
        tool=commit.tool,
        at=commit.at if published.published_at is None else format_timestamp(published.published_at),
        versions=commit.counts.artifacts,
        files=commit.counts.put - commit.counts.artifacts,
        removed=_count_removed(log, commit),
    )


def _count_removed(log: Log, commit: Commit) -> int:
    """Count what people would: the removal of a version names both of its files."""
    if not commit.counts.remove:
        return 0
    try:
        paths = [row.path for row in log.rows(commit) if isinstance(row, Removal)]
    except SegmentMissing:
        return (commit.counts.remove + 1) // 2
    versions = (parse_version_path(path) for path in paths)
    return sum(1 for version in versions if version is None or version.file != METADATA_FILE)
