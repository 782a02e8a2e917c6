"""Written by one command, read by every other, from another repo, in solo and in namespaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Place, Swamp

BODY = b'{"status":"ok","n":1}'


def scoped(place: Place, *arguments: str) -> tuple[str, ...]:
    """Address the first repo's namespace from the second one."""
    return arguments if place.is_solo else (*arguments, "-n", place.first_namespace)


# --- writers: each leaves model `vpc` with an artifact whose latest content is BODY; they say its name ------------


def write_put(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    swamp(place.first, "data", "put", "vpc", "state", "--content-type", "application/json", stdin=BODY).ok()
    return "state"


def write_put_again(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    for body in (b'{"old":true}', BODY):
        swamp(place.first, "data", "put", "vpc", "state", "--content-type", "application/json", stdin=body).ok()
    return "state"


def write_import(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "state.json").write_bytes(BODY)
    swamp(place.first, "data", "import", str(source), "--model", "vpc").ok()
    return "deep-state.json"


def write_append(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    arguments = ("data", "put", "vpc", "state", "--content-type", "application/json", "--streaming")
    swamp(place.first, *arguments, stdin=BODY[:5]).ok()
    swamp(place.first, "data", "put", "vpc", "state", "--append", stdin=BODY[5:]).ok()
    return "state"


def write_rename(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    write_put(swamp, place, tmp_path)
    swamp(place.first, "data", "rename", "vpc", "state", "state2").ok()
    return "state2"


def write_delete_newer(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    write_put(swamp, place, tmp_path)
    swamp(place.first, "data", "put", "vpc", "state", stdin=b"newer").ok()
    swamp(place.first, "data", "delete", "vpc", "state", "--version", "2", "-y").ok()
    return "state"


def write_gc(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    arguments = ("data", "put", "vpc", "state", "--content-type", "application/json", "--gc", "1")
    for body in (b"1", b"2", BODY):
        swamp(place.first, *arguments, stdin=body).ok()
    swamp(place.first, "data", "gc", "-y").ok()
    return "state"


def write_defined_model(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    swamp(place.first, "model", "create", "command/shell", "vpc").ok()
    return write_put(swamp, place, tmp_path)


Writer = Callable[[Swamp, Place, Path], str]
WRITERS: list[Writer] = [
    write_put,
    write_put_again,
    write_import,
    write_append,
    write_rename,
    write_delete_newer,
    write_gc,
    write_defined_model,
]

# --- readers: each must find exactly one artifact of that name, with the content where it shows it ------------------


def read_get(swamp: Swamp, place: Place, name: str) -> Any:
    document = swamp(place.second, *scoped(place, "data", "get", "vpc", name, "--json")).json
    assert document["name"] == name
    assert document["content"] == json.loads(BODY)
    assert document["size"] == len(BODY)
    return document


def read_get_output(swamp: Swamp, place: Place, name: str) -> None:
    assert swamp(place.second, *scoped(place, "data", "get", "vpc", name, "--output", "-")).out == BODY


def read_list(swamp: Swamp, place: Place, name: str) -> None:
    document = swamp(place.second, *scoped(place, "data", "list", "vpc", "--json")).json
    assert [item["name"] for group in document["groups"] for item in group["items"]] == [name]
    assert document.get("namespace", "") == place.first_namespace


def read_list_models(swamp: Swamp, place: Place, name: str) -> None:
    document = swamp(place.second, *scoped(place, "data", "list", "--json")).json
    assert [(m["modelName"], m["namespace"], m["artifacts"]) for m in document["models"]] == [
        ("vpc", place.first_namespace, 1)
    ]


def read_list_all(swamp: Swamp, place: Place, name: str) -> None:
    document = swamp(place.second, "data", "list", "--all-namespaces", "--json").json
    assert [(m["modelName"], m["namespace"]) for m in document["models"]] == [("vpc", place.first_namespace)]


def read_search(swamp: Swamp, place: Place, name: str) -> None:
    document = swamp(place.second, *scoped(place, "data", "search", name, "--json")).json
    assert [(hit["name"], hit["modelName"]) for hit in document["results"]] == [(name, "vpc")]


def read_versions(swamp: Swamp, place: Place, name: str) -> None:
    document = swamp(place.second, *scoped(place, "data", "versions", "vpc", name, "--json")).json
    assert document["versions"][0]["isLatest"]
    assert document["versions"][0]["size"] == len(BODY)


def read_query(swamp: Swamp, place: Place, name: str) -> None:
    # A query spans what the catalog knows; a listing makes it know the other namespace first.
    swamp(place.second, "data", "list", "--all-namespaces").ok()
    predicate = f'name == "{name}" && modelName == "vpc" && attributes.status == "ok"'
    document = swamp(place.second, "data", "query", predicate, "--json").json
    assert [(row["name"], row["namespace"]) for row in document["results"]] == [(name, place.first_namespace)]


Reader = Callable[[Swamp, Place, str], Any]
READERS: list[Reader] = [
    read_get,
    read_get_output,
    read_list,
    read_list_models,
    read_list_all,
    read_search,
    read_versions,
    read_query,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda f: f.__name__)
def test_what_one_command_writes_every_other_reads(swamp: Swamp, place: Place, tmp_path: Path, write: Writer) -> None:
    """What a command wrote in one repo is read by every reading command from the other repo."""
    # The reader's catalog exists already and is empty: it has to notice.
    swamp(place.second, *scoped(place, "data", "list", "--json")).ok()
    name = write(swamp, place, tmp_path)
    for read in READERS:
        read(swamp, place, name)


@pytest.mark.parametrize("write", WRITERS, ids=lambda f: f.__name__)
def test_deleted_data_is_gone_for_every_reader(swamp: Swamp, place: Place, tmp_path: Path, write: Writer) -> None:
    """After a deletion in one repo no reading command of the other repo shows the artifact any more."""
    name = write(swamp, place, tmp_path)
    read_get(swamp, place, name)
    swamp(place.first, "data", "delete", "vpc", name, "-y").ok()
    missing: Outcome = swamp(place.second, *scoped(place, "data", "get", "vpc", name, "--json"))
    assert (missing.status, missing.error["code"]) == (1, "not_found")
    listed = swamp(place.second, *scoped(place, "data", "list", "--json")).json
    assert all(m["artifacts"] == 0 for m in listed["models"])
    assert swamp(place.second, *scoped(place, "data", "search", name, "--json")).json["results"] == []
    query = swamp(place.second, "data", "query", f'name == "{name}"', "--json").json
    assert query["results"] == []


def write_append_pending(swamp: Swamp, place: Place, tmp_path: Path) -> str:
    """In a bucket a published version is closed; one that is still pending is extended."""
    arguments = ("data", "put", "vpc", "state", "--content-type", "application/json", "--streaming", "--no-sync")
    swamp(place.first, *arguments, stdin=BODY[:5]).ok()
    swamp(place.first, "data", "put", "vpc", "state", "--append", stdin=BODY[5:]).ok()
    return "state"


@pytest.mark.parametrize(
    "write", [write_import, write_append_pending, write_rename, write_gc, write_defined_model], ids=lambda f: f.__name__
)
def test_what_one_command_writes_to_a_bucket_every_other_reads(
    swamp: Swamp, bucket_pair: Place, tmp_path: Path, write: Writer
) -> None:
    """What a command published from one repo is read by every reading command from another one."""
    swamp(bucket_pair.second, *scoped(bucket_pair, "data", "list", "--json")).ok()
    name = write(swamp, bucket_pair, tmp_path)
    for read in READERS:
        read(swamp, bucket_pair, name)


def test_data_deleted_in_a_bucket_is_gone_for_every_reader(swamp: Swamp, bucket_pair: Place, tmp_path: Path) -> None:
    """After a deletion in one repo no reading command of another one shows the artifact any more."""
    test_deleted_data_is_gone_for_every_reader(swamp, bucket_pair, tmp_path, write_put)


def test_own_listings_never_show_the_neighbour(swamp: Swamp, pair: Place, tmp_path: Path) -> None:
    """The second repo's own listing and search stay empty, whatever the first one writes."""
    write_put(swamp, pair, tmp_path)
    read_list_all(swamp, pair, "state")
    assert swamp(pair.second, "data", "list", "--json").json == {"models": [], "total": 0}
    assert swamp(pair.second, "data", "search", "--json").json["results"] == []
    assert swamp(pair.second, "data", "get", "vpc", "state", "--json").error["error"] == "Model not found: vpc"


def test_models_of_one_name_are_kept_apart(swamp: Swamp, pair: Place) -> None:
    """Two repos with a model of the same name each get their own data."""
    swamp(pair.first, "data", "put", "vpc", "state", stdin="of infra").ok()
    swamp(pair.second, "data", "put", "vpc", "state", stdin="of app").ok()
    assert swamp(pair.first, "data", "get", "vpc", "state", "-o", "-").text == "of infra"
    assert swamp(pair.second, "data", "get", "vpc", "state", "-o", "-").text == "of app"
    assert swamp(pair.second, "data", "get", "vpc", "state", "-o", "-", "-n", "infra").text == "of infra"
    assert swamp(pair.second, "data", "get", "infra:vpc", "state", "-o", "-").text == "of infra"
    assert pair.datastore is not None
    assert sorted(p.name for p in pair.datastore.iterdir() if not p.name.startswith(".")) == ["app", "infra"]
