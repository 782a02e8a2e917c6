from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest

from swampsync.backends.base import Capabilities, ObjectStore, Overwrite, PutMode, PutResult
from swampsync.backends.counting import Counting, RequestCounter
from swampsync.backends.memory import MemoryStore
from swampsync.backends.prefixed import Prefixed
from swampsync.backends.retrying import Retrying
from swampsync.errors import AccessDenied, Conflict, DataError, InvalidInput, LeaseLost, NotFound, Refused, Unavailable
from swampsync.layout import Layout, ObjectKey
from swampsync.namespace import SOLO, Namespace
from swampsync.registry import ClaimOutcome, MembersRecord, NamespaceRegistry, validate_registry
from swampsync.registry.bucket import BucketRegistry
from swampsync.testing.faulty_store import Call, Fault, Faulty, RandomFaults
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.swapless import Swapless

INFRA = Namespace.parse("infra")
APP = Namespace.parse("app")
SWAMPS = '{"namespace": "infra", "repoId": "", "registeredAt": "2026-01-01T00:00:00.000Z"}\n'


class _Weak(MemoryStore):
    """A store that says that it cannot swap."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(create_only=True, compare_and_swap=False)


class _PatientClock(ManualClock):
    """Time passes by waiting."""

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


_ids = count()


def held() -> None:
    """The lock of who joins is its own."""


def registry_over(store: ObjectStore, *, seed: int = 0) -> BucketRegistry:
    clock = _PatientClock()
    patient = Retrying(store, clock=clock, rng=random.Random(seed))
    layout = Layout("/repo", "/repo/.swamp/remote")
    return BucketRegistry(
        patient,
        clock,
        layout,
        new_id=lambda: f"id-{next(_ids)}",
        rng=random.Random(seed),
        make_pool=ThreadPoolExecutor,
    )


def put(store: ObjectStore, key: str, body: str = "x") -> None:
    store.put(ObjectKey.parse(key), body.encode(), Overwrite())


def keys(store: ObjectStore) -> list[str]:
    return [info.key.text for info in store.list("")]


def body(store: ObjectStore, key: str) -> bytes:
    return store.get(ObjectKey.parse(key)).body


# --- claiming ------------------------------------------------------------------------------------------------------


def test_registry_of_a_bucket_answers_what_that_of_a_directory_does(store: MemoryStore) -> None:
    """Both have one interface, which the type checker holds."""
    registry: NamespaceRegistry = registry_over(store)
    assert registry.list_namespaces() == []


def test_claim_writes_two_manifests_and_nothing_else(store: MemoryStore) -> None:
    """The manifest has swamp's bytes; ours names the first member, and a nonce."""
    assert registry_over(store).claim(INFRA, "repo-1") is ClaimOutcome.CLAIMED
    assert keys(store) == ["infra/.namespace.json", "infra/.swampsync.json"]
    manifest = json.loads(body(store, "infra/.namespace.json"))
    assert list(manifest) == ["namespace", "repoId", "registeredAt"]
    assert json.loads(body(store, "infra/.swampsync.json"))["members"] == ["repo-1"]


def test_owner_claims_again_and_others_get_the_ways_out(store: MemoryStore) -> None:
    """The owner's second claim is success; another repo's is a conflict that names owner, joining and other names."""
    registry = registry_over(store)
    registry.claim(INFRA, "repo-1")
    assert registry.claim(INFRA, "repo-1") is ClaimOutcome.OWNED
    with pytest.raises(Conflict, match="`repo-1`") as caught:
        registry.claim(INFRA, "repo-2")
    assert "namespace join infra" in (caught.value.hint or "")
    assert "namespace set NAME" in (caught.value.hint or "")


def test_of_many_racing_repos_exactly_one_gets_the_namespace(store: MemoryStore) -> None:
    """Thirty-two repos claim one namespace at once: one has it, and all others are told that he does."""
    barrier = threading.Barrier(32)

    def claim(number: int) -> str:
        barrier.wait()
        try:
            registry_over(store, seed=number).claim(INFRA, f"repo-{number}")
        except Conflict as error:
            return error.message
        return "claimed"

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(claim, range(32)))
    owner = registry_over(store).read_manifest(INFRA).repo_id
    assert outcomes.count("claimed") == 1
    assert outcomes[int(owner.removeprefix("repo-"))] == "claimed"
    assert all(f"`{owner}`" in outcome for outcome in outcomes if outcome != "claimed")


