"""Content that is gone or other bytes: what a reader is told, on a directory and in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from swampsync.backends.base import Overwrite
from tests.cli.buckets_of_the_past import PastRepo, PastTeam, team
from tests.cli.conftest import Place, Swamp
from tests.cli.test_verify import object_key

__all__ = ["team"]

ELSE = "to see what else is damaged; what is left"
FORMS = [("--output", "-"), ("--json",)]


@pytest.mark.parametrize("form", FORMS)
def test_damaged_content_of_a_directory_is_told_with_what_is_left(
    swamp: Swamp, place: Place, form: tuple[str, ...]
) -> None:
    """Other bytes, too few and none: each error names the file, and how to see what else is wrong and what is left."""
    first = place.first
    for content in ("one", "two"):
        swamp(first, "data", "put", "vpc", "state", stdin=content).ok()
    (raw,) = (place.datastore or first / ".swamp").rglob("state/2/raw")
    for spoil, error in (
        (lambda: raw.write_text("TWO"), f"`{raw}` does not have the SHA-256 that its metadata says: it was changed"),
        (lambda: raw.write_text("t"), f"`{raw}` has 1 of 3 bytes"),
        (raw.unlink, f"`{raw}` is missing"),
    ):
        spoil()
        told = swamp(first, "data", "get", "vpc", "state", "--version", "2", *form)
        assert told.status == 1
        assert error in told.err
        assert (
            "swamp datastore verify, to see what else is damaged; what is left: swamp data versions vpc st" in told.err
        )
    assert swamp(first, "data", "get", "vpc", "state", "--version", "1", "--output", "-").ok().text == "one"


def test_damage_in_another_namespace_is_told_with_its_name(swamp: Swamp, pair: Place) -> None:
    """The commands of the hint look where the damage is."""
    swamp(pair.first, "data", "put", "vpc", "state", stdin="one").ok()
    (raw,) = (pair.datastore or Path()).rglob("state/1/raw")
    raw.write_text("ONE")
    told = swamp(pair.second, "data", "get", "infra:vpc", "state", "--json")
    assert told.error["hint"] == f"swamp datastore verify -n infra, {ELSE}: swamp data versions infra:vpc state"


@pytest.mark.parametrize("form", FORMS)
def test_content_that_a_bucket_lacks_is_told_with_verify(team: PastTeam, form: tuple[str, ...]) -> None:
    """A missing object and one of other bytes name the version or the object, and the command that finds all such."""
    ann = team.repo("ann")
    for content in ("one", "two"):
        ann.put("state", content)
    readers = [(team.repo("bob"), "vpc", "")]
    if team.namespace:
        readers.append((team.repo("app", "app"), "infra:vpc", " -n infra"))
    key = object_key(team, "/state/2/raw")
    for reader, _, _ in readers:
        reader("datastore", "sync", "--all", "--pull").ok()
    for is_there, error in ((True, "does not hold the content"), (False, "is missing from the bucket: no object `")):
        if is_there:
            team.memory.put(key, b"TWO", Overwrite())
        else:
            team.memory.delete(key)
        for reader, model, where in readers:
            forget(reader)
            told = reader("data", "get", model, "state", *form)
            assert told.status == 1
            assert error in told.err
            assert f"swamp datastore verify --content{where}" in told.err
            assert reader("data", "get", model, "state", "--version", "1", "--output", "-").ok().text == "one"


def test_rename_without_the_content_says_that_it_is_missing(team: PastTeam) -> None:
    """The new name is a copy: where the bucket lacks the content, that is told, and not that there is no such data."""
    ann, bob = team.repo("ann"), team.repo("bob")
    ann.put("state", "one")
    bob("datastore", "sync", "--pull").ok()
    for raw in bob.path.rglob("state/1/raw"):
        raw.unlink()
    team.memory.delete(object_key(team, "/state/1/raw"))
    told = bob("data", "rename", "vpc", "state", "other", "--json")
    assert (told.status, told.error["code"]) == (1, "data_error")
    assert told.error["error"].startswith("the content of `state` v1 is missing from the bucket: no object `")
    assert told.error["hint"] == "swamp datastore verify --content"


def test_query_names_content_that_the_bucket_lacks_once(team: PastTeam) -> None:
    """What cannot be fetched is left out and named, with the others' results."""
    ann, bob = team.repo("ann"), team.repo("bob")
    for name in ("a", "b"):
        ann.put(name, '{"n": 1}', "--content-type", "application/json")
    bob("datastore", "sync", "--pull").ok()
    for raw in bob.path.rglob("a/1/raw"):
        raw.unlink()
    team.memory.delete(object_key(team, "/a/1/raw"))
    found = bob("data", "query", "attributes.n == 1", "--select", "name").ok()
    assert found.text == "b\n"
    assert found.err.count("the content of `a` v1 is missing from the bucket: no object `") == 1


def forget(reader: PastRepo) -> None:
    """Let nothing of the second version be here."""
    for raw in reader.path.rglob("state/2/raw"):
        raw.unlink()


def test_version_that_others_removed_is_told_with_the_log(team: PastTeam) -> None:
    """What this clone lists and the log does not have any more is no damage: the hint shows who removed it."""
    ann, bob = team.repo("ann"), team.repo("bob")
    ann.put("state", "one")
    bob("datastore", "sync").ok()
    (raw,) = bob.path.rglob("state/1/raw")
    raw.unlink()
    ann("data", "delete", "vpc", "state", "-y").ok()
    team.memory.delete(object_key(team, "/state/1/raw"))
    told = bob("data", "get", "vpc", "state", "--json")
    assert (told.status, told.error["code"]) == (1, "not_found")
    assert told.error["hint"] == "swamp datastore log vpc state"


def test_version_that_is_not_there_is_told_with_those_that_are(swamp: Swamp, place: Place) -> None:
    """A wrong number is answered with the command that lists the right ones, a wrong name with that for names."""
    swamp(place.first, "data", "put", "vpc", "state", stdin="one").ok()
    told = swamp(place.first, "data", "get", "vpc", "state", "--version", "9", "--json")
    assert (told.error["error"], told.error["hint"]) == (
        'Data not found: "state" for model "vpc" (version 9)',
        "swamp data versions vpc state",
    )
    told = swamp(place.first, "data", "get", "vpc", "none", "--version", "9", "--json")
    assert told.error["hint"] == "swamp data list vpc"
