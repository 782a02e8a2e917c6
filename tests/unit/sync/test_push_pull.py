from __future__ import annotations

import pytest

from swampsync.catalog.files import FileState
from swampsync.disk import WriteMode
from swampsync.errors import Refused
from swampsync.log.catch_up import read_state
from swampsync.sync.push import Pusher
from swampsync.sync.push_plan import PushLimits
from swampsync.sync.status import read_sync_status
from tests.unit.sync.conftest import MODEL, Desk, Team

Pair = tuple[Desk, Desk]


@pytest.mark.holds("I1")
def test_version_that_one_clone_pushed_is_read_by_another(pair: Pair) -> None:
    """What one clone puts and pushes, another one has after a pull, content included."""
    ann, bob = pair
    ann.put("state", "one")
    assert ann.push().put == 1
    assert bob.pull().commits == 1
    assert [(row.data_name, row.version, row.is_latest) for row in bob.rows()] == [("state", 1, 1)]
    assert bob.versions("state") == {1: "one"}
    assert ann.work.is_empty()


def test_pull_of_nothing_new_is_one_request(team: Team, pair: Pair) -> None:
    """A pull that finds nothing new makes exactly one request."""
    ann, bob = pair
    ann.put("state", "one")
    ann.push()
    bob.pull()
    before = team.counter.snapshot()
    assert bob.pull().is_nothing_new
    assert (team.counter.snapshot() - before).requests == 1


def test_push_of_nothing_writes_nothing(team: Team, pair: Pair) -> None:
    """A push without anything pending creates no object, so a no-op leaves no commit."""
    pair[0].push()
    assert team.objects() == []


def test_one_changed_artifact_takes_few_requests(team: Team, pair: Pair) -> None:
    """Publishing one version takes a listing, its two objects and the commit."""
    ann, _ = pair
    ann.put("state", "one")
    before = team.counter.snapshot()
    ann.push()
    spent = team.counter.snapshot() - before
    assert spent.requests <= 6
    assert spent.bytes_up + spent.bytes_down < 64 * 1024


@pytest.mark.holds("I4")
def test_push_writes_under_its_namespace_only(team: Team, pair: Pair) -> None:
    """Every object of a push lies under the namespace, and no local file of ours is one of them."""
    ann, _ = pair
    ann.put("state", "one")
    ann.write_file("auto-definitions/command/shell/vpc.yaml", "id: x\n")
    ann.push()
    prefix = "" if team.namespace.is_solo else "infra/"
    assert all(
        key.startswith((f"{prefix}data/", f"{prefix}_log/", f"{prefix}auto-definitions/")) for key in team.objects()
    )
    assert not [key for key in team.objects() if key.endswith(("latest", ".lock", ".db"))]


@pytest.mark.holds("I3")
def test_same_number_written_twice_is_renumbered(pair: Pair) -> None:
    """Two clones that put the same number both keep their version; the later one gets the next number."""
    ann, bob = pair
    ann.put("state", "ann")
    bob.put("state", "bob")
    ann.push()
    pushed = bob.push()
    ann.pull()
    assert ann.versions("state") == bob.versions("state") == {1: "ann", 2: "bob"}
    assert pushed.put == 1
    assert bob.artifacts.read(MODEL, "state").version == 2
    assert ann.rows() == bob.rows()


@pytest.mark.holds("I3")
def test_lost_race_for_the_commit_renumbers(team: Team, pair: Pair) -> None:
    """Whoever pulled before the other pushed is refused by the log, renumbers, and publishes."""
    ann, bob = pair
    ann.put("state", "ann")
    bob.put("state", "bob")
    stale = bob.pull()
    ann.push()
    pushed = Pusher(bob.clone, bob.copy).push(stale)
    assert pushed.seq == 2
    ann.pull()
    assert ann.versions("state") == bob.versions("state") == {1: "ann", 2: "bob"}
    assert ann.rows() == bob.rows()


