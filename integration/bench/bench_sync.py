"""Sync against a bucket, beside other programs on the same server: `python -m integration.bench sync`.

    python -m integration.bench.bench_sync [--sizes 1000,2000,10000] [--rounds 3] [--parts cold,large,commands]

Every figure is that of whole processes (`swamp datastore sync`), their start included, with the limit that it is held
to. Contenders move exactly the objects that our push makes (`raw` and `metadata.yaml` of every artifact), with as many
connections; rounds alternate, so that whatever else the machine does hits all alike. Requests are those that the
command reports; bytes on the wire are counted by a proxy, heads and signatures included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from integration.bench.bench_s3 import Place, command, running_server
from integration.bench.counting_wire import CountingWire
from integration.bench.report import Report
from integration.bench.sync_repos import MODEL, NAMESPACE, BenchRepo, fill_namespace, make_repo
from integration.peak_memory import CommandCost, measure_command
from swampsync.testing.s3_side_channel import S3Server

SIZES = (1_000, 2_000, 10_000)
LARGE = 100_000
OURS = "swamp datastore sync"
OTHERS = ("s5cmd", "bare obstore")
# At most so many times s5cmd's wall time, by how many artifacts there are.
PUSH_LIMITS = {1_000: 1.1, 2_000: 1.0, 10_000: 1.0}
PULL_LIMIT = 0.7
BARE_LIMIT = 1.25
PEAK_LIMIT_MIB = 200.0
HERE = Path(__file__).parents[2]


@dataclass
class Bench:
    """One run: a server, a bucket, a directory, and what was found."""

    report: Report
    server: S3Server
    bucket: str
    work: Path
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    peak: tuple[float, str] = (0.0, "")

    def hold(self, what: str, figure: float, limit: float, form: str = "{:.2f}", *, at_least: bool = False) -> None:
        """Note one line: a figure, its limit, and whether it is met."""
        is_met = figure >= limit if at_least else figure <= limit
        bound = ("at least " if at_least else "at most ") + form.format(limit)
        self.lines.append((what, form.format(figure), bound, "met" if is_met else "MISSED"))
        self.report.note(" | ".join(self.lines[-1]))

    def note_peak(self, what: str, cost: CommandCost) -> None:
        self.peak = max(self.peak, (cost.peak_mib, what))

    def place(self) -> tuple[Path, str]:
        """Make a directory and a prefix that nobody used."""
        name = uuid.uuid4().hex[:8]
        directory = self.work / name
        directory.mkdir()
        return directory, name


# --- many artifacts, cold ----------------------------------------------------------------------------------


def make_content(directory: Path, count: int) -> None:
    directory.mkdir()
    for number in range(count):
        (directory / f"{number:06d}.bin").write_bytes(os.urandom(1_024))


def run_round(bench: Bench, source: Path, costs: dict[tuple[str, str], list[CommandCost]], count: int) -> None:
    """Let everybody push and pull once."""
    directory, prefix = bench.place()
    writer = make_repo(directory / "writer", bench.server, bench.bucket, prefix, joins=False, hydration="full")
    imported = writer.run("data", "import", str(source), "--model", MODEL, "--no-sync")
    bench.note_peak(f"data import of {count}", imported)
    objects = directory / "objects"
    # Two an artifact, and the model's definition.
    if writer.objects(objects) != 2 * count + 1:
        raise RuntimeError("the import did not make the objects that it should")

    def ours(action: str) -> CommandCost:
        repo = writer
        if action == "pull":
            path = directory / f"reader-{uuid.uuid4().hex[:4]}"
            repo = make_repo(path, bench.server, bench.bucket, prefix, joins=True, hydration="full")
        document, cost = repo.json("datastore", "sync")
        moved = document["filesPushed" if action == "push" else "filesFetched"]
        if moved != count + 1:
            raise RuntimeError(f"{moved} of {count} artifacts went by {action}: {document}")
        if action == "pull":
            pulled = directory / "pulled"
            repo.objects(pulled)
            check_same(objects, pulled)
        bench.note_peak(f"{action} of {count}", cost)
        return cost

    def theirs(client: str) -> Callable[[str], CommandCost]:
        place = Place(bench.server, bench.bucket, f"{prefix}-{uuid.uuid4().hex[:4]}")

        def act(action: str) -> CommandCost:
            target = objects
            if action == "pull":
                target = directory / f"got-{uuid.uuid4().hex[:4]}"
                target.mkdir()
            arguments = command(client, "put" if action == "push" else "get", place, target)
            if arguments is None:
                raise RuntimeError(f"{client} is not installed")
            cost = measure_command(arguments, cwd=HERE, env=place.environment)
            if action == "pull":
                check_same(objects, target)
            return cost

        return act

    contenders = {OURS: ours} | {client: theirs(client) for client in OTHERS}
    for action in ("push", "pull"):
        for name, act in contenders.items():
            costs.setdefault((action, name), []).append(act(action))
    shutil.rmtree(directory)


def check_same(one: Path, other: Path) -> None:
    """Compare two trees by names, sizes and every hundredth file's bytes."""
    trees = []
    for root in (one, other):
        found = sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file())
        trees.append([(p, (root / p).stat().st_size) for p in found])
    if trees[0] != trees[1]:
        raise RuntimeError(f"{len(trees[1])} files came back, not the {len(trees[0])} that were sent")
    for path, _ in trees[0][::100]:
        if (one / path).read_bytes() != (other / path).read_bytes():
            raise RuntimeError(f"{path} came back with other bytes")


