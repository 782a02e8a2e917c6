"""What garbage collection would remove, as a value: made without writing, printed before a prompt, then carried out.

An artifact that is expired goes as a whole and is counted there only; of the others, each step keeps as many versions
as its policy says. Numbers that were claimed by writers that died, and hold nothing, are swept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from swampsync.artifacts.lifetimes import ExpiryReason, find_expiry, find_surplus, parse_duration
from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.scan import ArtifactScan, Problem, list_numbers, read_version, scan_artifact, walk_models
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.clock import parse_timestamp
from swampsync.disk import Disk, DiskEntry, Kind
from swampsync.layout import Layout


class Doomed(NamedTuple):
    """Versions of one artifact that are to go."""

    type: str
    model_id: str
    name: str
    versions: tuple[int, ...]
    sizes: tuple[int, ...]  # bytes of content, one for each version
    reason: str = ""  # why the whole artifact goes; empty where only some versions do

    @property
    def size(self) -> int:
        """Bytes of content that go."""
        return sum(self.sizes)

    def size_of(self, gone: Iterable[int]) -> int:
        """Sum up the bytes of some of the versions."""
        sizes = dict(zip(self.versions, self.sizes, strict=True))
        return sum(sizes[number] for number in gone)


class GcPlan(NamedTuple):
    """What is to go from one namespace."""

    expired: tuple[Doomed, ...]  # whole artifacts
    excess: tuple[Doomed, ...]  # versions beyond the policy
    claims: tuple[Doomed, ...]  # numbers that hold nothing
    problems: tuple[Problem, ...]  # what could not be judged and stays

    @property
    def artifacts_expired(self) -> int:
        """How many artifacts go as a whole."""
        return len(self.expired)

    @property
    def versions_excess(self) -> int:
        """How many versions go from artifacts that stay."""
        return sum(len(doomed.versions) for doomed in self.excess)

    @property
    def versions(self) -> int:
        """How many versions go."""
        return sum(len(doomed.versions) for doomed in (*self.expired, *self.excess))

    @property
    def size(self) -> int:
        """Bytes of content that go."""
        return sum(doomed.size for doomed in (*self.expired, *self.excess))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to go."""
        return not (self.expired or self.excess or self.claims)

    def to_json(self) -> dict[str, Any]:
        """Make the preview as swamp prints it."""
        models = sorted({(doomed.type, doomed.model_id) for doomed in self.excess})
        return {
            "expiredDataCount": self.artifacts_expired,
            "expiredData": [expired_to_json(doomed) for doomed in self.expired],
            "versionGcModelCount": len(models),
            "versionGcVersionCount": self.versions_excess,
            "versionGcData": [
                {"type": d.type, "modelId": d.model_id, "dataName": d.name, "versionCount": len(d.versions)}
                for d in self.excess
            ],
        }


def expired_to_json(doomed: Doomed) -> dict[str, Any]:
    """Make the JSON of an artifact that expires."""
    return {
        "type": doomed.type,
        "modelId": doomed.model_id,
        "dataName": doomed.name,
        "reason": doomed.reason,
        "versionCount": len(doomed.versions),
    }


def make_run_lookup(disk: Disk, layout: Layout) -> Callable[[str, str], bool]:
    """Make the question whether a workflow run still exists; where it cannot be answered, it does."""

    @cache
    def run_exists(workflow_id: str, run_id: str) -> bool:
        try:
            disk.stat(layout.resolve("workflow-runs", workflow_id, f"workflow-run-{run_id}.yaml"))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    return run_exists


def plan_gc(
    disk: Disk, layout: Layout, catalog: Catalog, *, now: datetime, run_exists: Callable[[str, str], bool]
) -> GcPlan:
    """Decide what goes from a namespace; writes nothing.

    The catalog, just refreshed, tells which artifacts can have anything to collect at all, so that of the others only
    one metadata file is read. What is decided is decided from the files.

    Args:
        disk: Where the tree lies.
        layout: Of the namespace.
        catalog: Tells the versions of each artifact.
        now: The time, aware.
        run_exists: Says whether a run (workflow id, run id) still exists, for lifetimes that end with it.
    """
    planner = _Planner(disk, layout, catalog, now=now, run_exists=run_exists)
    planner.run()
    return GcPlan(tuple(planner.expired), tuple(planner.excess), tuple(planner.claims), tuple(planner.problems))