def test_deletion_travels_and_does_not_come_back(pair: Pair) -> None:
    """A deleted version goes from other clones, files included, and no later push brings it back."""
    ann, bob = pair
    for content in ("one", "two"):
        ann.put("state", content)
    ann.push()
    bob.pull()
    bob.hydrate()
    ann.delete("state", 1)
    ann.push(PushLimits(is_confirmed=True))
    bob.pull()
    assert bob.versions("state") == {2: "two"}
    assert bob.copy.stat(f"data/{MODEL.type}/{MODEL.id}/state/1/raw") is None
    bob.put("other", "x")
    bob.push()
    ann.pull()
    assert ann.versions("state") == {2: "two"}


def test_number_of_a_deleted_version_is_not_given_again(pair: Pair) -> None:
    """After the highest version is deleted everywhere, the next put is above it, in every clone."""
    ann, bob = pair
    ann.put("state", "one")
    ann.push()
    ann.delete("state", 1)
    ann.push(PushLimits(is_confirmed=True))
    bob.pull()
    assert bob.put("state", "again").version == 2


def test_put_and_delete_before_a_push_publishes_nothing(team: Team, pair: Pair) -> None:
    """A version that was never uploaded vanishes without a commit."""
    ann, _ = pair
    ann.put("state", "one")
    ann.delete("state", 1)
    ann.push()
    assert team.objects() == []
    assert ann.rows() == []


def test_file_changed_on_both_sides_is_kept_twice(pair: Pair) -> None:
    """Of two changes of one file the first published stays at its path, the other lies beside it."""
    ann, bob = pair
    ann.write_file("files/notes.txt", "base")
    ann.push()
    bob.pull()
    bob.hydrate()
    ann.write_file("files/notes.txt", "ann")
    bob.write_file("files/notes.txt", "bob")
    ann.push()
    bob.push()
    ann.pull()
    assert ann.files() == bob.files()
    assert len(ann.files()) == 2
    (beside,) = [path for path in ann.files() if ".conflict-" in path]
    assert bob.copy.read(beside) == b"bob"
    bob.hydrate()
    assert bob.copy.read("files/notes.txt") == b"ann"


def test_change_wins_over_a_removal(pair: Pair) -> None:
    """A file removed on one side and changed on the other exists afterwards, whoever was first."""
    ann, bob = pair
    ann.write_file("files/a", "base")
    ann.write_file("files/b", "base")
    ann.push()
    bob.pull()
    bob.hydrate()
    ann.write_file("files/a", "changed")
    ann.remove_file("files/b")
    bob.remove_file("files/a")
    bob.write_file("files/b", "changed")
    ann.push(PushLimits(is_confirmed=True))
    bob.push(PushLimits(is_confirmed=True))
    ann.pull()
    assert set(ann.files()) == set(bob.files()) == {"files/a", "files/b"}


@pytest.mark.holds("I12")
def test_path_used_before_gets_a_key_of_its_own(team: Team, pair: Pair) -> None:
    """Content put again at a path that was used goes to a fresh key; the old object is left alone."""
    ann, bob = pair
    ann.write_file("files/a", "1")
    ann.push()
    ann.write_file("files/a", "2")
    ann.push()
    ann.remove_file("files/a")
    ann.push(PushLimits(is_confirmed=True))
    bob.pull()
    bob.write_file("files/a", "3")
    bob.push()
    assert len([key for key in team.objects() if "/a" in key]) == 3
    ann.pull()
    ann.hydrate()
    assert ann.copy.read("files/a") == b"3"


def test_unreadable_file_does_not_keep_the_rest(pair: Pair) -> None:
    """One version whose content is gone stays pending as a dead letter; the rest is published."""
    ann, bob = pair
    for name in ("a", "b", "c"):
        ann.put(name, name)
    ann.disk.unlink(f"{ann.artifacts.artifact_path(MODEL, 'b')}/1/raw")
    pushed = ann.push()
    assert pushed.put == 2
    assert [path.rpartition("/")[0].rpartition("/")[2] for path, _ in pushed.failures] == ["b"]
    assert [d.attempts for d in ann.state.dead_letters.of_namespace(ann.namespace.name)] == [1]
    bob.pull()
    assert sorted(row.data_name for row in bob.rows()) == ["a", "c"]


