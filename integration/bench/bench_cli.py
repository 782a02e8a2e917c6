"""What a whole command costs, as a multiple of `python -c pass` in the same run; and an import against `cp -r`.

python integration/bench/bench_cli.py [--versions 100000] [--files 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from integration.bench.bench_catalog import make_tree

SWAMP = str(Path(sys.executable).with_name("swamp"))
REPEATS = 9


def time_once(command: list[str], directory: Path) -> float:
    """Run a command and return its wall time in seconds."""
    begin = time.perf_counter()
    # An installed program has its compiled modules; some environments forbid an editable one to write them.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL, env=environ)
    return time.perf_counter() - begin


def time_commands(commands: dict[str, list[str]], directory: Path) -> dict[str, float]:
    """Time commands in turn, so that they share the machine's moods; medians in milliseconds."""
    for command in commands.values():
        time_once(command, directory)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(REPEATS):
        for name, command in commands.items():
            times[name].append(time_once(command, directory))
    return {name: statistics.median(values) * 1e3 for name, values in times.items()}


def measure_commands(versions: int, root: Path) -> dict[str, float]:
    """Time commands over a catalog of `versions` versions; ratios to an empty Python."""
    repo = root / "repo"
    repo.mkdir()
    subprocess.run([SWAMP, "repo", "init"], cwd=repo, check=True, stdout=subprocess.DEVNULL)
    make_tree(repo / ".swamp" / "data", versions)
    # Directories that changed within the last two seconds are looked at again; what is measured is the usual case.
    time.sleep(2.5)
    for model in range(max(1, versions // 1_000)):
        path = repo / "models" / "command" / "shell" / f"m-{model}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        identifier = f"{model:08x}-0000-4000-8000-000000000000"
        path.write_text(f"type: command/shell\nid: {identifier}\nname: m-{model}\nversion: 1\ntags: {{}}\n")
    subprocess.run([SWAMP, "data", "list"], cwd=repo, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([SWAMP, "data", "list"], cwd=repo, check=True, stdout=subprocess.DEVNULL)
    times = time_commands(
        {
            "python -c pass": [sys.executable, "-c", "pass"],
            "swamp --version": [SWAMP, "--version"],
            "swamp data get": [SWAMP, "data", "get", "m-0", "result-0001", "--no-content"],
            "swamp data list MODEL": [SWAMP, "data", "list", "m-0", "--json"],
            "swamp data list": [SWAMP, "data", "list", "--json"],
            "swamp data query": [
                SWAMP, "data", "query", 'modelName == "m-0" && tags.env == "prod"', "--select", "name", "--json",
                "--cached",
            ],
        },
        repo,
    )  # fmt: skip
    floor = times["python -c pass"]
    return {name: round(value / floor, 2) for name, value in times.items()} | {"floor_ms": round(floor, 1)}


def measure_import(files: int, root: Path) -> dict[str, float]:
    """Import many small files, durable when the command returns, against `cp -r` and `sync` of the same."""
    source = root / "source"
    source.mkdir()
    for number in range(files):
        (source / f"file-{number:05}.json").write_bytes(os.urandom(512).hex().encode())
    os.sync()
    copies, imports = [], []
    for turn in range(3):
        copy = root / f"copy-{turn}"
        begin = time.perf_counter()
        subprocess.run(["cp", "-r", str(source), str(copy)], check=True)
        os.sync()
        copies.append(time.perf_counter() - begin)
        repo = root / f"import-{turn}"
        repo.mkdir()
        subprocess.run([SWAMP, "repo", "init"], cwd=repo, check=True, stdout=subprocess.DEVNULL)
        os.sync()
        imports.append(time_once([SWAMP, "data", "import", str(source), "--model", "m"], repo))
        shutil.rmtree(copy)
        shutil.rmtree(repo)
        os.sync()
    return {
        "cp_and_sync_seconds": round(statistics.median(copies), 2),
        "import_seconds": round(statistics.median(imports), 2),
        "ratio": round(statistics.median(imports) / statistics.median(copies), 2),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-cli-") as directory:
        figures = {
            "commands": measure_commands(options.versions, Path(directory)),
            "import": measure_import(options.files, Path(directory)),
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
