"""What no clone of ours would publish: it harms what it names, and nothing else."""

from __future__ import annotations

import json

import pytest

from swampsync.backends.base import Create, Overwrite
from swampsync.errors import DataError
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.log import Log
from swampsync.sync.position import read_position
from tests.unit.sync.conftest import MODEL, Desk, Team

Pair = tuple[Desk, Desk]


def raw(name: str, number: int = 1) -> str:
    return f"data/{MODEL.type}/{MODEL.id}/{name}/{number}/raw"


def rewrite_newest_commit(team: Team, old: str, new: str) -> None:
    key = max(team.objects("_log/") + team.objects("infra/_log/"))
    (info,) = team.memory.list(key)
    body = team.memory.get(info.key).body
    assert old.encode() in body
    team.memory.put(info.key, body.replace(old.encode(), new.encode()), Overwrite())


def test_metadata_that_cannot_be_used_fails_alone(team: Team, pair: Pair) -> None:
    """A version whose metadata in the log is none that we understand is reported; everything else is fetched."""
    ann, bob = pair
    for name in ("a", "b", "c"):
        ann.put(name, name)
    ann.push()
    rewrite_newest_commit(
        team, '"name":"b","version":1,"contentType":"text/plain"', '"name":"b","version":1,"contentType":7'
    )
    bob.pull()
    hydrated = bob.hydrate()
    assert [path for path, _ in hydrated.failures] == [raw("b")]
    assert sorted(row.data_name for row in bob.rows()) == ["a", "c"]
    assert bob.versions("a") == {1: "a"}
    assert [letter.path for letter in bob.state.dead_letters.of_namespace(bob.namespace.name)] == [raw("b")]


def test_checkpoint_that_says_other_than_its_segments_is_skipped(team: Team, pair: Pair) -> None:
    """A checkpoint whose segments are whole but not what it says is gone around: the log itself has everything."""
    ann, bob = pair
    ann.put("a", "1")
    ann.push()
    log = Log(ann.store, ann.layout)
    Checkpointer(log, ann.clock, ann.ids, "t").write(read_position(ann.clone))
    (info,) = team.memory.list(ann.layout.prefix_of("_checkpoints"))
    document = json.loads(team.memory.get(info.key).body)
    document["base"][0]["rows"] += 1
    team.memory.put(info.key, json.dumps(document).encode(), Overwrite())
    pulled = bob.pull()
    assert (pulled.checkpoint, pulled.position.seq) == (0, 1)
    assert bob.versions("a") == {1: "1"}


def test_numbers_that_no_database_holds_are_damage(team: Team, pair: Pair) -> None:
    """A tombstone, which may follow a gap, with a number beyond all bounds is damage like any other."""
    ann, bob = pair
    ann.put("a", "1")
    ann.push()
    commit = json.loads(team.memory.get(ann.layout.log_key(1)).body)
    huge = 9_999_999_999_999_999_999
    commit |= {"seq": huge, "kind": "tombstone", "put": [], "artifacts": [], "parent": commit["id"]}
    team.memory.put(ann.layout.log_key(huge), json.dumps(commit).encode(), Create())
    with pytest.raises(DataError) as caught:
        bob.pull()
    assert caught.value.key == ann.layout.log_key(huge).text