def test_failure_is_tried_again_and_forgotten_when_it_arrives(team: Team, pair: Pair) -> None:
    """Every push tries again and counts; once the content is there it is published, and the letter is gone."""
    ann, bob = pair
    ann.put("b", "b")
    raw = f"{ann.artifacts.artifact_path(MODEL, 'b')}/1/raw"
    ann.disk.unlink(raw)
    for requests in (2, 1):
        before = team.counter.snapshot()
        assert [reason for _, reason in ann.push().failures] == ["its content is missing from the local copy"]
        assert (team.counter.snapshot() - before).requests == requests  # nothing but the look at the log
        team.clock.advance(60)
    (letter,) = read_sync_status(ann.clone).dead_letters
    assert (letter.attempts, letter.last_error) == (2, "its content is missing from the local copy")
    assert letter.last_at > letter.first_at
    with ann.disk.open_write(raw, WriteMode.CREATE) as file:
        file.write(b"b")
    assert ann.push().failures == []
    assert read_sync_status(ann.clone).dead_letters == ()
    assert ann.state.dead_letters.of_namespace(ann.namespace.name) == []
    bob.pull()
    assert bob.versions("b") == {1: "b"}


def test_failure_of_what_was_deleted_since_is_no_failure(pair: Pair) -> None:
    """A version that could not be published and was deleted is not counted among the dead letters any more."""
    ann, _ = pair
    ann.put("b", "b")
    ann.disk.unlink(f"{ann.artifacts.artifact_path(MODEL, 'b')}/1/raw")
    ann.push()
    ann.delete("b", 1)
    assert read_sync_status(ann.clone).dead_letters == ()
    ann.put("c", "c")
    ann.push(PushLimits(is_confirmed=True))
    assert ann.state.dead_letters.of_namespace(ann.namespace.name) == []


