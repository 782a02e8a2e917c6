"""Connections: transactions, threads, processes, and files that are swapped underneath."""
# ruff: noqa: PT012  (blocks that fail in the middle are the subject)

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.database import Database
from swampsync.catalog.sqlite import CorruptDatabase, connect, journal_mode_for, retrying, translate
from swampsync.clock import SystemClock
from swampsync.disk import DiskStat, LocalDisk
from swampsync.errors import AccessDenied, Unavailable
from tests.unit.catalog.conftest import make_row


def create_numbers(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY)")


@pytest.fixture
def database() -> Database:
    return Database(":memory:", disk=LocalDisk(), clock=SystemClock(), rng=Random(1), prepare=create_numbers)


def numbers(database: Database) -> list[int]:
    with database.read() as connection:
        return [n for (n,) in connection.execute("SELECT n FROM number ORDER BY n")]


def add(database: Database, number: int) -> None:
    with database.atomic() as connection:
        connection.execute("INSERT INTO number VALUES (?)", (number,))


def test_atomic_commits_at_the_end(database: Database) -> None:
    """What a block wrote is there after it, and no transaction is left open."""
    with database:
        add(database, 1)
        assert numbers(database) == [1]
        assert not database.is_in_transaction


def test_atomic_rolls_back_on_any_exception(database: Database) -> None:
    """A block that does not end leaves nothing, an interrupt included."""
    with database:
        with pytest.raises(KeyboardInterrupt), database.atomic():
            add(database, 1)
            raise KeyboardInterrupt
        assert numbers(database) == []


def test_nested_atomic_rolls_back_to_its_savepoint(database: Database) -> None:
    """An inner block that fails takes back its own writes only."""
    with database:
        with database.atomic():
            add(database, 1)
            with pytest.raises(ValueError, match="inner"), database.atomic():
                add(database, 2)
                raise ValueError("inner")
            add(database, 3)
        assert numbers(database) == [1, 3]


def test_outer_failure_takes_back_inner_blocks(database: Database) -> None:
    """An inner block that ended is part of the outer one."""
    with database:
        with pytest.raises(ValueError, match="outer"), database.atomic():
            with database.atomic():
                add(database, 1)
            raise ValueError("outer")
        assert numbers(database) == []


def test_first_error_survives_a_transaction_that_is_gone(database: Database) -> None:
    """If SQLite ended the transaction itself, the error that goes up is the block's."""
    with database, pytest.raises(ValueError, match="first"), database.atomic() as connection:
        connection.execute("ROLLBACK")
        raise ValueError("first")


def test_violated_constraint_is_not_translated(database: Database) -> None:
    """A programming mistake stays sqlite3's own error, and the block is taken back."""
    with database:
        with pytest.raises(sqlite3.IntegrityError), database.atomic():
            add(database, 1)
            add(database, 1)
        assert numbers(database) == []


@pytest.mark.parametrize(
    ("filesystem_type", "mode"),
    [
        ("ext4", "wal"),
        ("", "wal"),
        ("nfs", "delete"),
        ("nfs4", "delete"),
        ("cifs", "delete"),
        ("smb3", "delete"),
        ("9p", "delete"),
        ("fuse.sshfs", "delete"),
        ("fuseblk", "delete"),
    ],
)
def test_journal_follows_the_file_systems_type(filesystem_type: str, mode: str, tmp_path: Path) -> None:
    """WAL is for local file systems; where hosts or FUSE are in between, the journal is rolled back."""
    assert journal_mode_for(filesystem_type) == mode
    path = str(tmp_path / "x.db")
    for _ in range(2):
        opened = connect(path, filesystem_type=filesystem_type, clock=SystemClock(), rng=Random(1))
        with closing(opened) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
            assert connection.execute("PRAGMA busy_timeout").fetchone() == (5_000,)


def test_wal_is_left_on_a_shared_file_system(tmp_path: Path) -> None:
    """A file that another program put into WAL is switched back where WAL is not safe."""
    path = str(tmp_path / "x.db")
    for kind, mode in (("ext4", "wal"), ("nfs", "delete")):
        with closing(connect(path, filesystem_type=kind, clock=SystemClock(), rng=Random(1))) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_busy_is_tried_again_a_bounded_number_of_times() -> None:
    """Waits grow, with jitter from the given source, and the last failure goes up."""
    waits: list[float] = []

    class Waiting(SystemClock):
        def sleep(self, seconds: float) -> None:
            waits.append(seconds)

    def attempt() -> None:
        raise Unavailable("busy")

    with pytest.raises(Unavailable):
        retrying(attempt, clock=Waiting(), rng=Random(1))
    assert len(waits) == 7
    assert all(0.5 * 0.02 * 2**n <= wait <= 1.5 * 0.02 * 2**n for n, wait in enumerate(waits))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, Unavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unavailable),
        (sqlite3.SQLITE_LOCKED, Unavailable),
        (sqlite3.SQLITE_FULL, Unavailable),
        (sqlite3.SQLITE_IOERR_WRITE, Unavailable),
        (sqlite3.SQLITE_READONLY, AccessDenied),
        (sqlite3.SQLITE_CANTOPEN, AccessDenied),
        (sqlite3.SQLITE_CORRUPT, CorruptDatabase),
        (sqlite3.SQLITE_NOTADB, CorruptDatabase),
    ],
)
def test_known_errors_are_translated(code: int, expected: type[Exception]) -> None:
    """Each error code that a user can meet becomes the class that says what to do, with the path."""
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    translated = translate(error, path="/x/y.db")
    assert type(translated) is expected
    assert translated.key == "/x/y.db"


