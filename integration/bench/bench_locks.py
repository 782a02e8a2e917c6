"""What locks cost, and how long a crowd waits for one: figures for the README.

    python integration/bench/bench_locks.py [--contenders 16] [--rounds 10] [--section-ms 5]

Uncontended: CPU time of taking and giving back a model's lock, with both looks at the structural lock, the heartbeat's
thread and two files. Crowd: processes that take one lock in turn for a short critical section, against what swamp's
retries would allow. Its arithmetic: whoever finds the lock held sleeps 1 s, then 2, 4, 8, 8 … (each +-25 %), whoever
finds it free has it; the program plays that out for the same number of contenders, rounds and length of section, many
times over, and takes the median. Sections in it are as long as ours really were in the same run, so that a busy
machine slows both down; beyond that it favours swamp: there, taking and giving back cost nothing.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from swampsync.clock import SystemClock, spawn_daemon
from swampsync.disk import LocalDisk
from swampsync.layout import Layout
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.identity import make_holder
from swampsync.locks.keeper import KeeperParts
from swampsync.locks.process_table import make_process_table
from swampsync.namespace import Namespace

MODEL = ("command/shell", "683cc951-709e-43d0-afee-c4859dba39a6")
UNCONTENDED_ROUNDS = 500
SIMULATIONS = 300


def make_guard(base: str) -> DirectoryGuard:
    """Make the locks of one process, as every command does."""
    disk = LocalDisk()
    processes = make_process_table(disk)
    parts = KeeperParts(
        clock=SystemClock(),
        spawn=spawn_daemon,
        processes=processes,
        holder=make_holder("bench", pid=os.getpid(), processes=processes),
        new_id=lambda: str(uuid.uuid4()),
        rng=random.Random(),
    )
    return DirectoryGuard(Layout(base, base, Namespace.parse("bench")), disk, parts)


def measure_uncontended(base: str) -> dict[str, float]:
    """Take and give back a free lock many times; milliseconds each."""
    guard = make_guard(base)
    results = {}
    for kind in ("model", "structural"):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(UNCONTENDED_ROUNDS):
            with guard.model_lock([MODEL], command="b") if kind == "model" else guard.structural_lock(command="b"):
                pass
        results[f"{kind}_cpu_ms"] = (time.process_time() - cpu) / UNCONTENDED_ROUNDS * 1000
        results[f"{kind}_wall_ms"] = (time.perf_counter() - wall) / UNCONTENDED_ROUNDS * 1000
    return results


def contend(base: str, rounds: int, section_seconds: float) -> None:
    """Be one of the crowd: start with the others, and print how long each round had to wait."""
    guard = make_guard(base)
    print("ready", flush=True)
    start_at = float(sys.stdin.readline())
    time.sleep(max(0.0, start_at - time.time()))
    waits, holds = [], []
    cpu = time.process_time()
    for _ in range(rounds):
        began = time.perf_counter()
        with guard.model_lock([MODEL], command="bench") as held:
            waits.append(time.perf_counter() - began)
            began = time.perf_counter()
            held.check()
            time.sleep(section_seconds)
            holds.append(time.perf_counter() - began)
    cpu = time.process_time() - cpu
    print(json.dumps({"ended": time.time(), "waits": waits, "holds": holds, "cpu": cpu}))


def measure_crowd(base: str, contenders: int, rounds: int, section_seconds: float) -> dict[str, float]:
    """Let processes take one lock in turn; seconds from the common start to the last one's end."""
    command = [sys.executable, __file__, "--contend", base, str(rounds), str(section_seconds)]
    pipe = subprocess.PIPE
    crowd = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(contenders)]
    for process in crowd:
        assert process.stdout is not None
        process.stdout.readline()
    start_at = time.time() + 0.5
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write(f"{start_at}\n")
        process.stdin.flush()
    reports = [json.loads(process.communicate()[0]) for process in crowd]
    waits = [wait for report in reports for wait in report["waits"]]
    return {
        "seconds": max(report["ended"] for report in reports) - start_at,
        "longest_wait_seconds": max(waits),
        "median_wait_seconds": statistics.median(waits),
        "cpu_seconds": sum(report["cpu"] for report in reports),
        "section_seconds": statistics.mean(hold for report in reports for hold in report["holds"]),
    }


def play_swamp(contenders: int, rounds: int, section_seconds: float, rng: random.Random) -> float:
    """Play swamp's retries out; seconds until the last section's end."""
    queue = [(rng.random() / 1000, number, 1.0) for number in range(contenders)]
    heapq.heapify(queue)
    left = [rounds] * contenders
    free_at = 0.0
    while queue:
        now, number, pause = heapq.heappop(queue)
        if now < free_at:
            heapq.heappush(queue, (now + min(pause * rng.uniform(0.75, 1.25), 8.0), number, min(pause * 2, 8.0)))
            continue
        free_at = now + section_seconds
        left[number] -= 1
        if left[number]:
            heapq.heappush(queue, (free_at, number, 1.0))
    return free_at


def main() -> None:
    """Measure everything and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contenders", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--section-ms", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        uncontended = measure_uncontended(str(Path(directory) / "one"))
        runs = [
            measure_crowd(
                str(Path(directory) / f"crowd-{n}"), options.contenders, options.rounds, options.section_ms / 1000
            )
            for n in range(3)
        ]
    sections = options.contenders * options.rounds
    for run in runs:
        played = (
            play_swamp(options.contenders, options.rounds, run["section_seconds"], random.Random(seed))
            for seed in range(SIMULATIONS)
        )
        run["least_possible_seconds"] = sections * run["section_seconds"]
        run["swamps_back_off_seconds"] = statistics.median(played)
        run["times_faster"] = run["swamps_back_off_seconds"] / run["seconds"]
    document = {
        "uncontended": uncontended,
        "crowd": {
            "contenders": options.contenders,
            "sections": sections,
            "section_ms": options.section_ms,
            "runs": runs,
            "times_faster": statistics.median(run["times_faster"] for run in runs),
        },
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contend"]:
        contend(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        main()
