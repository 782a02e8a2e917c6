"""Repos with data of every kind, and the places that it moves between."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from swampsync.clock import SystemClock, Thread
from swampsync.disk import Disk
from swampsync.errors import NotFound
from swampsync.maintenance.doctor_report import DoctorReport
from swampsync.repo import Repo, World
from swampsync.repo.setup_choice import BucketChoice
from tests.unit.repo.buckets import MemoryBuckets, make_repo

FILES = {
    "outputs/command/shell/run/a-1.yaml": b"status: done\n",
    "audit/commands-2026-11-21.jsonl": b'{"a":1}\n',
    "workflow-runs/w/workflow-run-1.yaml": b"run: 1\n",
    "logs/empty": b"",
    "files/deep/er/ü name.bin": bytes(range(256)) * 40,
}
LOCAL = {"secrets/key": b"secret", "bundles/b.js": b"code"}
SKIPPED = ("_catalog.db", "_sync.db", "_sync.lock")


class _NoThread:
    def join(self, timeout: float | None = None) -> None:
        del timeout


def _no_thread(target: object, *, name: str) -> Thread:
    del target, name
    return _NoThread()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every store at its word: what a store promises is proven in other tests, and takes time."""
    report = DoctorReport((), SystemClock().now())
    monkeypatch.setattr("swampsync.repo.setup_s3.probe_bucket", lambda *_args, **_named: report)
    monkeypatch.setattr("swampsync.repo.setup_s3.keep_report", lambda *_args, **_named: None)


@dataclass
class Yard:
    """A directory with repos, shared directories, and a server with buckets."""

    root: Path
    server: MemoryBuckets = field(default_factory=lambda: MemoryBuckets(names={"team", "other"}))

    def repo(self, name: str = "repo", *, repo_id: str | None = None, more: str = "") -> Path:
        return make_repo(self.root / name, repo_id=repo_id or f"id-{name}", more=more)

    def world(self, disk: Disk | None = None, *, pid: int | None = None) -> World:
        plain = self.server.world()
        if pid is None:
            return World(disk=disk or plain.disk, open_bucket=plain.open_bucket)
        return World(disk=disk or plain.disk, open_bucket=plain.open_bucket, pid=pid, spawn=_no_thread)

    def open(self, repo: Path, *, world: World | None = None, namespace: str | None = None) -> Repo:
        return Repo.open(str(repo), world=world or self.world(), namespace=namespace)

    def set_up(self, repo: Path, place: str, *, world: World | None = None) -> object:
        """Use a place: `dir`, `dir/infra`, `local`, `s3:team`, `s3:team/infra`."""
        kind, _, namespace = place.partition("/")
        with self.open(repo, world=world) as opened:
            if kind.startswith("s3:"):
                choice = BucketChoice(config={"bucket": kind[3:]}, namespace=namespace or None)
                return opened.datastore.setup_s3(choice)
            path = ".swamp" if kind == "local" else str(self.root / kind)
            return opened.datastore.setup_filesystem(path, namespace=namespace or None)

    def put(self, repo: Path, name: str, *contents: str, model: str = "vpc", world: World | None = None) -> None:
        with self.open(repo, world=world) as opened:
            for content in contents:
                opened.data.put(model, name, io.BytesIO(content.encode()))

    def write_files(self, repo: Path, files: dict[str, bytes] = FILES) -> None:
        """Write other files as workflows would: into the tree, or recorded in a bucket's local copy."""
        with self.open(repo) as opened:
            parts = opened._parts
            for relative, body in files.items():
                path = Path(parts.layout.resolve(relative))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
                if parts.config.is_remote:
                    parts.syncing.record_file(parts.namespace, str(path), kind="put")
        for relative, body in LOCAL.items():
            path = repo / ".swamp" / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def fill(self, repo: Path) -> None:
        """Write every kind of data: versions with a gap, a rename, a stream, another model, other files."""
        self.put(repo, "state", "one", "two", "three")
        self.put(repo, "old", "x")
        self.put(repo, "big", "b" * 300_000, model="other")
        with self.open(repo) as opened:
            opened.data.apply_delete(opened.data.plan_delete("vpc", name="state", version=2))
            opened.data.rename("vpc", "old", "new")
            opened.data.put("vpc", "log", io.BytesIO(b"begin"), is_streaming=True)
        self.write_files(repo)

    # --- looking -----------------------------------------------------------------------------------

    def versions(
        self, repo: Path, *, namespace: str | None = None, model: str = "vpc"
    ) -> dict[tuple[str, int], tuple[str, bytes]]:
        """Read every version: id and content, each verified."""
        found = {}
        with self.open(repo, namespace=namespace) as opened:
            for name in ("state", "new", "old", "big", "log"):
                for which in (model, "other"):
                    try:
                        _, versions = opened.data.versions(which, name)
                    except NotFound:
                        continue
                    for metadata in versions:
                        body = b""
                        if not metadata.is_deleted:
                            version = opened.data.get(which, metadata.name, version=metadata.version)
                            body = b"".join(opened.data.read(version))
                        found[f"{which}/{metadata.name}", metadata.version] = (metadata.id, body)
        return found

    def others(self, repo: Path, *, namespace: str | None = None) -> dict[str, bytes]:
        """Read every other file of a namespace, fetched if it lies in a bucket."""
        with self.open(repo, namespace=namespace) as opened:
            parts = opened._parts
            layout = parts.layout
            if parts.config.is_remote:
                syncer = parts.syncing.syncer_of(parts.namespace)
                syncer.pull()
                assert syncer.hydrate().failures == []
                known = [record.path for record in parts.state.files.all(parts.namespace.name)]
            else:
                root = Path(layout.root)
                known = [
                    path.relative_to(root).as_posix()
                    for subdir in layout.subdirs
                    for path in (root / subdir).rglob("*")
                    if path.is_file()
                ]
            found = {p: Path(layout.datastore_path(p)).read_bytes() for p in known if not p.startswith("data/")}
        # Definitions are files too, but their text is swamp's business.
        return {path: body for path, body in found.items() if not path.startswith("auto-definitions/")}

    def shown(self, repo: Path, *, namespace: str | None = None) -> list[tuple[str, str, int]]:
        """List what a listing shows."""
        with self.open(repo, namespace=namespace) as opened:
            models = opened.data.list_models()
            return sorted((model.model_name, model.namespace or "", model.versions) for model in models)

    def left_at(self, root: Path) -> list[str]:
        """Name what lies in a place: no databases, no manifests."""
        return sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file()
            and not path.name.startswith(SKIPPED)
            and not path.name.startswith((".namespace", ".swamps"))
        )