@pytest.mark.parametrize("count", [1, 4, 12])
def test_push_refuses_to_remove_most_of_a_namespace(team: Team, pair: Pair, count: int) -> None:
    """Removing more than half of the files needs a confirmation, however few they are; nothing is written before it."""
    ann, _ = pair
    names = [f"n{number:02d}" for number in range(count)]
    for name in names:
        ann.put(name, name)
    ann.push()
    before = team.objects()
    doomed = names[: count // 2 + 1]
    for name in doomed:
        ann.delete(name, 1)
    with pytest.raises(Refused, match=f"would remove {len(doomed)} of {count} .* {count // 2} are allowed"):
        ann.push()
    with pytest.raises(Refused, match=f"{len(doomed) - 1} are allowed"):
        ann.push(PushLimits(max_delete=len(doomed) - 1))
    assert team.objects() == before
    assert ann.push(PushLimits(max_delete=len(doomed))).removed == len(doomed)


def test_half_of_a_namespace_may_go(pair: Pair) -> None:
    """What is not more than half passes without a question."""
    ann, _ = pair
    for name in "abcd":
        ann.put(name, name)
    ann.push()
    for name in "ab":
        ann.delete(name, 1)
    assert ann.push().removed == 2


def test_removals_that_were_asked_about_do_not_count(pair: Pair) -> None:
    """What the command itself asked about passes; what was recorded before is held to the half all the same."""
    ann, _ = pair
    for name in "abcd":
        ann.put(name, name)
    ann.push()
    for name in "abcd":
        ann.delete(name, 1)
    asked = frozenset(f"data/{MODEL.type}/{MODEL.id}/{name}/1" for name in "abcd")
    with pytest.raises(Refused, match="would remove 3 of 4"):
        ann.push(PushLimits(asked=frozenset(sorted(asked)[:1])))
    assert ann.push(PushLimits(asked=asked)).removed == 4


def test_push_stops_before_the_first_write_if_it_needs_too_many_requests(team: Team, pair: Pair) -> None:
    """With a limit of requests that the plan exceeds, no object is written."""
    ann, _ = pair
    ann.put("state", "one")
    with pytest.raises(Refused, match="requests"):
        ann.push(PushLimits(max_requests=1))
    assert team.objects() == []


def test_lazy_pull_writes_no_file(pair: Pair) -> None:
    """A pull without hydration changes the databases only."""
    ann, bob = pair
    ann.put("state", "one")
    ann.push()
    bob.pull()
    assert not bob.disk_has("state")
    record = bob.state.files.find(bob.namespace.name, f"data/{MODEL.type}/{MODEL.id}/state/1/raw")
    assert record is not None
    assert record.state is FileState.REMOTE


def test_hydrated_tree_is_a_tree_of_swamp(pair: Pair) -> None:
    """After hydration the copy holds metadata, content and marker as they were written."""
    ann, bob = pair
    for content in ("one", "two"):
        ann.put("state", content)
    ann.push()
    bob.pull()
    assert bob.hydrate().files == 2
    assert bob.artifacts.scan(MODEL, "state").versions == ann.artifacts.scan(MODEL, "state").versions
    assert bob.artifacts.read(MODEL, "state").version == 2
    assert bob.hydrate().files == 0


@pytest.mark.holds("I5")
def test_state_of_every_clone_is_the_replay_of_the_log(pair: Pair) -> None:
    """What a clone's databases say is what a replay of the log says."""
    ann, bob = pair
    ann.put("state", "one")
    ann.write_file("files/a", "1")
    ann.push()
    bob.pull()
    bob.put("state", "two")
    bob.push()
    ann.pull()
    state, _ = read_state(ann.clone.log)
    assert {path: file.sha256 for path, file in state.files.items()} == ann.files() == bob.files()
    assert [row.path for row in state.artifacts()] == [
        f"data/{row.type_normalized}/{row.model_id}/{row.data_name}/{row.version}/metadata.yaml" for row in ann.rows()
    ]


def test_own_push_is_no_news(team: Team, pair: Pair) -> None:
    """After a push, the next sync finds nothing to push or pull: a round trip uploads nothing."""
    ann, _ = pair
    ann.put("state", "one")
    ann.push()
    before = team.counter.snapshot()
    assert ann.pull().is_nothing_new
    assert ann.push().seq == 0
    assert (team.counter.snapshot() - before).requests == 2


def test_same_content_changed_with_equal_size_is_pulled(pair: Pair) -> None:
    """A change that keeps the size reaches others: content is told apart by digest, never by size or time."""
    ann, bob = pair
    ann.write_file("files/a", "1")
    ann.push()
    bob.pull()
    bob.hydrate()
    ann.write_file("files/a", "2")
    ann.push()
    bob.pull()
    bob.hydrate()
    assert bob.copy.read("files/a") == b"2"


def test_pull_keeps_what_is_pending(pair: Pair) -> None:
    """A pull neither forgets nor changes unpublished puts and deletions of other artifacts."""
    ann, bob = pair
    ann.put("a", "1")
    ann.put("b", "1")
    ann.push()
    bob.pull()
    bob.put("mine", "pending")
    bob.delete("b", 1)
    ann.put("a", "2")
    ann.push()
    bob.pull()
    assert len(bob.work.entries()) == 2
    assert bob.versions("mine") == {1: "pending"}
    assert bob.versions("b") == {}


def test_large_push_is_one_commit_with_segments(team: Team, pair: Pair) -> None:
    """Above 1,000 entries the rows lie in segments; other clones read them from there, and the pusher does not."""
    ann, bob = pair
    for number in range(520):
        ann.put(f"item-{number:03d}", str(number))
    before = team.counter.snapshot()
    assert ann.push().put == 520
    # Two listings, as there was neither log nor checkpoint; two objects a version; one segment; the commit.
    assert (team.counter.snapshot() - before).requests == 2 + 2 * 520 + 1 + 1
    prefix = "" if team.namespace.is_solo else "infra/"
    assert len(team.objects(f"{prefix}_log/")) == 1
    assert len(team.objects(f"{prefix}_segments/")) == 1
    bob.pull()
    assert bob.rows() == ann.rows()
    assert len(bob.rows()) == 520


def test_checkpoint_is_written_after_many_commits_and_begun_from(team: Team, pair: Pair) -> None:
    """Whoever finds more than 64 commits since the newest checkpoint writes one; a new clone begins from it."""
    ann, bob = pair
    written = 0
    for number in range(70):
        ann.put("state", str(number))
        written += ann.push().wrote_checkpoint
    assert written == 1
    pulled = bob.pull()
    assert pulled.checkpoint == 65
    assert pulled.commits == 5
    assert bob.rows() == ann.rows()
