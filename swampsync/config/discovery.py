"""Finding the repo; nothing is created on the way."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swampsync.config.environment import REPO_DIR, absolute_path
from swampsync.disk import Disk, Kind
from swampsync.errors import InvalidInput
from swampsync.layout import CONFIG_NAME

MAX_LEVELS: Final = 10


class NotARepo(InvalidInput):
    """There is no repo where one was looked for."""

    code = "not_a_repo"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class RepoLocation:
    """Where the repo is, and who says so.

    Args:
        repo_dir: Absolute.
        source: `flag`, `SWAMP_REPO_DIR` or `working directory`.
    """

    repo_dir: str
    source: str


def find_repo(disk: Disk, *, cwd: str, flag: str | None, environ: Mapping[str, str]) -> RepoLocation:
    """Find the repo: `--repo-dir`, then `SWAMP_REPO_DIR`, then upwards from the working directory.

    The way up ends at the top of a git checkout, or after ten levels.

    Args:
        disk: Where to look.
        cwd: The working directory, absolute.
        flag: What `--repo-dir` was given; relative to `cwd`.
        environ: An empty variable counts as unset.

    Raises:
        NotARepo: There is none; the message is swamp's.
    """
    for source, given in (("flag", flag), (REPO_DIR, environ.get(REPO_DIR))):
        if given:
            repo_dir = absolute_path(given, base=cwd)
            if not is_repo(disk, repo_dir):
                raise _not_a_repo(disk, repo_dir)
            return RepoLocation(repo_dir, source)
    start = disk.realpath(cwd)
    directory = start
    for _level in range(MAX_LEVELS + 1):
        if is_repo(disk, directory):
            return RepoLocation(directory, "working directory")
        if _kind_of(disk, posixpath.join(directory, ".git")) is not None or directory == "/":
            break
        directory = posixpath.dirname(directory)
    raise _not_a_repo(disk, start)


def is_repo(disk: Disk, directory: str) -> bool:
    """Say whether a directory has a `.swamp.yaml`; a symbolic link to a file counts."""
    path = posixpath.join(directory, CONFIG_NAME)
    kind = _kind_of(disk, path)
    if kind is Kind.LINK:
        kind = _kind_of(disk, disk.realpath(path))
    return kind is Kind.FILE


def _not_a_repo(disk: Disk, directory: str) -> NotARepo:
    if _kind_of(disk, posixpath.join(directory, ".swamp")) is Kind.DIRECTORY:
        return NotARepo(
            f"Not a swamp repository: {directory}. There is a .swamp directory but no {CONFIG_NAME}: "
            "the repository is partially initialized or corrupted.",
            hint=f"restore {CONFIG_NAME} from version control, or: swamp repo init",
            key=directory,
        )
    return NotARepo(
        f"Not a swamp repository: {directory}. To initialize a new repository, run 'swamp repo init', "
        "or specify an existing repository with 'swamp <command> --repo-dir /path/to/repo'.",
        key=directory,
    )


def _kind_of(disk: Disk, path: str) -> Kind | None:
    try:
        return disk.stat(path).kind
    except (FileNotFoundError, NotADirectoryError):
        return None