def median(costs: list[CommandCost]) -> float:
    return statistics.median(cost.wall_seconds for cost in costs)


def show_cold(bench: Bench, costs: dict[tuple[str, str], list[CommandCost]], count: int, rounds: int) -> None:
    rows = []
    for (action, name), runs in costs.items():
        walls = sorted(cost.wall_seconds for cost in runs)
        cpu = statistics.median(cost.cpu_seconds for cost in runs)
        base, bare = median(costs[action, "s5cmd"]), median(costs[action, "bare obstore"])
        rows.append(
            [
                action,
                name,
                f"{median(runs):.2f} s",
                f"{walls[0]:.2f} to {walls[-1]:.2f}",
                f"{cpu:.2f} s",
                f"{median(runs) / base:.2f}",
                f"{median(runs) / bare:.2f}",
                f"{max(cost.peak_mib for cost in runs):.0f} MiB",
            ]
        )
    columns = ["", "client", "wall", "range", "client CPU", "wall/s5cmd", "wall/obstore", "peak memory"]
    bench.report.table(f"{count} artifacts of 1 KiB, {rounds} rounds", columns, rows)
    for action, limit in (("push", PUSH_LIMITS.get(count, 1.0)), ("pull", PULL_LIMIT)):
        mine = median(costs[action, OURS])
        bench.hold(f"{action} {count} artifacts cold, wall/s5cmd", mine / median(costs[action, "s5cmd"]), limit)
        bare = median(costs[action, "bare obstore"])
        bench.hold(f"{action} {count} artifacts cold, wall/bare obstore", mine / bare, BARE_LIMIT)


def measure_cold(bench: Bench, sizes: tuple[int, ...], rounds: int) -> None:
    """Push and pull many small artifacts."""
    for count in sizes:
        source = bench.work / f"source-{count}"
        make_content(source, count)
        costs: dict[tuple[str, str], list[CommandCost]] = {}
        for _ in range(rounds):
            run_round(bench, source, costs, count)
        show_cold(bench, costs, count, rounds)


# --- a large namespace -------------------------------------------------------------------------------------


def files_of(repo: BenchRepo) -> set[str]:
    return {str(p.relative_to(repo.path)) for p in repo.path.rglob("*") if p.is_file()}