RACE = """
import os, sys
from random import Random
from swampsync.catalog.catalog import Catalog
from swampsync.clock import SystemClock
from swampsync.disk import DiskStat, LocalDisk
from tests.unit.catalog.conftest import make_row

wait, go = os.pipe()
children = []
for number in range(10):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(wait, 1)
        with Catalog.open(sys.argv[1], disk=LocalDisk(), clock=SystemClock(), rng=Random(number)) as catalog:
            catalog.upsert_latest(make_row(f"n{number}"))
            assert catalog.notices == []
        os._exit(0)
    children.append(child)
os.close(go)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_ten_processes_open_a_fresh_catalog_at_once(tmp_path: Path) -> None:
    """None of ten processes that create and write one fresh catalog together fails, and no row is lost."""
    path = str(tmp_path / "data" / "_catalog.db")
    ran = subprocess.run([sys.executable, "-c", RACE, path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    with Catalog.open(path, disk=LocalDisk(), clock=SystemClock(), rng=Random(1)) as catalog:
        assert catalog.count("infra") == 10
        assert catalog.notices == []


def test_threads_share_a_catalog(tmp_path: Path, open_catalog: Callable[[str], Catalog]) -> None:
    """Transactions of several threads do not mix."""
    catalog = open_catalog(str(tmp_path / "_catalog.db"))

    def work(number: int) -> None:
        for version in range(1, 11):
            with catalog.atomic():
                catalog.upsert_latest(make_row(f"n{number}", version))
                assert catalog.find_version(("infra", "command/shell", "m-1", f"n{number}"), version)  # type: ignore[arg-type]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert catalog.count("infra") == 80
    assert len(catalog.latest_of_namespace("infra")) == 8


def test_swapped_file_is_opened_anew(tmp_path: Path, open_catalog: Callable[[str], Catalog]) -> None:
    """When another program puts a compacted copy in the file's place, the next use reads and writes that copy."""
    path = tmp_path / "_catalog.db"
    catalog = open_catalog(str(path))
    catalog.upsert_latest(make_row("before"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (f"{path}.compact",))
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    os.replace(f"{path}.compact", path)
    catalog.upsert_latest(make_row("after"))
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT data_name FROM catalog ORDER BY 1").fetchall()
    assert names == [("after",), ("before",)]


def test_deleted_file_is_created_anew(tmp_path: Path, open_catalog: Callable[[str], Catalog]) -> None:
    """A catalog that is deleted while open is empty and unpopulated at the next use."""
    directory = tmp_path / "data"
    catalog = open_catalog(str(directory / "_catalog.db"))
    catalog.upsert_latest(make_row())
    catalog.mark_populated()
    shutil.rmtree(directory)
    assert not catalog.is_populated()
    assert catalog.count("infra") == 0


def test_swap_during_a_write_takes_the_populated_mark_away(tmp_path: Path) -> None:
    """If the file was swapped between our look and our commit, the new file no longer claims to be complete."""
    path = tmp_path / "_catalog.db"

    class SwappingDisk(LocalDisk):
        swap_at = -1

        def stat(self, path: str) -> DiskStat:
            if self.swap_at == 0:
                os.replace(f"{path}.compact", path)
            self.swap_at -= 1
            return super().stat(path)

    disk = SwappingDisk()
    with Catalog.open(str(path), disk=disk, clock=SystemClock(), rng=Random(1)) as catalog:
        catalog.mark_populated()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (f"{path}.compact",))
        disk.swap_at = 1  # the look before the transaction sees the old file, the one after it the new file
        catalog.upsert_latest(make_row())
        assert not catalog.is_populated()


def test_reader_refuses_to_write_and_can_attach(tmp_path: Path, open_catalog: Callable[[str], Catalog]) -> None:
    """A connection lent for long reads cannot write, and reads another database beside the catalog."""
    catalog = open_catalog(str(tmp_path / "_catalog.db"))
    catalog.upsert_latest(make_row())
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'state' AS name")
        connection.commit()
    with catalog.database.reader(attach={"other": str(other)}) as connection:
        joined = connection.execute("SELECT version FROM catalog JOIN other.t ON name = data_name").fetchall()
        assert joined == [(1,)]
        with pytest.raises(AccessDenied), catalog.database.reader() as own:
            own.execute("DELETE FROM catalog")
    assert catalog.count("infra") == 1
