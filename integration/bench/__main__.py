"""Run all benchmarks, or the named ones: `python -m integration.bench [s3 catalog …]`.

A benchmark is a module `bench_NAME.py` in this directory. If it has `run(report)`, that is called; else it is run as a
script of its own, with what it prints passed on.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from integration.bench.report import Report


def main(arguments: list[str]) -> int:
    """Run benchmarks; return how many failed."""
    found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    unknown = sorted(set(arguments) - set(found))
    if unknown:
        print(f"no benchmark `{unknown[0]}`; there are: {', '.join(found)}", file=sys.stderr)
        return 2
    report = Report()
    report.begin()
    failed = 0
    for name in arguments or found:
        report.note(f"\n# {name}\n")
        module = f"integration.bench.bench_{name}"
        run = getattr(importlib.import_module(module), "run", None)
        if run is not None:
            run(report)
        elif subprocess.run([sys.executable, "-m", module], check=False).returncode != 0:
            report.note(f"{name} failed")
            failed += 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
