"""Taking data into a namespace, and back out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BucketPlace, Place, Swamp


def put_some(swamp: Swamp, repo: Path) -> None:
    swamp(repo, "data", "put", "web", "state", stdin="one").ok()
    swamp(repo, "data", "put", "web", "state", stdin="two").ok()
    swamp(repo, "data", "put", "db", "dump", "--type", "command/shell", stdin="rows").ok()


def files_of(root: Path) -> dict[str, bytes]:
    """Read every file that is data: no locks, manifests or local databases."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(("_", ".")) and ".locks" not in path.parts
    }


@pytest.fixture
def shared(tmp_path: Path, swamp: Swamp) -> tuple[Path, Path]:
    """A repo with data at the un-namespaced path of a shared directory, and that directory."""
    repo, datastore = tmp_path / "infra", tmp_path / "shared"
    repo.mkdir()
    swamp(repo, "repo", "init").ok()
    swamp(repo, "datastore", "setup", "filesystem", "--path", str(datastore)).ok()
    put_some(swamp, repo)
    return repo, datastore


@pytest.mark.holds("I7")
def test_data_moves_into_the_namespace_and_another_repo_reads_it(
    swamp: Swamp, shared: tuple[Path, Path], tmp_path: Path
) -> None:
    """After `set` and `migrate` the same files lie below the namespace, once in the catalog, for others too."""
    repo, datastore = shared
    before = files_of(datastore)
    swamp(repo, "namespace", "set", "infra").ok()
    assert swamp(repo, "data", "get", "web", "state").status == 1
    done = swamp(repo, "namespace", "migrate", "--yes", "--json").json
    assert done["migratedDirectories"] == ["auto-definitions", "data"]
    assert done["totalFiles"] == len(before)
    assert done["totalBytes"] == sum(map(len, before.values()))
    assert files_of(datastore) == {f"infra/{path}": body for path, body in before.items()}
    found = swamp(repo, "data", "query", 'name == "state"', "--json").json["results"]
    assert [(row["namespace"], row["version"]) for row in found] == [("infra", 2)]
    other = tmp_path / "app"
    other.mkdir()
    swamp(other, "repo", "init").ok()
    swamp(other, "datastore", "setup", "filesystem", "--path", str(datastore), "--namespace", "app").ok()
    assert swamp(other, "data", "get", "web", "state", "-n", "infra", "-o", "-").text == "two"


@pytest.mark.holds("I10")
def test_data_of_a_repo_of_its_own_moves_too(swamp: Swamp, solo: Path) -> None:
    """In a repo's own `.swamp` the local databases and secrets stay where they are."""
    put_some(swamp, solo)
    secret = solo / ".swamp" / "secrets" / "key"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("hush")
    before = {path: body for path, body in files_of(solo / ".swamp").items() if not path.startswith("secrets/")}
    swamp(solo, "namespace", "set", "infra").ok()
    swamp(solo, "namespace", "migrate", "--yes").ok()
    after = files_of(solo / ".swamp")
    assert after == {"secrets/key": b"hush"} | {f"infra/{path}": body for path, body in before.items()}
    assert (solo / ".swamp" / "data" / "_catalog.db").is_file()
    assert swamp(solo, "data", "get", "web", "state", "-o", "-").text == "two"
    swamp(solo, "data", "put", "web", "state", stdin="three").ok()
    assert swamp(solo, "data", "versions", "web", "state", "--json").json["total"] == 3


@pytest.mark.holds("I7")
def test_there_and_back_leaves_the_tree_as_it_was(swamp: Swamp, shared: tuple[Path, Path]) -> None:
    """`unset --migrate` takes the data back, gives the namespace up, and solo mode finds all of it."""
    repo, datastore = shared
    before = files_of(datastore)
    swamp(repo, "namespace", "set", "infra").ok()
    swamp(repo, "namespace", "migrate", "--yes").ok()
    swamp(repo, "namespace", "unset", "--migrate", "--yes").ok()
    assert files_of(datastore) == before
    assert not (datastore / "infra").exists()
    assert swamp(repo, "namespace", "list", "--json").json["namespaces"] == []
    assert swamp(repo, "namespace", "resolve", "--json").json["namespace"] == ""
    assert swamp(repo, "data", "get", "web", "state", "-o", "-").text == "two"


def test_without_consent_only_a_preview_is_shown(swamp: Swamp, shared: tuple[Path, Path]) -> None:
    """Without `--yes` the plan is printed and nothing moves; a dry run is the same with it."""
    repo, datastore = shared
    swamp(repo, "namespace", "set", "infra").ok()
    before = files_of(datastore)
    for flags in ((), ("--dry-run", "--yes")):
        preview = swamp(repo, "namespace", "migrate", *flags, "--json").json
        assert (preview["confirm"], preview["reverse"], preview["isExtensionDatastore"]) == (False, False, False)
        data = next(entry for entry in preview["directories"] if entry["subdir"] == "data")
        assert data["source"] == str(datastore / "data")
        assert data["destination"] == str(datastore / "infra" / "data")
        assert sum(entry["fileCount"] for entry in preview["directories"]) == preview["totalFiles"] == len(before)
    shown = swamp(repo, "namespace", "migrate")
    assert "Nothing was moved" in shown.err
    assert files_of(datastore) == before