class _Planner:
    def __init__(
        self,
        disk: Disk,
        layout: Layout,
        catalog: Catalog,
        *,
        now: datetime,
        run_exists: Callable[[str, str], bool],
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._catalog = catalog
        self._now = now
        self._run_exists = run_exists
        self.expired: list[Doomed] = []
        self.excess: list[Doomed] = []
        self.claims: list[Doomed] = []
        self.problems: list[Problem] = []

    def run(self) -> None:
        for model_type, model_id, path in self._walk():
            numbers = list_numbers(self._disk, path)
            name = path.rpartition("/")[2]
            rows = self._catalog.versions(ArtifactKey(self._layout.namespace.name, model_type, model_id, name))
            rows.reverse()
            if numbers == [row.version for row in rows] and not self._needs_scan(path, name, rows):
                continue
            self._judge(model_type, model_id, scan_artifact(self._disk, path))

    def _walk(self) -> Iterator[tuple[str, str, str]]:
        """List every artifact's directory, in the place that the layout names: type, model id, path."""
        for root in self._layout.data_roots():
            for model_type, model_id, path in walk_models(self._disk, root, on_problem=self.problems.append):
                for entry in self._list(path):
                    artifact = f"{path}/{entry.name}"
                    is_one = entry.kind is Kind.DIRECTORY and not entry.name.startswith(".")
                    if is_one and self._layout.resolve("data", model_type, model_id, entry.name) == artifact:
                        yield model_type, model_id, artifact

    def _list(self, path: str) -> list[DiskEntry]:
        try:
            return sorted(self._disk.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            self.problems.append(Problem(path, error.strerror or str(error)))
            return []

    def _needs_scan(self, path: str, name: str, rows: list[CatalogRow]) -> bool:
        """Say whether an artifact with these whole versions may have anything to collect."""
        steps: dict[str, list[CatalogRow]] = {}
        for row in rows:
            steps.setdefault(row.step_name, []).append(row)
        for step in steps.values():
            newest = read_version(self._disk, path, name, step[-1].version)
            if not isinstance(newest, Metadata) or find_expiry(newest, self._now, self._run_exists) is not None:
                return True
            policy = newest.garbage_collection
            if isinstance(policy, str):
                if len(step) > 1 and self._now - parse_timestamp(step[0].created_at) > parse_duration(policy):
                    return True
            elif policy is not None and len(step) > policy:
                return True
        return False

    def _judge(self, model_type: str, model_id: str, scan: ArtifactScan) -> None:
        self.problems += scan.problems
        damaged = {problem.path for problem in scan.problems}
        empty = [number for number in scan.incomplete if self._is_empty(f"{scan.path}/{number}")]
        if scan.path in damaged:
            return
        if scan.versions:
            reason = find_expiry(scan.versions[-1], self._now, self._run_exists)
            # What cannot be read is not known to be expired.
            if reason is not None and len(empty) == len(scan.incomplete) and not self._is_hidden(scan):
                every = {metadata.version for metadata in scan.versions}
                self.expired.append(_doom(model_type, model_id, scan, every, reason=reason))
                return
            surplus = set(find_surplus(scan.versions, self._now)) - {scan.latest}
            if surplus:
                self.excess.append(_doom(model_type, model_id, scan, surplus))
        if empty:
            self.claims.append(Doomed(model_type, model_id, scan.name, tuple(empty), (0,) * len(empty)))

    def _is_hidden(self, scan: ArtifactScan) -> bool:
        latest = scan.latest_metadata
        return latest is not None and latest.is_deleted

    def _is_empty(self, directory: str) -> bool:
        try:
            return all(entry.name.startswith(".") for entry in self._disk.scandir(directory))
        except OSError:
            return False


def _doom(
    model_type: str, model_id: str, scan: ArtifactScan, numbers: Iterable[int], *, reason: ExpiryReason | None = None
) -> Doomed:
    sizes = {metadata.version: metadata.size or 0 for metadata in scan.versions}
    doomed = tuple(sorted(numbers))
    why = "" if reason is None else reason.value
    return Doomed(model_type, model_id, scan.name, doomed, tuple(sizes[number] for number in doomed), why)
