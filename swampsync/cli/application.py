"""The tree of commands as typer knows it, with the commands that are selected."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import typer

from swampsync.cli.table import COMMANDS, GROUP_HELP


@cache
def command_of(words: tuple[str, ...] | None) -> Any:
    """Build what parses one command, or all of them for their help; once, where a process runs many."""
    return typer.main.get_command(build_application(COMMANDS if words is None else {words: COMMANDS[words]}))


def build_application(
    selected: Mapping[tuple[str, ...], str],
    *,
    load: Callable[[str], Callable[..., Any]] | None = None,
    on_group: Callable[..., None] | None = None,
) -> typer.Typer:
    """Build the command tree for the selected commands only.

    Args:
        selected: Which commands, as in the table.
        load: Makes the function of a command from its target; by default it is imported.
        on_group: Takes the options that groups have, where they are not taken off the line before.
    """
    load = load or load_command

    settings: dict[str, Any] = {
        "rich_markup_mode": None,
        "pretty_exceptions_enable": False,
        "add_completion": False,
        "no_args_is_help": True,
    }
    root = typer.Typer(name="swamp", help="Many git repos, one team datastore.", **settings)
    root.callback()(on_group or _root)
    groups: dict[tuple[str, ...], typer.Typer] = {(): root}
    for words, target in selected.items():
        for depth in range(1, len(words)):
            path = words[:depth]
            if path not in groups:
                groups[path] = typer.Typer(help=GROUP_HELP[path], **settings)
                groups[path].callback()(on_group or _group)
                groups[path[:-1]].add_typer(groups[path], name=path[-1])
        groups[words[:-1]].command(words[-1], context_settings=_context_settings(words))(load(target))
    return root


def _root() -> None:
    """Many git repos, one team datastore."""


def _group() -> None:
    pass


_group.__doc__ = None


def _context_settings(words: tuple[str, ...]) -> dict[str, Any]:
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    if words == ("exec",):
        # What follows belongs to the program that is run.
        settings |= {"ignore_unknown_options": True, "allow_interspersed_args": False}
    return settings


def load_command(target: str) -> Callable[..., Any]:
    """Import the function that answers a command."""
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(f"swampsync.cli.{module}"), name)
    return function
