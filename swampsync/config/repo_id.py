"""The repo's identity: made by the first command that writes, never by one that reads."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from swampsync.config.config_file import read_config_file, write_config_file
from swampsync.config.document import ConfigDocument
from swampsync.config.settings import RepoConfig
from swampsync.disk import Disk, WriteMode
from swampsync.errors import Conflict

# Which of two processes that both find no repoId makes it: the one whose file this is.
_CLAIM: Final = ".repo-id"
_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class RepoIdPlan:
    """The repo's id and what would have to be written for it.

    Args:
        repo_id: The id.
        document: `None` if the configuration has it already.
    """

    repo_id: str
    document: ConfigDocument | None


def plan_repo_id(document: ConfigDocument, *, new_id: Callable[[], str]) -> RepoIdPlan:
    """Take the repo's id from its configuration, or plan to write a new one into it."""
    known = document.get(("repoId",))
    if isinstance(known, str) and known:
        return RepoIdPlan(known, None)
    made = new_id()
    return RepoIdPlan(made, document.set(("repoId",), made))


def ensure_repo_id(disk: Disk, config: RepoConfig, *, new_id: Callable[[], str]) -> RepoConfig:
    """Return the configuration with a repo id, writing one if there is none; of many at once all get the same.

    Raises:
        Conflict: The configuration is being changed all the time.
    """
    if config.repo_id is not None:
        return config
    claim = posixpath.join(config.repo_dir, ".swamp", _CLAIM)
    for _try in range(_TRIES):
        document = read_config_file(disk, config.document.path)
        plan = plan_repo_id(document, new_id=lambda: _claim_id(disk, claim, new_id))
        if plan.document is not None:
            # Between the first look and the claim somebody may have written his id and given up his claim.
            document = read_config_file(disk, config.document.path)
            plan = plan_repo_id(document, new_id=partial(str, plan.repo_id))
        try:
            if plan.document is not None:
                write_config_file(disk, plan.document, replaces=document)
        except Conflict:
            continue
        _remove(disk, claim)
        return replace(config, repo_id=plan.repo_id, document=plan.document or document)
    raise Conflict(f"`{config.document.path}` keeps being changed by somebody else", hint="run the same command again")


def _claim_id(disk: Disk, path: str, new_id: Callable[[], str]) -> str:
    made = new_id()
    disk.makedirs(posixpath.dirname(path))
    temporary = f"{path}.{made}"
    with disk.open_write(temporary, WriteMode.TRUNCATE) as file:
        file.write(made.encode())
    try:
        disk.link(temporary, path)
    except FileExistsError:
        try:
            return disk.read_bytes(path).decode()
        except FileNotFoundError:
            return made
    else:
        return made
    finally:
        _remove(disk, temporary)


def _remove(disk: Disk, path: str) -> None:
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return