def test_a_second_run_finds_nothing_and_succeeds(swamp: Swamp, shared: tuple[Path, Path]) -> None:
    """What is done is done: migrating again is no failure."""
    repo, _ = shared
    swamp(repo, "namespace", "set", "infra").ok()
    swamp(repo, "namespace", "migrate", "--yes").ok()
    again = swamp(repo, "namespace", "migrate", "--yes")
    assert (again.status, again.text) == (0, "Nothing to move: the un-namespaced path holds no data.\n")


def test_equal_files_are_merged_and_different_ones_stop_everything(swamp: Swamp, shared: tuple[Path, Path]) -> None:
    """A file that both sides have with the same bytes goes at the source; with others, nothing moves at all."""
    repo, datastore = shared
    swamp(repo, "namespace", "set", "infra").ok()
    (raw,) = datastore.glob("data/**/dump/1/raw")
    twin = datastore / "infra" / raw.relative_to(datastore)
    twin.parent.mkdir(parents=True)
    twin.write_bytes(b"ROWS")
    before = files_of(datastore)
    refused = swamp(repo, "namespace", "migrate", "--yes", "--json")
    assert refused.error["code"] == "conflict"
    assert str(raw.relative_to(datastore)) in refused.error["error"]
    assert files_of(datastore) == before
    twin.write_bytes(raw.read_bytes())
    swamp(repo, "namespace", "migrate", "--yes").ok()
    assert not list(datastore.glob("data/**/raw"))
    assert swamp(repo, "data", "get", "db", "dump", "-o", "-").text == "rows"


def test_data_that_may_be_anothers_is_taken_only_when_told(
    swamp: Swamp, shared: tuple[Path, Path], tmp_path: Path
) -> None:
    """Where other namespaces share the directory, un-namespaced data has no known owner: refused without --absorb."""
    repo, datastore = shared
    swamp(repo, "namespace", "set", "infra").ok()
    other = tmp_path / "app"
    other.mkdir()
    swamp(other, "repo", "init").ok()
    swamp(other, "datastore", "setup", "filesystem", "--path", str(datastore), "--namespace", "app").ok()
    before = files_of(datastore)
    refused = swamp(repo, "namespace", "migrate", "--yes", "--json").error
    assert (refused["code"], "app" in refused["error"]) == ("refused", True)
    assert files_of(datastore) == before
    swamp(repo, "namespace", "migrate", "--absorb", "--yes").ok()
    assert swamp(repo, "data", "get", "web", "state", "-o", "-").text == "two"
    back = swamp(repo, "namespace", "migrate", "--reverse", "--absorb", "--yes", "--json").error
    assert (back["code"], "app" in back["error"]) == ("refused", True)


def test_what_several_repos_share_does_not_go_back(swamp: Swamp, shared: tuple[Path, Path], tmp_path: Path) -> None:
    """A namespace with other members is not taken apart by one of them."""
    repo, datastore = shared
    swamp(repo, "namespace", "set", "infra").ok()
    swamp(repo, "namespace", "migrate", "--yes").ok()
    other = tmp_path / "mate"
    other.mkdir()
    swamp(other, "repo", "init").ok()
    swamp(other, "datastore", "setup", "filesystem", "--path", str(datastore)).ok()
    swamp(other, "namespace", "join", "infra").ok()
    refused = swamp(repo, "namespace", "migrate", "--reverse", "--yes", "--json").error
    assert (refused["code"], "other members" in refused["error"]) == ("refused", True)


@pytest.mark.parametrize("flags", [(), ("--reverse",)])
def test_solo_and_buckets_are_refused_with_a_way_out(
    swamp: Swamp, solo: Path, bucket_pair: Place, bucket: BucketPlace, flags: tuple[str, ...]
) -> None:
    """Without a namespace there is nowhere to go; in a bucket data moves by setting it up anew."""
    error: Any = swamp(solo, "namespace", "migrate", *flags, "--yes", "--json").error
    assert (error["code"], error["hint"]) == ("refused", "swamp datastore namespace set NAME")
    error = swamp(bucket_pair.first, "namespace", "migrate", *flags, "--yes", "--json").error
    assert (error["code"], bucket.name in error["error"]) == ("refused", True)
    assert error["hint"].startswith("swamp datastore setup s3")


def test_an_absent_datastore_is_said(swamp: Swamp, shared: tuple[Path, Path]) -> None:
    """A shared directory that is not mounted is no empty one."""
    repo, datastore = shared
    swamp(repo, "namespace", "set", "infra").ok()
    datastore.rename(datastore.with_name("away"))
    assert swamp(repo, "namespace", "migrate", "--yes", "--json").status == 75
