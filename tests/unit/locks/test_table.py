from __future__ import annotations

import importlib
import inspect

import pytest

from swampsync.cli.table import COMMANDS
from swampsync.locks.table import COMMAND_LOCKS, LockKind, find_lock_kind


@pytest.mark.holds("I8")
@pytest.mark.parametrize(
    "command",
    [
        "data get", "data list", "data query", "data search", "data versions", "datastore status",
        "datastore lock status", "datastore lock release", "datastore log", "datastore verify",
        "namespace list", "namespace describe", "namespace resolve", "datastore namespace list",
        "config list", "repo status", "datastore reindex", "doctor backend", "exec", "--version",
    ],
)  # fmt: skip
def test_reads_take_no_lock(command: str) -> None:
    """Whoever only looks, or breaks a lock, takes none; `waits_for_clone` is the other column."""
    assert find_lock_kind(command) is LockKind.NONE


@pytest.mark.parametrize("command", ["data put", "data import", "data delete", "data rename", "datastore undelete"])
def test_writers_take_their_models_locks(command: str) -> None:
    """Writers of different models do not wait for each other."""
    assert find_lock_kind(command) is LockKind.MODEL


@pytest.mark.parametrize(
    "command",
    [
        "data gc", "data prune", "datastore compact", "datastore vacuum", "exec --lock", "repo upgrade",
        "datastore setup filesystem", "datastore setup s3", "namespace migrate", "datastore namespace migrate",
        "namespace join", "datastore verify --repair",
    ],
)  # fmt: skip
def test_structural_commands_take_the_namespace(command: str) -> None:
    """What moves or removes whole trees has the namespace to itself, and nothing when it only shows its plan."""
    assert find_lock_kind(command) is LockKind.STRUCTURAL
    assert find_lock_kind(command, is_dry_run=True) is LockKind.NONE


def test_every_command_of_the_command_line_is_in_the_table() -> None:
    """A new command cannot be added without saying what it locks."""
    missing = []
    for words in COMMANDS:
        try:
            find_lock_kind(" ".join(words))
        except KeyError:
            missing.append(" ".join(words))
    assert missing == []


def test_every_command_of_the_table_is_on_the_command_line() -> None:
    """The table names no command that does not exist, and no flag that its command does not have."""
    unknown = []
    for command in COMMAND_LOCKS:
        words, _, flag = command.partition("--")
        typed = tuple(words.split())
        if not typed:
            assert command == "--version"
            continue
        if typed not in COMMANDS:
            unknown.append(command)
        elif flag:
            module, _, function = COMMANDS[typed].partition(":")
            answer = getattr(importlib.import_module(f"swampsync.cli.{module}"), function)
            assert flag in inspect.signature(answer).parameters, command
    assert unknown == []


def test_unknown_command_is_an_error() -> None:
    """Nothing is assumed about a command that nobody has thought about."""
    with pytest.raises(KeyError):
        find_lock_kind("data explode")
    assert all(isinstance(kind, LockKind) for kind in COMMAND_LOCKS.values())
