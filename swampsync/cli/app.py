"""From words on the command line to one command, its exit status and its errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from swampsync.cli.console import Console
from swampsync.cli.interruption import Interrupted, Interruption
from swampsync.cli.optional_values import fill_in
from swampsync.cli.table import COMMANDS, GROUP_HELP, ORIGINAL_ONLY
from swampsync.errors import InvalidInput, SwampsyncError, SyncIncomplete, printable

PROGRAM: Final = "swamp"
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
EXIT_RETRY: Final = 75
_LEFT: Final = (
    "left before the bucket had answered; a lock that stays there expires by itself: swamp datastore lock status"
)

# Options before the group, by spelling: the name in `Common` and whether a value follows.
_LEADING: Final[dict[str, tuple[str, bool]]] = {
    "-C": ("repo_dir", True),
    "--repo-dir": ("repo_dir", True),
    "-n": ("namespace", True),
    "--namespace": ("namespace", True),
    "--json": ("json", False),
    "-q": ("quiet", False),
    "--quiet": ("quiet", False),
    "-v": ("verbose", False),
    "-vv": ("verbose", False),
    "--verbose": ("verbose", False),
    "--no-color": ("no_color", False),
    # Options of the original that change nothing here.
    "--log": ("", False),
    "--log-level": ("", True),
    "--no-telemetry": ("", False),
    "--show-properties": ("", False),
}


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit status; nothing escapes but what a test wants to see."""
    console = Console(has_color="NO_COLOR" not in environ)
    if "_SWAMP_COMPLETE" in environ or "_SWAMPSYNC_COMPLETE" in environ:
        from swampsync.cli.shell_completion import answer, find_request

        request = find_request(environ)
        if request is not None:
            return answer(*request, environ)
    interruption = Interruption(lambda status: _leave(status, console))
    try:
        interruption.handle()
        return _run(list(arguments), environ, console, interruption)
    except SwampsyncError as error:
        return report_error(error, console)
    except Interrupted as stop:
        return _report_interruption(128 + stop.number, console)
    except KeyboardInterrupt:
        return _report_interruption(EXIT_INTERRUPTED, console)
    except BrokenPipeError:
        # The reader of our output left; that is its right, and nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return report_error(_describe_os_error(error), console)
    finally:
        interruption.end()


def _leave(status: int, console: Console) -> None:
    if console.stderr.isatty():
        console.stderr.write("\n")  # a bar may be standing there
    _report_interruption(status, console, hint=_LEFT)
    console.stderr.flush()
    os._exit(status)


def _report_interruption(status: int, console: Console, *, hint: str = "") -> int:
    if console.is_json:
        document = {"error": "interrupted", "code": "interrupted"} | ({"hint": hint} if hint else {})
        console.stderr.write(json.dumps(document, indent=2) + "\n")
    else:
        console.stderr.write("Interrupted\n" + (f"hint: {hint}\n" if hint else ""))
    return status


def _run(arguments: list[str], environ: Mapping[str, str], console: Console, interruption: Interruption) -> int:
    words, rest, leading = split_words(arguments)
    rest = fill_in(words, rest)
    console.is_json = bool(leading.get("json")) or "--json" in rest
    if words and words not in COMMANDS and words not in GROUP_HELP:
        raise _unknown_command(words, environ)
    if words not in COMMANDS and not rest and console.is_json:
        below = sorted({path[len(words)] for path in COMMANDS if path[: len(words)] == words})
        console.stderr.write(
            json.dumps({"error": "No subcommand specified", "availableCommands": below}, indent=2) + "\n"
        )
        return 1
    import typer

    from swampsync.cli.application import command_of
    from swampsync.cli.command import Cli, Common, merge_common

    cli = Cli(
        common=Common(is_json=console.is_json),
        environ=environ,
        arguments=tuple(arguments),
        console=console,
        on_bucket=interruption.watch,
    )
    merge_common(cli, leading)
    application = command_of(words if words in COMMANDS else None)
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]
    try:
        status = application.main(
            [*words, *(rest or ([] if words in COMMANDS else ["--help"]))],
            prog_name=PROGRAM,
            standalone_mode=False,
            obj=cli,
        )
    except usage_error as error:
        return _report_usage(error, words, console)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except typer.Abort:  # what typer makes of Ctrl-C
        return _report_interruption(EXIT_INTERRUPTED, console)
    return status if isinstance(status, int) else 0


