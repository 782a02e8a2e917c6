"""Trees that swamp wrote, read by the installed script: the documents are swamp's own."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import run_script

FIXTURES = Path(__file__).parents[1] / "fixtures"
REPOS = {"swamp-solo": "swamp-solo", "swamp-shared-infra": "swamp-shared/infra", "swamp-shared-app": "swamp-shared/app"}
COVERED = ("data list", "data get", "data versions", "data search", "datastore lock status", "datastore namespace list")


def recorded() -> list[tuple[str, str, int, list[str]]]:
    cases = []
    for expected in REPOS:
        for line in (FIXTURES / "expected" / expected / "INDEX.tsv").read_text().splitlines():
            file, status, arguments = line.split("\t")
            if arguments.startswith(COVERED):
                cases.append((expected, file, int(status), shlex.split(arguments)))
    return cases


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("swamp")
    for name in ("swamp-solo", "swamp-shared"):
        shutil.copytree(FIXTURES / name, root / name, symlinks=True)
    return root


def normalised(document: Any) -> Any:
    """Drop what may differ: the order of rows that swamp sorts by an equal key."""
    if isinstance(document, dict) and isinstance(document.get("results"), list):
        rows = sorted(document["results"], key=lambda row: (row["createdAt"], row["id"]))
        return {**document, "results": rows}
    return document


@pytest.mark.parametrize(
    ("expected", "file", "status", "arguments"), recorded(), ids=lambda v: v if isinstance(v, str) else None
)
def test_documents_are_those_that_swamp_printed(
    trees: Path, expected: str, file: str, status: int, arguments: list[str]
) -> None:
    """For a tree that swamp wrote, a reading command prints the document that swamp printed."""
    outcome = run_script(trees / REPOS[expected], *arguments, "--json")
    assert outcome.status == status, outcome.err
    folder = FIXTURES / "expected" / expected
    if status == 0:
        assert normalised(json.loads(outcome.out)) == normalised(json.loads((folder / file).read_text()))
    else:
        assert outcome.out == b""
        assert json.loads(outcome.err)["error"] == json.loads((folder / f"{file}.err").read_text())["error"]


def recorded_queries() -> list[tuple[str, str, int, list[str]]]:
    cases = []
    for expected in REPOS:
        for line in (FIXTURES / "expected" / expected / "INDEX.tsv").read_text().splitlines():
            file, status, arguments = line.split("\t")
            if not arguments.startswith("data query "):
                continue
            predicate = arguments.removeprefix("data query ").strip()
            words = [predicate]
            for option in (" --limit ", " --select "):
                if option in predicate:
                    head, _, value = predicate.partition(option)
                    words = [head, option.strip(), value]
            cases.append((expected, file, int(status), words))
    return cases


def by_text(rows: list[Any]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize(
    ("expected", "file", "status", "words"), recorded_queries(), ids=lambda v: v if isinstance(v, str) else None
)
def test_query_results_are_those_that_swamp_printed(
    trees: Path, expected: str, file: str, status: int, words: list[str]
) -> None:
    """Over a tree that swamp wrote, a query prints the rows that swamp printed, in an order of our own."""
    outcome = run_script(trees / REPOS[expected], "data", "query", *words, "--json")
    assert outcome.status == status, outcome.err
    if status:
        return
    found = json.loads(outcome.out)
    wanted = json.loads((FIXTURES / "expected" / expected / file).read_text())
    assert list(found) == list(wanted)
    own = expected.rpartition("-")[2] if expected.startswith("swamp-shared") else ""
    if own and len(words) > 1:
        return  # swamp sees no other namespace on a directory; what a projection leaves cannot be told apart
    rows = [row for row in found["results"] if not own or row["namespace"] == own]
    if "--limit" in words:
        assert (len(rows), found["limited"]) == (len(wanted["results"]), wanted["limited"])
        return
    assert by_text(rows) == by_text(wanted["results"])
    if not own:
        assert (found["total"], found["limited"]) == (wanted["total"], wanted["limited"])


def test_recorded_commands_are_covered() -> None:
    """None of the recorded reading commands is left out by mistake."""
    assert len(recorded()) == 37
    assert len(recorded_queries()) == 55


def test_reading_changes_no_byte_of_the_datastore(trees: Path, tmp_path: Path) -> None:
    """Reading commands leave the shared datastore as it was, other namespaces included."""
    shutil.copytree(trees / "swamp-shared", tmp_path / "copy")
    datastore = tmp_path / "copy" / "datastore"
    before = {p: p.read_bytes() for p in datastore.rglob("*") if p.is_file()}
    for arguments in (["data", "list", "vpc"], ["data", "list", "--all-namespaces"], ["data", "search", "--json"]):
        assert run_script(tmp_path / "copy" / "infra", *arguments).status == 0
    assert {p: p.read_bytes() for p in datastore.rglob("*") if p.is_file()} == before
