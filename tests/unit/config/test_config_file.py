from __future__ import annotations

import stat
from pathlib import Path

import pytest

from swampsync.config.config_file import read_config_file, replace_file, write_config_file
from swampsync.disk import LocalDisk
from swampsync.errors import Conflict, NotFound

DISK = LocalDisk()


def test_write_replaces_in_one_step_and_leaves_nothing_beside(tmp_path: Path) -> None:
    """After a write there is the file and nothing else, with the mode it had."""
    path = tmp_path / ".swamp.yaml"
    path.write_bytes(b"a: 1 # c\n")
    path.chmod(0o640)
    before = read_config_file(DISK, str(path))
    write_config_file(DISK, before.set(("a",), "x"), replaces=before)
    assert path.read_bytes() == b"a: x # c\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == [".swamp.yaml"]


def test_write_goes_through_a_symbolic_link(tmp_path: Path) -> None:
    """The link stays, and what it points to is replaced."""
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "config.yaml"
    real.write_text("a: 1\n")
    link = tmp_path / ".swamp.yaml"
    link.symlink_to("real/config.yaml")
    before = read_config_file(DISK, str(link))
    write_config_file(DISK, before.set(("a",), "x"), replaces=before)
    assert link.is_symlink()
    assert real.read_text() == "a: x\n"


def test_write_refuses_what_somebody_else_changed(tmp_path: Path) -> None:
    """Nobody's change is lost: the second writer is told to run again."""
    path = tmp_path / ".swamp.yaml"
    path.write_text("a: 1\n")
    before = read_config_file(DISK, str(path))
    path.write_text("a: 1\nb: 2\n")
    with pytest.raises(Conflict):
        write_config_file(DISK, before.set(("a",), "x"), replaces=before)
    assert path.read_text() == "a: 1\nb: 2\n"
    with pytest.raises(Conflict):
        write_config_file(DISK, before, replaces=None)


def test_write_of_the_same_bytes_writes_nothing(tmp_path: Path) -> None:
    """A change that is there already does not touch the file."""
    path = tmp_path / ".swamp.yaml"
    path.write_text("a: 1\n")
    inode = path.stat().st_ino
    document = read_config_file(DISK, str(path))
    write_config_file(DISK, document, replaces=document)
    assert path.stat().st_ino == inode


def test_leftover_of_a_dead_writer_is_no_obstacle(tmp_path: Path) -> None:
    """A temporary file that a killed process left only takes a number."""
    (tmp_path / "f.0.swampsync-tmp").write_text("torn")
    replace_file(DISK, str(tmp_path / "f"), b"x")
    assert (tmp_path / "f").read_bytes() == b"x"


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    """Also where a directory on the way is a file."""
    (tmp_path / "file").write_text("")
    for path in ("none", "file/.swamp.yaml"):
        with pytest.raises(NotFound):
            read_config_file(DISK, str(tmp_path / path))
