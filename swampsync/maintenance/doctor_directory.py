"""`doctor backend` on a directory: does this mount keep the promises that locks and versions rest on?

A directory's own locks are safety, not courtesy: a lock is a `link` that must fail where a name is taken, a version
number a `mkdir` that must, and a new content a `rename` that nobody sees half of. Network and user-space file systems
differ in all three.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from swampsync.backends.filesystem import FilesystemStore
from swampsync.clock import Clock, Spawner
from swampsync.disk import Disk, Kind, WriteMode
from swampsync.maintenance.doctor_backend import Thoroughness, probe
from swampsync.maintenance.doctor_report import DoctorReport, Finding, Promise, Result
from swampsync.maintenance.doctor_scratch import FULL, QUICK, Effort
from swampsync.maintenance.racing import race

_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "lustre", "gluster")
_BLOCK: Final = 64 * 1024

DirectoryCheck = Callable[[Disk, str, Effort, Spawner], Finding]


def probe_directory(
    disk: Disk,
    root: str,
    *,
    scratch_prefix: str,
    clock: Clock,
    rng: random.Random,
    spawner: Spawner,
    thoroughness: Thoroughness = Thoroughness.FULL,
    on_check: Callable[[str], None] | None = None,
) -> DoctorReport:
    """Try every promise of a directory: what it must do as an object store, and what locks and versions need.

    Args:
        disk: Where the directory is.
        root: The datastore's directory; it must exist.
        scratch_prefix: Where scratch files may be put, relative to `root`, inside the namespace, ending in a slash.
        clock: For latencies, skew and the time of the report.
        rng: For nonces and temporary names.
        spawner: Starts the racing threads.
        thoroughness: How much is tried.
        on_check: Told the name of each check as it begins.

    Raises:
        SwampsyncError: The directory cannot be used at all.
    """
    store = FilesystemStore(disk, root, new_id=lambda: f"{rng.getrandbits(64):016x}")
    report = probe(
        store,
        scratch_prefix=scratch_prefix,
        clock=clock,
        rng=rng,
        spawner=spawner,
        thoroughness=thoroughness,
        on_check=on_check,
    )
    effort = QUICK if thoroughness is Thoroughness.QUICK else FULL
    scratch = f"{root.rstrip('/')}/{scratch_prefix}{rng.getrandbits(64):016x}"
    promises = []
    with _scratch_directory(disk, root, scratch):
        for name, check in CHECKS.items():
            if on_check is not None:
                on_check(name)
            finding = try_directory(disk, f"{scratch}/{name}", check, effort=effort, spawner=spawner)
            promises.append(Promise(name, finding.result, finding.consequence, is_required=True))
    promises.append(describe_type(disk, root))
    return replace(report, promises=(*report.promises, *promises))


def try_directory(disk: Disk, place: str, check: DirectoryCheck, *, effort: Effort, spawner: Spawner) -> Finding:
    """Do one check in a directory made for it; what the file system cannot do at all is absent."""
    try:
        disk.mkdir(place)
        return check(disk, place, effort, spawner)
    except OSError as error:
        return Finding(Result.ABSENT, f"this file system cannot do it: {error.strerror or error}")


def check_link(disk: Disk, place: str, _effort: Effort, _spawner: Spawner) -> Finding:
    """Link over a taken name, and count the links."""
    first, second, target = f"{place}/first", f"{place}/second", f"{place}/target"
    for path in (first, second):
        _write(disk, path, path.encode())
    disk.link(first, target)
    if disk.stat(first).links != 2:
        return Finding(Result.BROKEN, "a file with two names is not counted as such: a lock's owner cannot be told")
    try:
        disk.link(second, target)
    except FileExistsError:
        return Finding(Result.KEPT, "a lock is created by whoever comes first")
    return Finding(Result.BROKEN, "`link` replaces a taken name: two repos can hold one lock")


def check_link_race(disk: Disk, place: str, effort: Effort, spawner: Spawner) -> Finding:
    """Link many files to one name at once."""
    for round_number in range(effort.race_rounds):
        target = f"{place}/target-{round_number}"
        sources = [f"{place}/source-{round_number}-{n}" for n in range(effort.race_threads)]
        for source in sources:
            _write(disk, source, source.encode())
        results = race(len(sources), lambda n, s=sources, t=target: disk.link(s[n], t), spawner=spawner)  # type: ignore[misc]
        owners = [source for source in sources if disk.stat(source).links == 2]
        _raise_unexpected(results)
        if len(owners) != 1 or disk.read_bytes(target) != owners[0].encode():
            return Finding(Result.BROKEN, f"{len(owners)} racing writers took one lock")
    return Finding(Result.KEPT, f"one owner in each of {effort.race_rounds} races of {effort.race_threads}")


def check_mkdir_race(disk: Disk, place: str, effort: Effort, spawner: Spawner) -> Finding:
    """Make one directory from many threads at once."""
    for round_number in range(effort.race_rounds):
        target = f"{place}/{round_number}"
        results = race(effort.race_threads, lambda _, t=target: disk.mkdir(t), spawner=spawner)  # type: ignore[misc]
        _raise_unexpected(results)
        winners = sum(result is None for result in results)
        if winners != 1:
            return Finding(Result.BROKEN, f"{winners} racing writers claimed one version number")
    return Finding(Result.KEPT, "a version number is claimed by one writer only")


def check_rename(disk: Disk, place: str, effort: Effort, spawner: Spawner) -> Finding:
    """Replace a file again and again while others read it."""
    target = f"{place}/target"
    _write(disk, target, b"a" * _BLOCK)
    done = threading.Event()

    def act(number: int) -> set[bytes]:
        if number == 0:
            try:
                for step in range(effort.race_rounds * 5):
                    _write(disk, f"{place}/new", bytes([97 + step % 26]) * _BLOCK)
                    disk.rename(f"{place}/new", target)
            finally:
                done.set()
            return set()
        seen = set()
        while not done.is_set():
            seen.add(disk.read_bytes(target))
        return seen

    for result in race(4, act, spawner=spawner):
        if isinstance(result, FileNotFoundError):
            return Finding(Result.BROKEN, "a file is missing for a moment while it is replaced")
        if isinstance(result, BaseException):
            raise result
        if any(len(body) != _BLOCK or len(set(body)) != 1 for body in result):
            return Finding(Result.BROKEN, "a reader sees half of a file that is being replaced")
    return Finding(Result.KEPT, "a file is replaced at once, readers see the old or the new one")


def check_heartbeat(disk: Disk, place: str, _effort: Effort, _spawner: Spawner) -> Finding:
    """Write in place through a descriptor that stays open, and notice that the name means another file."""
    path, other = f"{place}/lock", f"{place}/other"
    _write(disk, path, b"time=0000")
    with disk.open_write(path, WriteMode.UPDATE) as file:
        file.write_at(5, b"1111")
        if disk.read_bytes(path) != b"time=1111":
            return Finding(Result.BROKEN, "what a holder writes in place is not seen: its heartbeat looks dead")
        _write(disk, other, b"stolen")
        disk.rename(other, path)
        if file.stat().inode == disk.stat(path).inode:
            return Finding(Result.BROKEN, "a replaced lock looks like the old one: its loss goes unnoticed")
    return Finding(Result.KEPT, "a holder's heartbeat is seen, and it notices when its lock was taken over")


def check_fsync(disk: Disk, place: str, _effort: Effort, _spawner: Spawner) -> Finding:
    """Sync a file and its directory."""
    with disk.open_write(f"{place}/file", WriteMode.CREATE) as file:
        file.write(b"x")
        file.sync()
    disk.sync_directory(place)
    return Finding(Result.KEPT, "files and directories can be synced; what the hardware makes of it cannot be seen")


CHECKS: Final[dict[str, DirectoryCheck]] = {
    "link-exclusive": check_link,
    "link-race": check_link_race,
    "mkdir-race": check_mkdir_race,
    "rename-atomic": check_rename,
    "heartbeat": check_heartbeat,
    "fsync": check_fsync,
}


def describe_type(disk: Disk, root: str) -> Promise:
    """Name the file system, and say what one machine's look at it is worth."""
    kind = disk.filesystem_type(root)
    if kind.startswith(_NETWORK):
        text = f"{kind}: reached over a network; what one machine sees of itself does not prove what two see"
    else:
        text = f"{kind or 'of unknown type'}: what programs on this machine see of each other was tried"
    return Promise("filesystem-type", Result.MEASURED, text)


def _write(disk: Disk, path: str, body: bytes) -> None:
    with disk.open_write(path, WriteMode.CREATE) as file:
        file.write(body)


def _raise_unexpected(results: list[BaseException | None]) -> None:
    for result in results:
        if result is not None and not isinstance(result, FileExistsError):
            raise result


@contextmanager
def _scratch_directory(disk: Disk, root: str, path: str) -> Iterator[None]:
    disk.makedirs(path)
    try:
        yield
    finally:
        _remove_tree(disk, path)
        parent = path.rpartition("/")[0]
        with suppress(OSError):  # it was there before, with something in it
            while len(parent) > len(root.rstrip("/")):
                disk.rmdir(parent)
                parent = parent.rpartition("/")[0]


def _remove_tree(disk: Disk, path: str) -> None:
    with suppress(FileNotFoundError):
        for entry in disk.scandir(path):
            below = f"{path}/{entry.name}"
            if entry.kind is Kind.DIRECTORY:
                _remove_tree(disk, below)
            else:
                disk.unlink(below)
        disk.rmdir(path)
