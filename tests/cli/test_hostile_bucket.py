"""What is damaged or hostile in a bucket meets `datastore sync` as a person runs it.

It is refused as damage, with the key named, or does no harm; never a traceback, never a file outside of the copy.
SWAMPSYNC_EXAMPLES sets how many changes of each kind are tried.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swampsync.backends.base import Create, Overwrite
from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.errors import DataError
from swampsync.layout import Layout, ObjectKey
from swampsync.log.checkpoint import decode_checkpoint
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.log import Log
from swampsync.log.segments import row_to_line
from swampsync.log.tail import BEGINNING, Position, tail
from swampsync.namespace import Namespace
from tests.cli.conftest import Outcome, Swamp
from tests.unit.log.conftest import Ids
from tests.unit.repo.buckets import MemoryBuckets

CHANGES = int(os.environ.get("SWAMPSYNC_EXAMPLES", "30"))
COMMIT = "infra/_log/00000000000000000003.json"
DEEP = "[" * 200_000
TRAVERSALS = [
    "../../escaped",
    "../../../../../../../../tmp/escaped",
    "/tmp/escaped",
    "data/../../escaped",
    "files/./../../escaped",
    "files//escaped",
    "files/..",
    "files/a\\..\\..\\escaped",
    "C:\\escaped",
    "files/a\u0000b",
    "files/a\nb",
    "files/e\u0301",  # not composed
    "files/" + "x" * 2_000,
    "_log/00000000000000000009.json",
    "_segments/x.jsonl.gz",
    ".locks/infra.lock",
    ".namespace.json",
    "files/.lock",
    "data/_catalog.db",
    "secrets/x",
    "other/data/x",
    "data/command/shell/M/latest/1/raw/../../../../escaped",
    "",
    " ",
    ".",
]
NASTY: list[Any] = [
    None, True, False, -1, 0, 2**31, 2**63, 2**64, 10**30, 1.5, 1e300, "", "x" * 5_000, "\u0000", "..", [], {}, [[]],
    [None], {"a": None}, "\ud7ff\U0001f4a9", "2026-99-99", DEEP[:900],
]  # fmt: skip


@dataclass
class Scene:
    """A bucket with a short history, and three clones: a new one, one behind, and one that has everything."""

    root: Path
    server: MemoryBuckets
    swamp: Swamp
    healthy: dict[str, bytes]

    def change(self, key: str, body: bytes) -> None:
        self.reset()
        self.server.store().put(ObjectKey(key), body, Overwrite())

    def reset(self) -> None:
        memory = MemoryStore(SystemClock())
        for key, body in self.healthy.items():
            memory.put(ObjectKey(key), body, Create())
        self.server.stores["team", ""] = memory

    def sync(self, clone: str, *words: str) -> Outcome:
        """Run a sync in a copy of a clone, and look where it wrote."""
        run = self.root / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.root / clone, run, symlinks=True)
        before = outside(self.root, run)
        outcome = self.swamp(run, "datastore", "sync", *words, "--json")
        assert outside(self.root, run) == before
        assert "Traceback" not in outcome.err
        for path in (run / ".swamp" / "remote").rglob("*"):
            assert path.relative_to(run / ".swamp" / "remote").parts[0] == "infra", path
        return outcome


def outside(root: Path, run: Path) -> set[str]:
    """List what lies anywhere but in the directory of the clone's own data."""
    own = run / ".swamp"
    found = {str(path) for path in root.rglob("*") if not path.is_relative_to(own)}
    return found | {str(path) for path in Path("/tmp").glob("escaped*")}


CONFIG = """\
swampVersion: 20260206.200442.0
repoId: repo-{name}
datastore:
  type: "@swampsync/s3"
  hydrationStrategy: full
  config:
    bucket: team
  namespace: infra
"""


def make_repo(root: Path, name: str) -> Path:
    path = root / name
    path.mkdir()
    (path / ".swamp.yaml").write_text(CONFIG.format(name=name))
    return path


