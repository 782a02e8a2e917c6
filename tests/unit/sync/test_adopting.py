from __future__ import annotations

import pytest

from swampsync.catalog.files import FileState
from swampsync.sync.adopting import Adopter
from swampsync.sync.status import read_sync_status
from tests.unit.sync.conftest import MODEL, Desk, Team

Pair = tuple[Desk, Desk]


def lose_state(desk: Desk) -> None:
    """Begin the state and the catalog anew, as when their files were lost; the copy stays."""
    desk.state.close()
    desk.catalog.close()


@pytest.mark.holds("I1")
def test_pending_version_survives_the_loss_of_the_state(pair: Pair) -> None:
    """A version above the log's highest number is pending again, and the next push publishes it."""
    ann, bob = pair
    ann.put("state", "published")
    ann.push()
    ann.put("state", "pending")
    lose_state(ann)
    ann.pull()
    adopted = Adopter(ann.clone, ann.copy).adopt()
    assert (adopted.here, len(adopted.pending)) == (1, 1)
    ann.push()
    bob.pull()
    assert bob.versions("state") == {1: "published", 2: "pending"}


def test_deleted_version_does_not_come_back_after_the_loss_of_the_state(pair: Pair) -> None:
    """A local version that others deleted is kept aside, shown by status, and never published by itself."""
    ann, bob = pair
    for content in ("one", "two"):
        ann.put("state", content)
    ann.push()
    bob.pull()
    bob.delete("state", 1)
    bob.push()
    lose_state(ann)
    ann.pull()
    Adopter(ann.clone, ann.copy).adopt()
    assert ann.versions("state") == {2: "two"}
    assert ann.work.is_empty()
    assert read_sync_status(ann.clone).kept_aside == (
        f"data/{MODEL.type}/{MODEL.id}/state/1/metadata.yaml",
        f"data/{MODEL.type}/{MODEL.id}/state/1/raw",
    )


def test_edited_file_is_kept_aside(pair: Pair) -> None:
    """A file whose content is not the log's is kept aside, and the log's content is fetched when it is read."""
    ann, _ = pair
    ann.put("state", "one")
    ann.push()
    raw = f"data/{MODEL.type}/{MODEL.id}/state/1/raw"
    ann.copy.write_bytes(raw, b"edited")
    lose_state(ann)
    ann.pull()
    Adopter(ann.clone, ann.copy).adopt()
    assert ann.versions("state") == {1: "one"}
    assert read_sync_status(ann.clone).kept_aside == (raw,)


def test_data_that_moves_in_is_recorded_whole(team: Team, pair: Pair) -> None:
    """Everything that lies in a copy when data moves in is published: versions with their exact text, other files."""
    ann, bob = pair
    ann.put("state", "one")
    ann.write_file("outputs/run.txt", "out")
    path = f"data/{MODEL.type}/{MODEL.id}/state/1/metadata.yaml"
    text = ann.copy.read(path) + b"# written by hand\n"
    ann.copy.write_bytes(path, text)
    lose_state(ann)
    ann.pull()
    assert len(Adopter(ann.clone, ann.copy, is_ours=True, kind="setup").adopt().pending) == 2
    ann.push()
    bob.pull()
    bob.hydrate()
    assert bob.copy.read(path) == text
    assert bob.copy.read("outputs/run.txt") == b"out"


@pytest.mark.holds("I2")
def test_replaced_log_keeps_what_is_pending(team: Team, pair: Pair) -> None:
    """When the bucket's log is another one, pending work stays, and content that it does not know is kept aside."""
    ann, bob = pair
    ann.put("state", "old")
    ann.push()
    bob.pull()
    bob.hydrate()
    bob.put("mine", "pending")
    for key in team.objects():
        team.memory.delete(next(info.key for info in team.memory.list(key)))
    carol = team.desk("carol")
    carol.put("other", "new")
    carol.push()
    pulled = bob.pull()
    assert pulled.is_replaced
    assert sorted(row.data_name for row in bob.rows()) == ["mine", "other"]
    assert read_sync_status(bob.clone).kept_aside == (f"data/{MODEL.type}/{MODEL.id}/state/1/raw",)
    bob.push()
    carol.pull()
    assert carol.versions("mine") == {1: "pending"}
    record = bob.state.files.find(bob.namespace.name, f"data/{MODEL.type}/{MODEL.id}/other/1/raw")
    assert record is not None
    assert record.state is FileState.REMOTE