def test_clones_of_one_repo_that_race_all_have_it(store: MemoryStore) -> None:
    """Many processes of one repo that claim at once are all told that it is theirs."""
    barrier = threading.Barrier(8)

    def claim(number: int) -> ClaimOutcome:
        barrier.wait()
        return registry_over(store, seed=number).claim(INFRA, "repo-1")

    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(claim, range(8)))
    assert outcomes <= {ClaimOutcome.CLAIMED, ClaimOutcome.OWNED}
    assert registry_over(store).read_members(INFRA).members == ("repo-1",)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.DUPLICATE, Fault.THROTTLE])
@pytest.mark.parametrize("number", range(8))
def test_claim_survives_one_fault_anywhere(store: MemoryStore, number: int, fault: Fault) -> None:
    """Whatever request is lost, answered twice or not at all, the claimer ends up as the owner and first member."""
    faulty = Faulty(store, lambda call: fault if call.number == number else None)
    assert registry_over(faulty).claim(INFRA, "repo-1") in {ClaimOutcome.CLAIMED, ClaimOutcome.OWNED}
    assert registry_over(store).read_manifest(INFRA).repo_id == "repo-1"
    assert registry_over(store).read_members(INFRA).members == ("repo-1",)


def test_lost_answer_of_a_lost_race_is_a_conflict(store: MemoryStore) -> None:
    """The other one's put went first, and ours got no answer: what is read decides, not what was hoped."""

    def plan(call: Call) -> Fault | None:
        if call.method == "put" and call.key == "infra/.namespace.json":
            registry_over(store).claim(INFRA, "faster")
            return Fault.LOST_REQUEST
        return None

    with pytest.raises(Conflict, match="`faster`"):
        registry_over(Faulty(store, plan)).claim(INFRA, "repo-1")


def test_claim_that_was_cut_short_is_finished_by_the_next(store: MemoryStore) -> None:
    """Killed between the two manifests, the owner may write, and joining completes the record."""
    registry_over(store).claim(INFRA, "repo-1")
    store.delete(ObjectKey("infra/.swampsync.json"))
    registry = registry_over(store)
    registry.require_member(INFRA, "repo-1")
    with pytest.raises(Conflict):
        registry.require_member(INFRA, "repo-2")
    assert registry.join(INFRA, "repo-2", check=held).members == ("repo-1", "repo-2")


def test_manifest_without_an_owner_is_adopted_once(store: MemoryStore) -> None:
    """Of many repos that find a manifest which names nobody, exactly one becomes the first member."""
    put(store, "infra/.namespace.json", SWAMPS)
    barrier = threading.Barrier(8)

    def claim(number: int) -> bool:
        barrier.wait()
        try:
            return registry_over(store, seed=number).claim(INFRA, f"repo-{number}") is ClaimOutcome.ADOPTED
        except Conflict:
            return False

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(claim, range(8)))
    assert outcomes.count(True) == 1
    assert registry_over(store).read_members(INFRA).members == (f"repo-{outcomes.index(True)}",)


def test_look_at_a_claim_writes_nothing(store: MemoryStore) -> None:
    """What a claim would come to is said without making it."""
    registry = registry_over(store)
    assert registry.check_claim(INFRA, None) is ClaimOutcome.CLAIMED
    assert registry.check_claim(SOLO, "repo-1") is ClaimOutcome.CLAIMED
    assert keys(store) == []
    registry.claim(INFRA, "repo-1")
    assert registry.check_claim(INFRA, "repo-1") is ClaimOutcome.OWNED
    for other in ("repo-2", None):
        with pytest.raises(Conflict):
            registry.check_claim(INFRA, other)


# --- what lies there already ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["infra/_index/_meta.json", "infra/.datastore-index.json"])
def test_namespace_with_swamps_index_is_refused(store: MemoryStore, key: str) -> None:
    """Neither program may take over the other's index; a namespace beside it is no obstacle."""
    put(store, key)
    with pytest.raises(Refused, match="swamp's own index"):
        registry_over(store).claim(INFRA, "repo-1")
    assert keys(store) == [key]
    assert registry_over(store).claim(APP, "repo-1") is ClaimOutcome.CLAIMED


def test_index_of_another_namespace_is_no_obstacle(store: MemoryStore) -> None:
    """swamp may use the same bucket elsewhere, un-namespaced too."""
    put(store, "_index/_meta.json")
    put(store, ".datastore-index.json")
    put(store, "app/_index/_meta.json")
    assert registry_over(store).claim(INFRA, "repo-1") is ClaimOutcome.CLAIMED


