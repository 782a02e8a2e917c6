"""What a person or a script sees: stdout is data, stderr is everything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from swampsync.errors import Refused, printable


def format_size(size: int) -> str:
    """Format bytes as swamp's lists do: `123B`, `1.2KB`, `3.4MB`."""
    if size < 1024:
        return f"{size}B"
    amount = float(size)
    for unit in ("KB", "MB", "GB", "TB"):
        amount /= 1024
        if amount < 1024 or unit == "TB":
            break
    return f"{amount:.1f}{unit}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Format a count with its noun: `1 version`, `2 versions`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class Console:
    """The process's standard streams, with the conventions of every command.

    Args:
        is_json: Whether the command's one document goes to stdout as JSON.
        is_quiet: Whether notes are left out.
        has_color: Whether colours may be used on a terminal.
    """

    def __init__(
        self,
        *,
        is_json: bool = False,
        is_quiet: bool = False,
        has_color: bool = True,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.is_json = is_json
        self.is_quiet = is_quiet
        self.has_color = has_color
        self.stdin = stdin or sys.stdin
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr

    def line(self, text: str = "") -> None:
        """Write one line of data to stdout."""
        self.stdout.write(text + "\n")

    def document(self, value: Any) -> None:
        """Write the command's JSON document to stdout, two-space pretty."""
        self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def json_line(self, value: Any) -> None:
        """Write one of many JSON documents to stdout, on one line, at once."""
        self.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        self.stdout.flush()

    def note(self, text: str) -> None:
        """Write one line for the person at the terminal to stderr."""
        if not self.is_quiet:
            self.stderr.write(text + "\n")

    def warn(self, text: str) -> None:
        """Write a warning to stderr, also when quiet."""
        self.stderr.write(f"Warning: {text}\n")

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        whole: Collection[str] = (),
        optional: Collection[str] = (),
    ) -> None:
        """Write a table: drawn on a terminal, two-space separated columns elsewhere.

        Args:
            columns: Their names.
            rows: Their cells.
            whole: Columns that a narrow terminal does not break.
            optional: Columns that a terminal does not show where all their cells are empty.
        """
        shown = [[printable(cell) for cell in row] for row in rows]
        if self.stdout.isatty():
            kept = [i for i, name in enumerate(columns) if name not in optional or any(row[i] for row in shown)]
            self._draw([columns[i] for i in kept], [[row[i] for i in kept] for row in shown], whole)
            return
        widths = [max([len(name), *(len(row[i]) for row in shown)]) for i, name in enumerate(columns)]
        for row in ([name.upper() for name in columns], *shown):
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _draw(self, columns: Sequence[str], rows: list[list[str]], whole: Collection[str]) -> None:
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold" if self.has_color else "")
        for name in columns:
            table.add_column(name.upper(), overflow="fold", no_wrap=name in whole)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        RichConsole(file=self.stdout, no_color=not self.has_color, highlight=False).print(table)

    def confirm(self, question: str, *, is_confirmed: bool) -> bool:
        """Ask before something is destroyed; no lock is held while waiting for the answer.

        Raises:
            Refused: There is no terminal to ask on, and `--yes` was not given.
        """
        if is_confirmed:
            return True
        if self.is_json or not self.stdin.isatty():
            raise Refused(
                "stdin is not a terminal — use --yes (-y) to skip confirmation prompts non-interactively"
                if not self.is_json
                else "with --json nothing is asked: confirm with --yes (-y)",
                hint="repeat the command with --yes, or look first with --dry-run",
            )
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        return self.stdin.readline().strip().lower() in {"y", "yes"}

    @contextmanager
    def progress(self, title: str, *, total: int | None = None) -> Any:
        """Show a bar on stderr while something long runs; nothing where stderr is no terminal.

        Yields:
            A function that takes the count done so far and, where they have become known, the total and the bytes.
        """
        if self.is_quiet or not self.stderr.isatty():
            yield _ignore
            return
        from swampsync.cli.bar import Bar

        with Bar(title, total=total, stream=self.stderr, has_color=self.has_color) as bar:
            yield bar


def _ignore(_done: int, _total: int | None = None, _size: int | None = None) -> None:
    pass