def split_words(arguments: list[str]) -> tuple[tuple[str, ...], list[str], dict[str, Any]]:
    """Split a command line into the command's words, what follows them, and the options in between."""
    words: tuple[str, ...] = ()
    leading: dict[str, Any] = {}
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        name, equals, value = argument.partition("=")
        if argument in _LEADING or (equals and name in _LEADING and _LEADING[name][1]):
            target, takes_value = _LEADING[name if equals else argument]
            if takes_value and not equals:
                position += 1
                if position == len(arguments):
                    raise InvalidInput(f"option `{argument}` needs a value", hint=f"{PROGRAM} --help")
                value = arguments[position]
            if target:
                leading[target] = value if takes_value else (leading.get(target, 0) + len(argument.strip("-vV") or "v"))
                if target == "verbose":
                    leading[target] = int(leading[target]) + (1 if argument == "-vv" else 0)
            position += 1
            continue
        if argument.startswith("-"):
            break
        if words in COMMANDS:
            break
        words = (*words, argument)
        position += 1
        if words not in GROUP_HELP and words not in COMMANDS:
            break
    return words, arguments[position:], leading


def report_error(error: SwampsyncError, console: Console) -> int:
    """Write an error to stderr, as text or as JSON, and return its exit status."""
    if console.is_json:
        document: dict[str, Any] = {"error": error.message, "code": error.code}
        if error.hint:
            document["hint"] = error.hint
        if isinstance(error, SyncIncomplete) and error.failures:
            document["failures"] = [{"path": path, "reason": reason} for path, reason in error.failures]
        console.stderr.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return error.exit_status
    lines = [printable(line) for line in error.message.split("\n")]
    console.stderr.write("Error: " + "\n".join(lines) + "\n")
    if isinstance(error, SyncIncomplete):
        for path, reason in error.failures:
            console.stderr.write(f"  {printable(path)}: {printable(reason)}\n")
    if error.hint:
        console.stderr.write(f"hint: {error.hint}\n")
    return error.exit_status


def _report_usage(error: Any, words: tuple[str, ...], console: Console) -> int:
    message = error.format_message()
    where = " ".join((PROGRAM, *words))
    if console.is_json:
        document = {"error": message, "code": "usage", "hint": f"{where} --help"}
        console.stderr.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return EXIT_USAGE
    if type(error).__name__ == "NoArgsIsHelpError":
        console.stdout.write(message + "\n")
        return 0
    if error.ctx is not None:
        console.stderr.write(error.ctx.get_usage() + "\n")
    console.stderr.write(f"Error: {message}\nhint: {where} --help\n")
    return EXIT_USAGE


def _unknown_command(words: tuple[str, ...], environ: Mapping[str, str]) -> SwampsyncError:
    import difflib

    from swampsync.cli.original import find_original

    typed = " ".join(words)
    siblings = sorted({path[len(words) - 1] for path in COMMANDS if path[: len(words) - 1] == words[:-1]})
    near = difflib.get_close_matches(words[-1], siblings, n=2)
    if not near and (words[0] in ORIGINAL_ONLY or words[:-1]):
        other = find_original(environ)
        if other:
            return InvalidInput(f"`{typed}` is a command of the original swamp", hint=f"{other} {typed}")
    hint = f"did you mean: {PROGRAM} {' '.join((*words[:-1], near[0]))}" if near else f"{PROGRAM} --help"
    return InvalidInput(f"unknown command `{printable(typed)}`", hint=hint)


def _describe_os_error(error: OSError) -> SwampsyncError:
    import errno

    path = error.filename if isinstance(error.filename, str) else None
    where = f": `{path}`" if path else ""
    reason = (error.strerror or type(error).__name__).lower()
    hints = {
        errno.EACCES: "check the owner and mode of the path",
        errno.EPERM: "check the owner and mode of the path",
        errno.EROFS: "the file system is mounted read-only",
        errno.ENOSPC: "free some space and repeat the command; nothing that was acknowledged is lost",
        errno.EDQUOT: "free some space and repeat the command; nothing that was acknowledged is lost",
        errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    }
    failure = SwampsyncError(f"{reason}{where}", hint=hints.get(error.errno or 0), key=path)
    failure.code = "io_error"  # type: ignore[misc]
    return failure
