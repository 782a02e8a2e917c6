from __future__ import annotations

from pathlib import Path

import pytest

from swampsync.config.discovery import NotARepo, find_repo
from swampsync.disk import LocalDisk

DISK = LocalDisk()


def make_repo(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / ".swamp.yaml").write_text("repoId: x\n")
    return path


def find(cwd: Path, flag: str | None = None, **environ: str) -> tuple[str, str]:
    location = find_repo(DISK, cwd=str(cwd), flag=flag, environ=environ)
    return location.repo_dir, location.source


def test_flag_beats_variable_beats_working_directory(tmp_path: Path) -> None:
    """`--repo-dir`, then `SWAMP_REPO_DIR`, then where we are; relative ones are relative to where we are."""
    a, b, c = (make_repo(tmp_path / name) for name in "abc")
    assert find(c, "../a", SWAMP_REPO_DIR=str(b)) == (str(a), "flag")
    assert find(c, SWAMP_REPO_DIR="../b/") == (str(b), "SWAMP_REPO_DIR")
    assert find(c, SWAMP_REPO_DIR="") == (str(c), "working directory")


def test_walk_finds_the_nearest_repo_above(tmp_path: Path) -> None:
    """From below a repo, also one inside another, the nearest one counts."""
    outer, inner = make_repo(tmp_path / "o"), make_repo(tmp_path / "o" / "x" / "i")
    deep = inner / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep) == (str(inner), "working directory")
    assert find(outer / "x") == (str(outer), "working directory")


@pytest.mark.parametrize("git", ["directory", "file"])
def test_walk_stops_at_the_top_of_a_git_checkout(tmp_path: Path, git: str) -> None:
    """What lies above the checkout is somebody else's, be `.git` a directory or a file."""
    make_repo(tmp_path)
    checkout = tmp_path / "checkout"
    (checkout / "sub").mkdir(parents=True)
    if git == "file":
        (checkout / ".git").write_text("gitdir: elsewhere\n")
    else:
        (checkout / ".git").mkdir()
    with pytest.raises(NotARepo):
        find(checkout / "sub")
    make_repo(checkout)
    assert find(checkout / "sub")[0] == str(checkout)


def test_walk_stops_after_ten_levels(tmp_path: Path) -> None:
    """Ten levels up still count, eleven do not."""
    make_repo(tmp_path)
    ten = tmp_path.joinpath(*"abcdefghij")
    (ten / "k").mkdir(parents=True)
    assert find(ten)[0] == str(tmp_path)
    with pytest.raises(NotARepo):
        find(ten / "k")


def test_walk_starts_from_the_real_directory(tmp_path: Path) -> None:
    """A symbolic link to a directory in a repo leads to that repo."""
    repo = make_repo(tmp_path / "repo")
    (repo / "sub").mkdir()
    (tmp_path / "link").symlink_to(repo / "sub")
    assert find(tmp_path / "link")[0] == str(repo)


def test_marker_may_be_a_link_but_no_directory(tmp_path: Path) -> None:
    """The marker has to be a file, at the end of a link if need be."""
    (tmp_path / "real.yaml").write_text("")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".swamp.yaml").symlink_to("../real.yaml")
    assert find(linked)[0] == str(linked)
    directory = tmp_path / "directory"
    (directory / ".swamp.yaml").mkdir(parents=True)
    with pytest.raises(NotARepo):
        find(tmp_path, str(directory))


def test_message_is_swamps(tmp_path: Path) -> None:
    """Scripts that look for swamp's message find it."""
    with pytest.raises(NotARepo) as caught:
        find(tmp_path)
    assert caught.value.message == (
        f"Not a swamp repository: {tmp_path}. To initialize a new repository, run 'swamp repo init', "
        "or specify an existing repository with 'swamp <command> --repo-dir /path/to/repo'."
    )
    assert caught.value.exit_status == 1


def test_half_a_repo_is_told_apart_and_nothing_created(tmp_path: Path) -> None:
    """A `.swamp` without a marker has a message of its own; looking leaves nothing behind."""
    (tmp_path / ".swamp").mkdir()
    with pytest.raises(NotARepo, match="partially initialized or corrupted"):
        find(tmp_path)
    with pytest.raises(NotARepo):
        find(tmp_path, str(tmp_path / "nowhere"))
    assert [p.name for p in tmp_path.iterdir()] == [".swamp"]
