"""What `repo init`, `repo upgrade` and `repo deinit` write: plans as data, and how they are carried out."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from swampsync.clock import Clock, format_timestamp
from swampsync.config.config_file import read_config_file, replace_file
from swampsync.config.discovery import is_repo
from swampsync.config.document import ConfigDocument
from swampsync.config.gitignore import GitignoreAction, remove_block, update_block
from swampsync.disk import Disk, exists
from swampsync.errors import Conflict, DataError, NotFound
from swampsync.layout import CONFIG_NAME

# The version of swamp whose formats we write; what swamp reads in a repo that we made.
COMPATIBLE_SWAMP_VERSION: Final = "20260206.200442.0"

DIRECTORIES: Final = (
    "models",
    "workflows",
    "vaults",
    "grants",
    ".swamp/data",
    ".swamp/outputs",
    ".swamp/workflow-runs",
    ".swamp/workflows-evaluated",
    ".swamp/definitions-evaluated",
    ".swamp/secrets",
    ".swamp/audit",
    ".swamp/vault-bundles",
)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to be written, or removed.

    Args:
        path: Absolute.
        content: `None` to remove the file.
        replaces: What the plan was made from; `None` if there was no file.
    """

    path: str
    content: bytes | None
    replaces: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoPlan:
    """What will be written; empty `files` and `directories` mean that nothing is left to do.

    Args:
        repo_dir: Absolute.
        files: In the order of writing.
        directories: Absolute paths, to be created where they are missing.
        version: `swampVersion` afterwards.
        initialized_at: As written in the configuration.
        repo_id: Afterwards; empty if there is none.
        tools: The AI tools enrolled in swamp; we enrol none and keep what is there.
        gitignore_action: What happens to `.gitignore`.
    """

    repo_dir: str
    files: tuple[PlannedFile, ...]
    directories: tuple[str, ...] = ()
    version: str
    initialized_at: str
    repo_id: str
    tools: tuple[str, ...]
    gitignore_action: GitignoreAction

    def to_json(self) -> dict[str, object]:
        """Make the document that swamp prints."""
        return {
            "path": self.repo_dir,
            "version": self.version,
            "initializedAt": self.initialized_at,
            "skillsCopied": [],
            "instructionsFileCreated": False,
            "settingsCreated": False,
            "gitignoreAction": self.gitignore_action.value,
            "tools": list(self.tools),
            "removedTools": [],
            "tool": self.tools[0] if self.tools else "none",
            "nextSteps": [],
        }


def plan_init(disk: Disk, repo_dir: str, *, clock: Clock, new_id: Callable[[], str], force: bool = False) -> RepoPlan:
    """Plan what makes a directory a repo; with `force` also on an existing one, of which nothing is lost.

    Args:
        disk: Read from.
        repo_dir: Absolute; need not exist.
        clock: For `initializedAt`.
        new_id: Makes a random UUID as text.
        force: Complete an existing repo: missing keys, directories and the `.gitignore` block are added.

    Raises:
        Conflict: There is a repo, and `force` is off.
        InvalidInput: The existing `.swamp.yaml` cannot be parsed.
        Refused: The existing `.gitignore` has a managed section without an end.
    """
    path = posixpath.join(repo_dir, CONFIG_NAME)
    if not is_repo(disk, repo_dir):
        text = (
            f"swampVersion: {COMPATIBLE_SWAMP_VERSION}\n"
            f'initializedAt: "{format_timestamp(clock.now())}"\n'
            f"repoId: {new_id()}\n"
            "tools: []\n"
            "gitignoreManaged: true\n"
        )
        return _make_plan(disk, repo_dir, ConfigDocument.parse(text.encode(), path=path), replaces=None)
    if not force:
        raise Conflict(
            f"`{repo_dir}` is already a swamp repository",
            hint="to complete what is missing: swamp repo init --force",
            key=repo_dir,
        )
    old = read_config_file(disk, path)
    new = _promote_tool(old)
    makers: tuple[tuple[str, Callable[[], str]], ...] = (
        ("swampVersion", lambda: COMPATIBLE_SWAMP_VERSION),
        ("initializedAt", lambda: format_timestamp(clock.now())),
        ("repoId", new_id),
    )
    for key, make in makers:
        if new.get((key,)) in (None, ""):
            new = new.set((key,), make())
    if not new.has(("gitignoreManaged",)):
        new = new.set(("gitignoreManaged",), True)
    return _make_plan(disk, repo_dir, new, replaces=old)


