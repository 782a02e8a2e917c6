"""Answering the shell: what could stand at the cursor, without loading more than the command that is typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Final

from swampsync.cli.table import COMMANDS
from swampsync.errors import InvalidInput

# Variable in which the script of `swamp completion SHELL` asks -> the program that it completes.
VARIABLES: Final = {"_SWAMP_COMPLETE": "swamp", "_SWAMPSYNC_COMPLETE": "swampsync"}


def find_request(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Find what a shell asks for: the variable and its instruction, such as `complete_bash`."""
    return next(((name, environ[name]) for name in VARIABLES if environ.get(name)), None)


def answer(variable: str, instruction: str, environ: Mapping[str, str]) -> int:
    """Print what could stand at the cursor, in the form that the shell's script expects.

    Typer reads the line from the process's own variables; `environ` only tells which command it is, so that no
    other command's module is imported.
    """
    from typer import main
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    from swampsync.cli.app import split_words
    from swampsync.cli.application import build_application

    completion_init()
    before = _words_before_cursor(environ)
    try:
        words = split_words(before)[0]
    except InvalidInput:  # the value of the last option is being typed
        words = split_words(before[:-1])[0]
    options = _common_options()
    if words in COMMANDS:
        application = build_application({words: COMMANDS[words]}, on_group=options)
    else:
        application = build_application(COMMANDS, load=_name_only, on_group=options)
    return shell_complete(main.get_command(application), {}, VARIABLES[variable], variable, instruction)


def _words_before_cursor(environ: Mapping[str, str]) -> list[str]:
    from typer._click.shell_completion import split_arg_string

    if "COMP_WORDS" in environ:
        position = environ.get("COMP_CWORD", "")
        return split_arg_string(environ["COMP_WORDS"])[1 : int(position) if position.isdigit() else None]
    line = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = split_arg_string(line)[1:]
    return words if line.endswith(" ") else words[:-1]


def _name_only(_target: str) -> Callable[..., None]:
    """Stand in for a command of which only the name is asked."""
    return lambda: None


def _common_options() -> Callable[..., None]:
    """Make what takes the options before and between the words of a command."""
    from swampsync.cli.command import COMMON_PARAMETERS

    def accept(**_values: object) -> None:
        pass

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in COMMON_PARAMETERS.items()
    ]
    accept.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    accept.__annotations__ = {p.name: p.annotation for p in parameters}
    return accept
