"""What every writing command must survive: being killed before any of its writing operations."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swampsync.clock import SystemClock, Thread
from swampsync.config.init import apply_plan, plan_init
from swampsync.disk import LocalDisk
from swampsync.errors import NotFound
from swampsync.repo import Repo, World
from swampsync.testing.dying_disk import DyingDisk, Killed

# A process that is certainly gone: its locks are taken over at once.
DEAD_PID = (1 << 22) - 1


class _NoThread:
    def join(self, timeout: float | None = None) -> None:
        del timeout


def no_thread(target: Callable[[], None], *, name: str) -> Thread:
    """Start nothing: a killed process beats no heart."""
    del target, name
    return _NoThread()


def make_repo(directory: Path, shared: Path | None) -> None:
    world = World()
    directory.mkdir()
    plan = plan_init(LocalDisk(), str(directory), clock=SystemClock(), new_id=world.new_id)
    apply_plan(LocalDisk(), plan)
    if shared is not None:
        with Repo.open(str(directory)) as repo:
            repo.datastore.setup_filesystem(str(shared), namespace=directory.name)


def body(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


def put(repo: Repo) -> Any:
    return repo.data.put("m", "state", body("new"))


def put_new_model(repo: Repo) -> Any:
    return repo.data.put("fresh", "state", body("new"))


def append(repo: Repo) -> Any:
    return repo.data.append("m", "stream", body(" more"))


def delete_version(repo: Repo) -> Any:
    return repo.data.apply_delete(repo.data.plan_delete("m", name="state", version=2))


def delete_artifact(repo: Repo) -> Any:
    return repo.data.apply_delete(repo.data.plan_delete("m", name="state"))


def rename(repo: Repo) -> Any:
    return repo.data.rename("m", "state", "renamed")


def gc(repo: Repo) -> Any:
    return repo.structural.gc()


def import_directory(repo: Repo) -> Any:
    return repo.data.import_directory("../source", "m")


COMMANDS: list[Callable[[Repo], Any]] = [
    put,
    put_new_model,
    append,
    delete_version,
    delete_artifact,
    rename,
    gc,
    import_directory,
]


def prepare(directory: Path) -> None:
    source = directory.parent / "source"
    source.mkdir(exist_ok=True)
    for number in range(3):
        (source / f"file-{number}").write_text(f"content {number}")
    with Repo.open(str(directory)) as repo:
        for text in ("one", "two", "three"):
            repo.data.put("m", "state", body(text), garbage_collection=2)
        repo.data.put("m", "stream", body("begin"), is_streaming=True)
        repo.data.put("m", "kept", body("kept"))


def snapshot(repo: Repo) -> dict[tuple[str, int], bytes]:
    """Read every whole version, each verified against its checksum."""
    found = {}
    for name in ("state", "renamed", "stream", "kept", "file-0", "file-1", "file-2"):
        try:
            _, versions = repo.data.versions("m", name)
        except NotFound:
            continue
        for metadata in versions:
            if not metadata.is_deleted:
                version = repo.data.get("m", name, version=metadata.version)
                found[name, metadata.version] = b"".join(repo.data.read(version))
    return found


def kill_everywhere(
    root: Path, command: Callable[[Repo], Any], *, is_shared: bool, first: int = 0, stride: int = 1
) -> int:
    """Kill a command before its operations `first`, `first + stride`, …, and check what is left each time.

    Returns:
        How many writing operations the command has.
    """
    template = root / "template"
    template.mkdir()
    make_repo(template / "repo", template / "shared" if is_shared else None)
    prepare(template / "repo")
    if is_shared:
        config = template / "repo" / ".swamp.yaml"
        config.write_text(config.read_text().replace(str(template / "shared"), "../shared"))
    lives = first
    while True:
        place = root / "run"
        shutil.copytree(template, place, symlinks=True)
        directory = str(place / "repo")
        with Repo.open(directory) as repo:
            before = snapshot(repo)
        disk = DyingDisk(LocalDisk(), lives=lives)
        repo = Repo.open(directory, world=World(disk=disk, pid=DEAD_PID, spawn=no_thread))
        try:
            command(repo)
        except Killed:
            pass
        finally:
            repo.close()
        if not disk.is_dead:
            return disk.operations
        check_what_is_left(directory, before, lives)
        shutil.rmtree(place)
        lives += stride


def check_what_is_left(directory: str, before: dict[tuple[str, int], bytes], lives: int) -> None:
    """Everything acknowledged is readable and whole, the catalog equals the tree, and work goes on."""
    with Repo.open(directory) as repo:
        after = snapshot(repo)
        removed = {key for key in before if key not in after}
        assert all(name == "state" for name, _ in removed), (lives, removed)
        for key in before.keys() & after.keys():
            if key[0] != "stream":
                assert after[key] == before[key], (lives, key)
        assert after["stream", 1] in {b"begin", b"begin more"}, lives
        # A listing makes the catalog follow; after it nothing is left for a reindex to do.
        repo.data.list("m")
        repo.data.list_models()
        left = repo.structural.reindex(is_dry_run=True)
        assert left.is_empty, (lives, left)
        # Nobody waits for the dead: the next writer of the same model, and a structural command, go through.
        repo.data.put("m", "kept", body("after"))
        repo.structural.gc()
        assert b"".join(repo.data.read(repo.data.get("m", "kept"))) == b"after", lives