@pytest.fixture
def scene(tmp_path: Path, swamp: Swamp, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Scene:
    server = MemoryBuckets()
    monkeypatch.setattr("swampsync.repo.remote.open_bucket", server.open)
    variables.update({"HOME": str(tmp_path), "SWAMP_HOME": str(tmp_path / "home")})
    writer = make_repo(tmp_path, "writer")
    swamp(writer, "namespace", "set", "infra").ok()
    swamp(writer, "data", "put", "vpc", "state", "-", stdin="1").ok()
    shutil.copytree(writer, tmp_path / "behind")
    swamp(writer, "data", "put", "vpc", "state", "-", "--tag", "a=b", stdin="2").ok()
    source = tmp_path / "source"
    source.mkdir()
    for number in range(4):
        (source / f"f{number}").write_text(str(number))
    swamp(writer, "data", "import", str(source), "--model", "vpc").ok()
    swamp(writer, "data", "delete", "vpc", "f0", "-y").ok()
    shutil.copytree(writer, tmp_path / "current")
    make_repo(tmp_path, "new")
    store = server.store()
    healthy = {info.key.text: store.get(info.key).body for info in store.list("")}
    assert COMMIT in healthy
    return Scene(tmp_path, server, swamp, healthy)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Name every value of a document by where it stands."""
    yield path
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield from places(value, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def changed_documents(body: bytes, rng: random.Random) -> Iterator[bytes]:
    """Change a JSON document in every place, by values that no document of ours has there; a sample of that."""
    document = json.loads(body)
    cases = [(path, value) for path in places(document) for value in NASTY]
    for path, value in rng.sample(cases, min(CHANGES, len(cases))):
        yield json.dumps(replaced(document, path, value)).encode()
    keys = [
        path for path in places(document) if path and path[-1] in {"path", "key", "remove", "type", "modelId", "name"}
    ]
    texts = [path for path in places(document) if len(path) > 1 and path[0] == "remove"]
    cases = [(path, value) for path in keys + texts for value in TRAVERSALS]
    for path, value in rng.sample(cases, min(CHANGES, len(cases))):
        yield json.dumps(replaced(document, path, value)).encode()


def changed_bytes(body: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cut a body off, flip bits of it, and put something else in its place."""
    yield from (
        b"",
        b"null",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"<Error/>",
        DEEP.encode(),
        body + b"}",
        body + body,
        b"\x1f\x8b",
    )
    for _ in range(CHANGES // 2):
        yield body[: rng.randrange(len(body))]
        flipped = bytearray(body)
        flipped[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        yield bytes(flipped)


def check(outcome: Outcome, key: str, body: bytes) -> bool:
    """Damage is refused with its key; say whether it was, or else did no harm, or harmed one file that is named."""
    if outcome.status == 0:
        return False
    if outcome.out:
        failures = json.loads(outcome.out)["failures"]
        assert failures
        assert all(entry["path"].startswith(("data/", "auto-definitions/", "files/")) for entry in failures)
        return False
    error = outcome.error
    assert outcome.status == 1, (error, body[:2_000])
    assert error["code"] in {"data_error", "unknown_format", "wrong_content"}, (error, body[:2_000])
    assert key in error["error"], (error, body[:2_000])
    return True


@pytest.mark.parametrize("clone", ["new", "behind"])
@pytest.mark.parametrize("change", [changed_documents, changed_bytes], ids=lambda f: f.__name__)
def test_damaged_commit_is_refused_by_its_key(
    scene: Scene, clone: str, change: Callable[[bytes, random.Random], Iterator[bytes]]
) -> None:
    """Whatever a commit's object holds, it is applied whole or refused as damage, and nothing leaves the copy."""
    refused = 0
    for body in change(scene.healthy[COMMIT], random.Random(clone)):
        scene.change(COMMIT, body)
        outcome = scene.sync(clone)
        if check(outcome, COMMIT, body):
            refused += 1
            assert scene.swamp(scene.root / "run", "data", "get", "vpc", "state", "-o", "-").status in {0, 1}
    assert refused > 10


def test_commit_that_was_applied_is_not_read_again(scene: Scene) -> None:
    """Whoever has applied a commit does not notice its damage: nothing asks for it."""
    scene.change(COMMIT, b"damaged")
    assert scene.sync("current").json["commitsPulled"] == 0


@pytest.mark.parametrize("change", [changed_documents, changed_bytes], ids=lambda f: f.__name__)
def test_damaged_checkpoint_is_skipped(scene: Scene, change: Callable[[bytes, random.Random], Iterator[bytes]]) -> None:
    """A checkpoint that cannot be used is skipped for the log itself: a new clone is complete all the same."""
    log = log_of(scene)
    head = Position.of(list(tail(log, BEGINNING).commits())[-2])
    Checkpointer(log, SystemClock(), Ids(1), "t").write(head)
    store = scene.server.store()
    (key,) = (info.key.text for info in store.list("infra/_checkpoints/"))
    scene.healthy = {info.key.text: store.get(info.key).body for info in store.list("")}
    for body in change(scene.healthy[key], random.Random(3)):
        scene.change(key, body)
        outcome = scene.sync("new")
        if not check(outcome, key, body) and not is_checkpoint(body, key):
            assert scene.swamp(scene.root / "run", "data", "list", "vpc", "--json").json["total"] == 4


def is_checkpoint(body: bytes, key: str) -> bool:
    """Say whether a body is a checkpoint that somebody could have meant; `verify` compares those with the log."""
    seq = 10**20 - 1 - int(key.rpartition("/")[2].removesuffix(".json"))
    try:
        decode_checkpoint(body, key=key, seq=seq, namespace="infra")
    except DataError:
        return False
    return True


def test_damaged_segment_is_refused_or_gone_around(scene: Scene) -> None:
    """A segment whose bytes are not those that were written is damage with its key, and never unpacked."""
    key, commit_key, commit, lines = into_segment(scene)
    rng = random.Random(4)
    for body in changed_bytes(scene.healthy[key], rng):
        scene.change(key, body)
        assert check(scene.sync("new"), key, body)
    assert lines
    assert commit["segments"]
    assert commit_key == COMMIT


def test_hostile_rows_of_a_segment_are_refused(scene: Scene) -> None:
    """Rows that somebody packed with the right digests are checked as strictly as those of a commit."""
    key, commit_key, commit, lines = into_segment(scene)
    rng = random.Random(5)
    rows = [json.loads(line) for line in lines]
    cases = [(path, value) for path in places(rows) if path for value in (*NASTY, *TRAVERSALS)]
    refused = 0
    for path, value in rng.sample(cases, 2 * CHANGES):
        body = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in replaced(rows, path, value)))
        ref = commit["segments"][0] | {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        scene.change(key, body)
        hostile = json.dumps(commit | {"segments": [ref]}).encode()
        scene.server.store().put(ObjectKey(commit_key), hostile, Overwrite())
        outcome = scene.sync("new")
        refused += outcome.status and check(outcome, key if key in outcome.err else commit_key, body)
    assert refused > 10


def test_segment_that_inflates_without_end_is_refused(scene: Scene) -> None:
    """A small segment that would fill the memory is refused as soon as that is seen."""
    key, commit_key, commit, _ = into_segment(scene)
    body = gzip.compress(b"0" * (1 << 26), 9)
    ref = commit["segments"][0] | {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    scene.change(key, body)
    scene.server.store().put(ObjectKey(commit_key), json.dumps(commit | {"segments": [ref]}).encode(), Overwrite())
    assert check(scene.sync("new"), key, b"")


@pytest.mark.parametrize("file", [".namespace.json", ".swampsync.json"])
def test_damaged_manifest_is_named_and_stops_no_pull(scene: Scene, file: str) -> None:
    """What is wrong with a manifest is said by its name; taking in what others published needs no manifest."""
    key = f"infra/{file}"
    rng = random.Random(6)
    for body in (*changed_documents(scene.healthy[key], rng), *changed_bytes(scene.healthy[key], rng)):
        scene.change(key, body)
        assert scene.sync("behind", "--pull").json["commitsPulled"] == 3
        for words in (("namespace", "list"), ("namespace", "describe"), ("data", "put", "vpc", "x", "-")):
            outcome = scene.swamp(scene.root / "run", *words, "--json", stdin="x")
            assert outcome.status in {0, 1}, (words, outcome.err, body[:500])
            assert "Traceback" not in outcome.err


def log_of(scene: Scene) -> Log:
    return Log(scene.server.store(), Layout("/r", "/r/.swamp/remote", Namespace("infra")))


def into_segment(scene: Scene) -> tuple[str, str, dict[str, Any], list[bytes]]:
    """Move the rows of a commit into a segment, as a large push does; say where it is, and what names it."""
    log = log_of(scene)
    published = log.read_commit(3).commit
    lines = [row_to_line(row) for row in published.inline_rows()]
    (ref,) = log.put_segments(lines, new_id=Ids(2))
    document = json.loads(scene.healthy[COMMIT])
    counts = {name: len(document[name]) for name in ("put", "remove", "artifacts")}
    segment = {"id": ref.id, "rows": ref.rows, "size": ref.size, "sha256": ref.sha256}
    document |= {"put": [], "remove": [], "artifacts": [], "segments": [segment], "counts": counts}
    scene.server.store().put(ObjectKey(COMMIT), json.dumps(document).encode(), Overwrite())
    store = scene.server.store()
    scene.healthy = {info.key.text: store.get(info.key).body for info in store.list("")}
    assert scene.sync("new").status == 0
    return f"infra/_segments/{ref.id}.jsonl.gz", COMMIT, document, lines