def measure_large(bench: Bench, counts: tuple[int, ...]) -> None:
    """Clone, find nothing to do, and change one artifact, in namespaces of several sizes."""
    for count in counts:
        directory, prefix = bench.place()
        make_repo(directory / "owner", bench.server, bench.bucket, prefix, joins=False, hydration="lazy")
        fill_namespace(bench.server, bench.bucket, prefix, count)
        repo = make_repo(directory / "clone", bench.server, bench.bucket, prefix, joins=True, hydration="lazy")
        before = files_of(repo)
        document, cost = repo.json("datastore", "sync")
        bench.note_peak(f"clone of {count}", cost)
        new = {name for name in files_of(repo) - before if not name.endswith(("-wal", "-shm", ".lock"))}
        models, _ = repo.json("data", "list")
        known = sum(model["versions"] for model in models["models"])
        bench.hold(f"lazy clone of {count} versions, requests", document["requests"], 12, "{:.0f}")
        bench.hold(f"lazy clone of {count}, versions in the catalog", known, count, "{:.0f}", at_least=True)
        others = new - {".swamp/data/_catalog.db", ".swamp/data/_sync.db"}
        bench.hold(f"lazy clone of {count}, files besides the databases", len(others), 0, "{:.0f}")
        if count >= LARGE:
            speed = count / cost.wall_seconds
            bench.hold(f"lazy clone of {count}, versions a second", speed, 10_000, "{:.0f}", at_least=True)
        measure_nothing(bench, repo, count)
        measure_one_change(bench, repo, count)
        shutil.rmtree(directory)


def round_trip(bench: Bench, prefix: str) -> float:
    """Time one listing on a connection that is open already: the least that a look at the log can take."""
    store = bench.server.store(bench.bucket, prefix)
    times = []
    for _ in range(21):
        begun = time.perf_counter()
        list(store.list(f"{NAMESPACE}/_log/"))
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def measure_nothing(bench: Bench, repo: BenchRepo, count: int) -> None:
    """Compare a sync of nothing with a listing; both as they start from a shell."""
    syncs, lists, requests = [], [], []
    for _ in range(9):
        document, cost = repo.json("datastore", "sync")
        requests.append(document["requests"])
        syncs.append(cost)
        lists.append(repo.run("data", "list", "--json"))
    bench.note_peak(f"nothing to do among {count}", max(syncs, key=lambda cost: cost.peak_mib))
    trip = round_trip(bench, repo.prefix)
    bench.report.note(
        f"nothing to do among {count}: sync {median(syncs) * 1e3:.0f} ms, data list {median(lists) * 1e3:.0f} ms,"
        f" one listing {trip * 1e3:.1f} ms"
    )
    bench.hold(f"nothing to do among {count}, requests (most of 9)", max(requests), 1, "{:.0f}")
    ratio = (median(syncs) - trip) / median(lists)
    bench.hold(f"nothing to do among {count}, (wall - round trip) / `data list`", ratio, 1.3)


PUTS = """
import io, os, sys
from swampsync import Repo
with Repo.open(".", environ=os.environ) as repo:
    for number in range(int(sys.argv[1])):
        repo.data.put("m", f"one-{number}", io.BytesIO(b"x" * 1024))
"""
PUTS_FOR_TWO_CHECKPOINTS = 140


def measure_one_change(bench: Bench, repo: BenchRepo, count: int) -> None:
    """Change one artifact; through a proxy that counts every byte."""
    content = repo.path / "content"
    with CountingWire(bench.server.endpoint) as wire:
        far = repo.through(wire.endpoint)
        content.write_bytes(os.urandom(1_024))
        far.run("data", "put", MODEL, "changed", "content")
        content.write_bytes(os.urandom(1_024))
        far.run("data", "put", MODEL, "changed", "content", "--no-sync")
        wire.take()
        document, cost = far.json("datastore", "sync")
        requests, size = wire.take()
        if document["filesPushed"] != 1:
            raise RuntimeError(f"not one artifact was pushed: {document}")
        bench.note_peak(f"one change among {count}", cost)
        bench.hold(f"one artifact changed among {count}, requests", requests, 6, "{:.0f}")
        bench.hold(f"one artifact changed among {count}, KiB on the wire", size / 1024, 64, "{:.1f}")
        content.write_bytes(os.urandom(1_024))
        cost = far.run("data", "put", MODEL, "changed", "content")
        requests, size = wire.take()
        bench.hold(f"`data put` of one artifact among {count}, requests", requests, 6, "{:.0f}")
        bench.hold(f"`data put` of one artifact among {count}, KiB on the wire", size / 1024, 64, "{:.1f}")
        number = PUTS_FOR_TWO_CHECKPOINTS
        arguments = [sys.executable, "-c", PUTS, str(number)]
        cost = measure_command(arguments, cwd=repo.path, env=far.env | {"PYTHONPATH": str(HERE)})
        requests, size = wire.take()
        bench.note_peak(f"{number} puts in one process among {count}", cost)
        bench.report.note(f"{number} puts among {count}: {requests / number:.1f} requests each")
        bench.hold(f"{number} puts among {count}, checkpoints included, KiB each", size / 1024 / number, 64, "{:.1f}")
        far.through(bench.server.endpoint)


