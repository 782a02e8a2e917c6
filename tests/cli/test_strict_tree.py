"""After every writing command, a tree that swamp wrote still holds to the format, judged by an independent reader."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Swamp
from tests.cli.strict_tree import catalog_rows, check_datastore, expected_rows, read_strict

FIXTURES = Path(__file__).parents[1] / "fixtures"

AWKWARD = [
    "note=yes", "num=123", "colon=a: b", "empty=", "time=2026-01-01", "hash=a #b", "quote=it's", "float=1e3",
    "dash=- x", "tilde=~", "wide=日本語", "long=" + "word " * 30, "lines=a\nb", "key: odd=x", "null=null", "hex=0x1f",
    "sexagesimal=1:30", "star=*a", "brace={a}", "end=a:", "space= a ", "tab=a\tb", "nel=a\x85b", "comma=a, b",
]  # fmt: skip


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES / "swamp-shared", tmp_path / "shared", symlinks=True)
    return tmp_path / "shared"


@pytest.fixture
def solo_tree(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES / "swamp-solo", tmp_path / "swamp-solo", symlinks=True)
    return tmp_path / "swamp-solo"


def write_everything(swamp: Swamp, repo: Path, model: str) -> None:
    """Run every command that writes data, on a model that swamp made and on one of our own."""

    def run(*arguments: str, stdin: str = "") -> None:
        swamp(repo, *arguments, stdin=stdin).ok()

    tags = [word for tag in AWKWARD for word in ("--tag", tag)]
    run("data", "put", model, "ours", stdin='{"a": 1}')
    run("data", "put", model, "ours", "--gc", "1", "--lifetime", "30d", *tags, stdin="two")
    run("data", "put", model, "yes", "--content-type", "text/plain; charset=utf-8", stdin="")
    run("data", "put", model, "123", "--spec", "on", "--gc", "2w", stdin="x")
    run("data", "put", model, "日本 語", stdin="x")
    run("data", "put", model, "stream", "--streaming", stdin="a\n")
    run("data", "put", model, "stream", "--append", stdin="b\n")
    run("data", "put", "own", "x", "--type", "@acme/Kind.of", stdin="1")
    files = repo / "files" / "deep"
    files.mkdir(parents=True)
    (files / "a.json").write_text("{}")
    (files / "ü.txt").write_text("u")
    (repo / "files" / "null").write_bytes(bytes(range(256)))
    run("data", "import", str(repo / "files"), "--model", "own", "--tag", "by=import")
    shutil.rmtree(repo / "files")
    run("data", "rename", model, "yes", "no")
    run("data", "rename", model, "no", "off")
    run("data", "put", model, "doomed", stdin="1")
    run("data", "put", model, "doomed", stdin="2")
    run("data", "put", model, "doomed", stdin="3")
    run("data", "delete", model, "doomed", "--version", "2", "--yes")
    run("data", "put", model, "tip", stdin="1")
    run("data", "put", model, "tip", stdin="2")
    run("data", "delete", model, "tip", "--version", "2", "--yes")
    run("data", "put", model, "gone", stdin="1")
    run("data", "delete", model, "gone", "--yes")
    run("model", "create", "command/shell", "fresh")
    run("data", "put", "fresh", "x", stdin="1")
    run("data", "gc", "--yes")
    run("data", "prune", "--yes")
    run("datastore", "reindex")
    run("datastore", "compact")


def contents(root: Path) -> dict[Path, bytes]:
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_fixtures_hold_to_the_format() -> None:
    """The reader accepts every tree that swamp wrote."""
    for namespace in ("app", "infra"):
        assert check_datastore(FIXTURES / "swamp-shared" / "datastore" / namespace)
    assert check_datastore(FIXTURES / "swamp-solo" / ".swamp")


@pytest.mark.parametrize(
    "text", ["createdAt: 2026-11-21T09:15:37.969Z", "tags: {a: yes}", "a: '1'\na: '2'", "x: null", "x:", "x: 1e3"]
)
def test_the_reader_is_strict(text: str) -> None:
    """Plain scalars that a reader may take for something else than text, and doubled keys, are found."""
    with pytest.raises(AssertionError):
        read_strict(text)


@pytest.mark.holds("I4")
@pytest.mark.holds("I5")
def test_shared_tree_holds_to_the_format_after_every_writing_command(shared: Path, swamp: Swamp) -> None:
    """Files, metadata, markers, definitions and rows are right; swamp's bytes and the other namespace are untouched."""
    datastore = shared / "datastore"
    before = contents(datastore)
    write_everything(swamp, shared / "infra", "vpc")
    after = contents(datastore)
    for path, body in before.items():
        if path.parts[0] == "app" or (path in after and path.name != "latest"):
            assert after[path] == body, path
    assert {path.parts[0] for path in after} == {"app", "infra"}
    assert {p for p in after if p.parts[0] == "app"} == {p for p in before if p.parts[0] == "app"}
    artifacts = check_datastore(datastore / "infra")
    check_datastore(datastore / "app")
    names = {name for _, _, name in artifacts}
    assert {"ours", "yes", "no", "off", "123", "日本 語", "stream", "deep-ü.txt", "null", "doomed", "tip", "x"} <= names
    assert "gone" not in names
    catalog = shared / "infra" / ".swamp" / "data" / "_catalog.db"
    assert catalog_rows(catalog, "infra") == expected_rows("infra", artifacts)
    swamp(shared / "app", "data", "list", "-n", "infra").ok()
    assert catalog_rows(shared / "app" / ".swamp" / "data" / "_catalog.db", "infra") == expected_rows(
        "infra", artifacts
    )
    (tags,) = {tuple(m["tags"].items()) for (_, _, n), found in artifacts.items() if n == "ours" for m in found}
    assert {f"{k}={v}" for k, v in tags} >= set(AWKWARD)


@pytest.mark.holds("I9")
def test_solo_tree_holds_to_the_format_after_every_writing_command(solo_tree: Path, swamp: Swamp) -> None:
    """In solo mode the same is true, and nothing of ours lies in the tree."""
    write_everything(swamp, solo_tree, "build")
    root = solo_tree / ".swamp"
    local = frozenset(path.name for path in (FIXTURES / "swamp-solo" / ".swamp").iterdir())
    artifacts = check_datastore(root, own=local | {"secrets", "audit", "telemetry", "logs", "files"})
    assert not (root / ".swampsync.json").exists()
    assert not (root / ".locks").exists()
    assert catalog_rows(root / "data" / "_catalog.db", "") == expected_rows("", artifacts)
