"""A progress bar on a terminal: count, bytes and rate; it appears when there is something to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TextIO

from swampsync.cli.console import format_size

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """One bar. Nothing is loaded or drawn before it is called: most commands are over by then.

    Args:
        title: What is going on.
        total: How many there are, if that is known.
        stream: The terminal.
        has_color: Whether colours may be used.
    """

    def __init__(self, title: str, *, total: int | None, stream: TextIO, has_color: bool) -> None:
        self._title = title
        self._total = total
        self._stream = stream
        self._has_color = has_color
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int | None = None, size: int | None = None) -> None:
        """Show how many are done, of how many, and their bytes."""
        if self._progress is None:
            self._progress = self._open()
            self._progress.add_task(self._title, total=self._total, size=None)
            self._progress.start()
        (task,) = self._progress.task_ids
        self._progress.update(task, completed=done, total=self._total if total is None else total, size=size)

    def __exit__(self, *exc: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _open(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
        from rich.text import Text

        class Count(ProgressColumn):
            def render(self, task: Task) -> Text:
                done = f"{int(task.completed):,}"
                return Text(done if task.total is None else f"{done}/{int(task.total):,}")

        class Volume(ProgressColumn):
            def render(self, task: Task) -> Text:
                size = task.fields["size"]
                return Text("" if size is None else format_size(size))

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                size = task.fields["size"]
                if size is not None and task.elapsed:
                    return Text(f"{format_size(int(size / task.elapsed))}/s")
                return Text(f"{task.speed:,.0f}/s" if task.speed else "")

        columns = (TextColumn("{task.description}"), BarColumn(), Count(), Volume(), Rate(), TimeElapsedColumn())
        return Progress(*columns, console=Console(file=self._stream, no_color=not self._has_color), transient=True)