# --- commands on a bucket ----------------------------------------------------------------------------------


def measure_commands(bench: Bench) -> None:
    """Time what people wait for: one put, an import, the first query that reads content of a lazy clone."""
    directory, prefix = bench.place()
    repo = make_repo(directory / "writer", bench.server, bench.bucket, prefix, joins=False, hydration="full")
    content = repo.path / "content"
    puts, lists = [], []
    for _ in range(9):
        content.write_bytes(os.urandom(1_024))
        puts.append(repo.run("data", "put", MODEL, "state", "content"))
        lists.append(repo.run("data", "list", "--json"))
    bench.report.note(
        f"`data put` of 1 KiB to the bucket: {median(puts) * 1e3:.0f} ms, {median(puts) / median(lists):.2f} times"
        f" `data list`; a listing on an open connection {round_trip(bench, prefix) * 1e3:.1f} ms"
    )
    source = directory / "source"
    source.mkdir()
    for number in range(10_000):
        text = '{"status": "%s", "number": %d, "text": "%s"}'
        (source / f"{number:06d}.json").write_text(text % ("ok" if number % 10 else "bad", number, "x" * 960))
    cost = repo.run("data", "import", str(source), "--model", "json")
    bench.note_peak("data import of 10000 to the bucket", cost)
    bench.report.note(f"`data import` of 10,000 files of 1 KiB to the bucket: {cost.wall_seconds:.2f} s")
    reader = make_repo(directory / "reader", bench.server, bench.bucket, prefix, joins=True, hydration="lazy")
    reader.run("datastore", "sync")
    for which in ("first", "second"):
        document, cost = reader.json("data", "query", 'attributes.status == "bad"')
        bench.note_peak(f"{which} query over attributes", cost)
        if document["total"] != 1_000:
            raise RuntimeError(f"the query found {document['total']}")
        bench.report.note(f"the {which} query over `attributes` of 10,000 on a lazy clone: {cost.wall_seconds:.2f} s")
    shutil.rmtree(directory)


PARTS = ("cold", "large", "commands")


def run(report: Report, *, sizes: tuple[int, ...] = SIZES, rounds: int = 3, parts: tuple[str, ...] = PARTS) -> None:
    """Run all measurements and print every line with its limit."""
    with running_server() as server, tempfile.TemporaryDirectory(prefix="swampsync-bench-") as directory:
        bucket = f"bench-{uuid.uuid4().hex[:8]}"
        client = server.client()
        client.create_bucket(Bucket=bucket)
        client.close()
        bench = Bench(report, server, bucket, Path(directory))
        if "cold" in parts:
            measure_cold(bench, sizes, rounds)
        if "large" in parts:
            measure_large(bench, (1_000, LARGE))
        if "commands" in parts:
            measure_commands(bench)
        peak, what = bench.peak
        bench.hold(f"peak memory of any command, MiB ({what})", peak, PEAK_LIMIT_MIB, "{:.0f}")
        report.table("every line", ["what", "figure", "limit", ""], bench.lines)


def main() -> None:
    """Run with other sizes than the usual ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default=",".join(PARTS))
    arguments = parser.parse_args()
    report = Report()
    report.begin()
    sizes = tuple(int(size) for size in arguments.sizes.split(","))
    run(report, sizes=sizes, rounds=arguments.rounds, parts=tuple(arguments.parts.split(",")))


if __name__ == "__main__":
    main()