@pytest.mark.parametrize("key", ["infra/reports/2026.pdf", "infra/terraform.tfstate", "infra/data/x/y/z/1/raw"])
def test_namespace_that_holds_other_peoples_objects_is_refused(store: MemoryStore, key: str) -> None:
    """Vacuum removes what is in no commit, so nobody begins on top of somebody's files; what was found is said."""
    put(store, key)
    with pytest.raises(Refused, match=f"`infra/{key.split('/')[1]}") as caught:
        registry_over(store).claim(INFRA, "repo-1")
    assert "--prefix" in (caught.value.hint or "")
    assert keys(store) == [key]


def test_namespace_whose_log_remains_is_claimed_again(store: MemoryStore) -> None:
    """A deleted namespace leaves its log, and a later claim goes on there; scratch objects do not count."""
    put(store, "infra/_log/00000000000000000007.json")
    put(store, "infra/data/x/y/z/1/raw")
    put(store, "app/.swampsync-doctor/1/2")
    assert registry_over(store).claim(INFRA, "repo-1") is ClaimOutcome.CLAIMED
    assert registry_over(store).claim(APP, "repo-1") is ClaimOutcome.CLAIMED


def test_unnamespaced_place_belongs_to_the_first_project(store: MemoryStore) -> None:
    """Solo in a bucket is claimed too: another project's repo is refused and told whose it is."""
    assert registry_over(store).claim(SOLO, "repo-1") is ClaimOutcome.CLAIMED
    assert keys(store) == [".swampsync.json"]
    put(store, "_log/00000000000000000001.json")
    assert registry_over(store).claim(SOLO, "repo-1") is ClaimOutcome.OWNED
    with pytest.raises(Refused, match="repo `repo-1`") as caught:
        registry_over(store).claim(SOLO, "repo-2")
    assert "--namespace" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("key", "shown"), [("_log/1.json", "`_log/`"), ("backups/x", "`backups/`"), ("notes.txt", "`notes.txt`")]
)
def test_unnamespaced_place_with_other_things_is_refused(store: MemoryStore, key: str, shown: str) -> None:
    """Without a record of ours, whatever lies there is somebody else's, and is named."""
    put(store, key)
    with pytest.raises(Refused, match=shown):
        registry_over(store).claim(SOLO, "repo-1")
    assert keys(store) == [key]


def test_unnamespaced_place_beside_namespaces_is_free(store: MemoryStore) -> None:
    """Directories with a manifest are other namespaces and no part of solo's tree; swamp's index at the root is not."""
    registry_over(store).claim(INFRA, "repo-1")
    put(store, ".locks/infra.lock")
    assert registry_over(store).claim(SOLO, "repo-2") is ClaimOutcome.CLAIMED
    store.delete(ObjectKey(".swampsync.json"))
    put(store, ".datastore-index.json")
    with pytest.raises(Refused, match="swamp's own index"):
        registry_over(store).claim(SOLO, "repo-2")


def test_record_without_members_is_taken_by_the_first(store: MemoryStore) -> None:
    """What `doctor` noted of the un-namespaced place stays when a repo claims it."""
    registry_over(store).change_members(SOLO, lambda r: replace(r, store_promises={"safe": True}))
    assert registry_over(store).claim(SOLO, "repo-1") is ClaimOutcome.CLAIMED
    record = registry_over(store).read_members(SOLO)
    assert (record.members, record.store_promises) == (("repo-1",), {"safe": True})


# --- members -------------------------------------------------------------------------------------------------------


def test_first_write_claims_and_members_may_write(store: MemoryStore) -> None:
    """An unclaimed namespace is claimed by the first write; afterwards owner and members may write, others not."""
    registry = registry_over(store)
    registry.require_member(INFRA, "repo-1")
    assert registry.read_manifest(INFRA).repo_id == "repo-1"
    registry.require_member(INFRA, "repo-1")
    with pytest.raises(Conflict, match="repo-1"):
        registry.require_member(INFRA, "repo-2")
    assert registry.join(INFRA, "repo-2", check=held).members == ("repo-1", "repo-2")
    registry.require_member(INFRA, "repo-2")
    assert registry.claim(INFRA, "repo-2") is ClaimOutcome.OWNED


def test_membership_of_the_owner_costs_one_request(store: MemoryStore) -> None:
    """The question that precedes every write is one request for the owner, two for a member, none in solo."""
    registry_over(store).claim(INFRA, "repo-1")
    registry_over(store).join(INFRA, "repo-2", check=held)
    for repo_id, requests in (("repo-1", 1), ("repo-2", 2)):
        counter = RequestCounter()
        registry_over(Counting(store, counter)).require_member(INFRA, repo_id)
        assert counter.snapshot().requests == requests, repo_id
    counter = RequestCounter()
    registry_over(Counting(store, counter)).require_member(SOLO, "repo-1")
    assert counter.snapshot().requests == 0