def plan_upgrade(disk: Disk, repo_dir: str, *, clock: Clock) -> RepoPlan:
    """Plan what brings an old configuration up to date: the single `tool` becomes `tools`.

    `swampVersion` stays: what swamp itself has to convert, swamp converts.

    Raises:
        NotFound: There is no `.swamp.yaml`.
        InvalidInput: It cannot be parsed.
    """
    old = read_config_file(disk, posixpath.join(repo_dir, CONFIG_NAME))
    new = _promote_tool(old)
    if new is not old:
        new = new.set(("upgradedAt",), format_timestamp(clock.now()))
    return _make_plan(disk, repo_dir, new, replaces=old, directories=())


def plan_deinit(disk: Disk, repo_dir: str) -> RepoPlan:
    """Plan what makes a repo an ordinary directory again; data stays where it is, always.

    Raises:
        NotFound: There is no `.swamp.yaml`.
        Refused: `.gitignore` has a managed section without an end.
    """
    path = posixpath.join(repo_dir, CONFIG_NAME)
    try:
        marker = disk.read_bytes(path)
    except FileNotFoundError as error:
        raise NotFound(f"there is no `{path}`", key=path) from error
    files = []
    ignore_path = posixpath.join(repo_dir, ".gitignore")
    ignore = _read_or_none(disk, ignore_path)
    action = GitignoreAction.UNCHANGED
    if ignore is not None:
        rest = remove_block(_decode(ignore, ignore_path)).encode()
        if rest != ignore:
            action = GitignoreAction.UPDATED
            files.append(PlannedFile(ignore_path, rest if rest.strip() else None, ignore))
    files.append(PlannedFile(path, None, marker))
    return RepoPlan(
        repo_dir=repo_dir,
        files=tuple(files),
        version="",
        initialized_at="",
        repo_id="",
        tools=(),
        gitignore_action=action,
    )


def apply_plan(disk: Disk, plan: RepoPlan) -> None:
    """Carry a plan out; `.swamp.yaml` comes last, so that an interrupted one can be run again.

    Raises:
        Conflict: A file was changed since the plan was made; that one and later ones are left alone.
    """
    for directory in plan.directories:
        disk.makedirs(directory)
    for file in plan.files:
        target = disk.realpath(file.path)
        if _read_or_none(disk, target) != file.replaces:
            raise Conflict(
                f"`{file.path}` was changed by somebody else just now", hint="run the same command again", key=file.path
            )
        if file.content is None:
            disk.unlink(file.path)
            disk.sync_directory(posixpath.dirname(file.path))
        else:
            replace_file(disk, target, file.content)


def _make_plan(
    disk: Disk,
    repo_dir: str,
    document: ConfigDocument,
    *,
    replaces: ConfigDocument | None,
    directories: Sequence[str] = DIRECTORIES,
) -> RepoPlan:
    files, action = _plan_gitignore(disk, repo_dir, document)
    old = replaces.to_bytes() if replaces is not None else None
    if document.to_bytes() != old:
        files.append(PlannedFile(document.path, document.to_bytes(), old))
    missing = [posixpath.join(repo_dir, name) for name in directories]
    return RepoPlan(
        repo_dir=repo_dir,
        files=tuple(files),
        directories=tuple(path for path in missing if not exists(disk, path)),
        version=_text(document, "swampVersion"),
        initialized_at=_text(document, "initializedAt"),
        repo_id=_text(document, "repoId"),
        tools=_tools(document),
        gitignore_action=action,
    )


def _plan_gitignore(disk: Disk, repo_dir: str, document: ConfigDocument) -> tuple[list[PlannedFile], GitignoreAction]:
    if document.get(("gitignoreManaged",)) == "false":
        return [], GitignoreAction.SKIPPED
    path = posixpath.join(repo_dir, ".gitignore")
    old = _read_or_none(disk, path)
    text, action = update_block(None if old is None else _decode(old, path))
    new = text.encode()
    return ([PlannedFile(path, new, old)] if new != old else []), action


def _promote_tool(document: ConfigDocument) -> ConfigDocument:
    if not document.has(("tool",)):
        return document
    tool = document.get(("tool",))
    if not document.has(("tools",)):
        document = document.set(("tools",), [tool] if isinstance(tool, str) and tool not in {"", "none"} else [])
    return document.unset(("tool",))


def _tools(document: ConfigDocument) -> tuple[str, ...]:
    tools = document.get(("tools",))
    return tuple(tool for tool in tools if isinstance(tool, str)) if isinstance(tools, list) else ()


def _text(document: ConfigDocument, key: str) -> str:
    value = document.get((key,))
    return value if isinstance(value, str) else ""


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"`{path}` is not UTF-8", key=path) from error


def _read_or_none(disk: Disk, path: str) -> bytes | None:
    try:
        return disk.read_bytes(path)
    except FileNotFoundError:
        return None
