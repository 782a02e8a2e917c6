"""What benchmarks print: tables in Markdown, under the date and the machine they were taken on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


class Report:
    """Prints as it is filled, so that a long run shows something."""

    def begin(self) -> None:
        """Say when and where the figures are taken."""
        memory = "unknown"
        if Path("/proc/meminfo").exists():
            memory = f"{int(Path('/proc/meminfo').read_text().split()[1]) // 1_048_576} GiB"
        self.note(
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.system()} {platform.release()}, "
            f"{os.cpu_count()} cores, {memory}, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
        )

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table."""
        print(f"\n## {title}\n", flush=True)
        cells = [[str(cell) for cell in row] for row in [columns, *rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
        for number, row in enumerate(cells):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        print(flush=True)