def test_join_of_an_unclaimed_namespace_is_not_found(store: MemoryStore) -> None:
    """There is nothing to join, and nothing is created."""
    with pytest.raises(NotFound):
        registry_over(store).join(INFRA, "repo-1", check=held)
    assert keys(store) == []


def test_join_without_its_lock_puts_nothing(store: MemoryStore) -> None:
    """A lock that is lost before the first put, or before the next after a lost race, ends the joining there."""
    registry = registry_over(store)
    registry.claim(INFRA, "repo-1")
    looks: list[bytes] = []

    def check() -> None:
        looks.append(body(store, "infra/.swampsync.json"))
        if len(looks) == 2:
            raise LeaseLost("gone")
        registry_over(store, seed=1).change_members(INFRA, lambda r: r.with_members(["repo-3"]))

    with pytest.raises(LeaseLost):
        registry.join(INFRA, "repo-2", check=check)
    assert len(looks) == 2
    assert body(store, "infra/.swampsync.json") == looks[1]
    assert registry.read_members(INFRA).members == ("repo-1", "repo-3")


def test_join_keeps_everything_else(store: MemoryStore) -> None:
    """Metadata, retention and the fields of later versions survive a change."""
    registry_over(store).claim(INFRA, "repo-1")
    put(store, "infra/.swampsync.json", '{"members": ["repo-3"], "metadata": {"env": "prod"}, "future": [1]}')
    registry_over(store).join(INFRA, "repo-2", check=held)
    written = json.loads(body(store, "infra/.swampsync.json"))
    assert written.pop("nonce")
    assert written == {"members": ["repo-1", "repo-2", "repo-3"], "metadata": {"env": "prod"}, "future": [1]}


def test_no_member_of_many_that_join_at_once_is_lost(store: MemoryStore) -> None:
    """Sixteen repos join at once, by compare-and-swap, with no lock held: all are members."""
    registry_over(store).claim(INFRA, "repo-00")
    barrier = threading.Barrier(16)

    def join(number: int) -> None:
        barrier.wait()
        registry_over(store, seed=number).join(INFRA, f"repo-{number:02d}", check=held)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(join, range(16)))
    assert registry_over(store).read_members(INFRA).members == tuple(f"repo-{n:02d}" for n in range(16))


@pytest.mark.parametrize("seed", range(10))
def test_changes_survive_a_bad_connection(store: MemoryStore, seed: int) -> None:
    """With a third of all requests lost or unanswered, each of ten joins arrives and none is undone."""
    registry_over(store).claim(INFRA, "repo-0")
    plan = RandomFaults(
        random.Random(seed), rates={Fault.LOST_ANSWER: 0.2, Fault.LOST_REQUEST: 0.1, Fault.THROTTLE: 0.05}
    )
    registry = registry_over(Faulty(store, plan), seed=seed)
    for number in range(10):
        registry.join(INFRA, f"repo-{number}", check=held)
    assert registry_over(store).read_members(INFRA).members == tuple(f"repo-{n}" for n in range(10))


def test_change_that_changes_nothing_writes_nothing(store: MemoryStore) -> None:
    """Joining twice leaves the record as it is, nonce included."""
    registry_over(store).claim(INFRA, "repo-1")
    before = body(store, "infra/.swampsync.json")
    registry_over(store).join(INFRA, "repo-1", check=held)
    assert body(store, "infra/.swampsync.json") == before


def test_record_that_is_changed_all_the_time_is_given_up(store: MemoryStore) -> None:
    """Losing every swap ends in an error that may be tried again, not in a loop."""
    registry_over(store).claim(INFRA, "repo-1")
    turns = count()

    def disturb(record: MembersRecord) -> MembersRecord:
        put(store, "infra/.swampsync.json", json.dumps({"members": [f"other-{next(turns)}"]}))
        return record.with_members(["repo-2"])

    with pytest.raises(Unavailable, match="changed by others"):
        registry_over(store).change_members(INFRA, disturb)


def test_store_without_swaps_is_read_back() -> None:
    """The weaker mode notices that somebody else's record came right after its own, and adds itself to that one."""

    class Stolen(_Weak):
        thefts = 1

        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            result = super().put(key, body, mode)
            if b"repo-2" in body and self.thefts:
                self.thefts = 0
                super().put(key, b'{"members": ["repo-1", "repo-3"], "nonce": "theirs"}', Overwrite())
            return result

    weak = Stolen(ManualClock())
    registry_over(weak).claim(INFRA, "repo-1")
    assert registry_over(weak).join(INFRA, "repo-2", check=held).members == ("repo-1", "repo-2", "repo-3")


def test_record_is_changed_where_the_first_swap_is_refused() -> None:
    """A store that lacks swaps without saying so gets the weaker way at once, and the change is there."""
    bucket = Swapless(ManualClock())
    registry_over(bucket).claim(INFRA, "repo-1")
    assert registry_over(bucket).join(INFRA, "repo-2", check=held).members == ("repo-1", "repo-2")
    assert registry_over(bucket).join(INFRA, "repo-3", check=held).members == ("repo-1", "repo-2", "repo-3")
    assert registry_over(bucket).read_members(INFRA).members == ("repo-1", "repo-2", "repo-3")


# --- reading -------------------------------------------------------------------------------------------------------


def test_reads_create_nothing(store: MemoryStore) -> None:
    """Listing, describing and checking leave the bucket as it is."""
    registry = registry_over(store)
    assert registry.list_namespaces() == []
    assert registry.read_members(INFRA) == MembersRecord()
    with pytest.raises(NotFound):
        registry.describe(INFRA, repo_namespace=INFRA)
    assert [r.passed for r in validate_registry(registry, repo_namespace=INFRA, repo_id="r")] == [True]
    assert keys(store) == []


def test_scan_names_what_it_cannot_read_and_goes_on(store: MemoryStore) -> None:
    """A damaged manifest, and one of another namespace, are problems; directories without one are none."""
    registry_over(store).claim(INFRA, "repo-1")
    registry_over(store).claim(APP, "repo-2")
    put(store, "broken/.namespace.json", "{")
    put(store, "copied/.namespace.json", SWAMPS)
    put(store, "data/x/y/z/1/raw")
    put(store, "_log/1.json")
    scan = registry_over(store).scan()
    assert [m.namespace for m in scan.manifests] == ["app", "infra"]
    assert [p.key for p in scan.problems] == ["broken/.namespace.json", "copied/.namespace.json"]


def test_scan_reports_a_namespace_that_may_not_be_read(store: MemoryStore) -> None:
    """A policy that hides one namespace hides no other."""

    class Denying(Prefixed):
        def get(self, key, *, start=0, length=None):
            if key.text.startswith("secret/"):
                raise AccessDenied("no", key=key.text)
            return super().get(key, start=start, length=length)

    registry_over(store).claim(INFRA, "repo-1")
    put(store, "secret/.namespace.json", SWAMPS)
    scan = registry_over(Denying(store, INFRA)).scan()
    assert [m.namespace for m in scan.manifests] == ["infra"]
    assert [p.key for p in scan.problems] == ["secret"]


def test_scan_needs_one_listing_and_one_request_a_directory(store: MemoryStore) -> None:
    """Forty namespaces are forty-one requests, made side by side."""
    for number in range(40):
        put(store, f"ns-{number:02d}/.namespace.json", SWAMPS.replace("infra", f"ns-{number:02d}"))
    counter = RequestCounter()
    assert len(registry_over(Counting(store, counter)).list_namespaces()) == 40
    assert counter.snapshot().requests == 41


def test_damaged_manifest_is_an_error_that_names_the_key(store: MemoryStore) -> None:
    """Asked for that one namespace, nobody guesses; and it is not claimed over."""
    put(store, "infra/.namespace.json", "{")
    registry = registry_over(store)
    for act in (lambda: registry.read_manifest(INFRA), lambda: registry.claim(INFRA, "r")):
        with pytest.raises(DataError) as caught:
            act()
        assert caught.value.key == "infra/.namespace.json"


def test_solo_has_no_manifest(store: MemoryStore) -> None:
    """There is no owner of a namespace without a name to read."""
    with pytest.raises(InvalidInput, match="solo"):
        registry_over(store).read_manifest(SOLO)


@pytest.mark.holds("I4")
def test_registry_writes_inside_the_namespace_only(store: MemoryStore) -> None:
    """Claiming, joining and noting put two keys, both in the namespace that they are about."""
    written: list[str] = []

    def watch(call: Call) -> Fault | None:
        if call.method in {"put", "put_stream", "delete", "delete_many"}:
            written.append(call.key)
        return None

    registry = registry_over(Faulty(store, watch))
    registry.claim(INFRA, "repo-1")
    registry.join(INFRA, "repo-2", check=held)
    registry.change_members(INFRA, lambda r: replace(r, metadata={"env": "prod"}))
    assert set(written) == {"infra/.namespace.json", "infra/.swampsync.json"}
