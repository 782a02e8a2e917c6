from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from swampsync.backends.base import (
    BucketNotFound,
    IfMatch,
    ObjectStore,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
)
from swampsync.backends.bucket_rules import BucketVersions, LifecycleEffect, LifecycleRule
from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.errors import AccessDenied, Conflict, InvalidInput, LeaseLost, NotFound, Refused, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.locks.guard import HeldLocks
from swampsync.maintenance.doctor_backend import Thoroughness
from swampsync.namespace import SOLO, Namespace
from swampsync.repo.bucket_probe import probe_bucket
from swampsync.repo.setup_choice import BucketChoice
from swampsync.repo.setup_s3 import BucketSetup, setup_s3
from swampsync.testing.faulty_store import Call, Fault, Faulty, SimulatedCrash
from swampsync.testing.liars import CheckThenWriter, CreateIgnorer, MatchIgnorer
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.swapless import Swapless
from tests.unit.repo.buckets import MemoryBuckets, make_repo

INFRA = Namespace.parse("infra")
ASKED = BucketChoice(config={"bucket": "team"}, namespace="infra")
SOLO_ASKED = BucketChoice(config={"bucket": "team"})


@pytest.fixture
def server() -> MemoryBuckets:
    return MemoryBuckets()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def set_up(server: MemoryBuckets, repo: Path, choice: BucketChoice = ASKED, **environ: str) -> BucketSetup:
    parts = server.parts(repo, **environ)
    try:
        return setup_s3(parts, choice)
    finally:
        parts.close()


def configuration(repo: Path) -> str:
    return (repo / ".swamp.yaml").read_text()


def put(server: MemoryBuckets, key: str) -> None:
    server.store().put(ObjectKey.parse(key), b"x", Overwrite())


# --- what it does --------------------------------------------------------------------------------------------------


def test_setup_claims_and_writes_the_configuration_in_place(server: MemoryBuckets, repo: Path) -> None:
    """The claim and the store's record are all that stays in the bucket; the file gets one block, and no other byte."""
    before = configuration(repo)
    choice = BucketChoice(
        config={"bucket": "team", "region": "eu-west-1", "sse": "AES256"}, namespace="infra", hydration="lazy"
    )
    done = set_up(server, repo, choice)
    assert server.keys() == ["infra/.namespace.json", "infra/.swampsync.json"]
    assert configuration(repo) == before + (
        'datastore:\n  type: "@swampsync/s3"\n  config:\n    bucket: team\n    region: eu-west-1\n    sse: AES256\n'
        "  namespace: infra\n  hydrationStrategy: lazy\n"
    )
    record = server.parts(repo).registry.read_members(INFRA)
    assert record.members == ("repo-1",)
    assert record.store_promises["safe"] is True
    assert record.store_promises["promises"]["create-only"] == "kept"
    assert (done.namespace, done.hydration, done.is_created, done.warnings) == ("infra", "lazy", False, ())


def test_document_has_swamps_keys_first(server: MemoryBuckets, repo: Path) -> None:
    """Scripts that read what swamp's set-up prints find its keys; ours follow."""
    document = set_up(server, repo).to_json()
    assert list(document) == [
        "type", "path", "filesCopied", "filesPulled", "bytesCopied", "directoriesMigrated", "errors", "namespace",
        "sourcePath", "destinationPath", "warnings", "bucket", "prefix", "hydrationStrategy", "bucketCreated",
        "promises",
    ]  # fmt: skip
    assert (document["type"], document["path"]) == ("@swampsync/s3", "s3://team")
    assert json.loads(json.dumps(document)) == document


def test_setup_again_changes_nothing_and_takes_new_settings(server: MemoryBuckets, repo: Path) -> None:
    """The same command twice is success; with other settings of the same place it writes those."""
    set_up(server, repo)
    before = configuration(repo)
    put(server, "infra/_log/00000000000000000001.json")
    set_up(server, repo)
    assert configuration(repo) == before
    set_up(server, repo, replace(ASKED, config={"bucket": "team", "concurrency": 4}))
    assert "concurrency: 4" in configuration(repo)


def test_configured_directory_is_replaced_and_its_neighbours_stay(server: MemoryBuckets, tmp_path: Path) -> None:
    """`path` goes; `exclude`, `autoSync`, comments and order stay, and the configured namespace is claimed."""
    block = (
        "datastore: # where\n  type: filesystem\n  path: /nowhere\n  namespace: infra\n  autoSync: false # slow line\n"
        "  exclude: [data/tmp]\n"
    )
    repo = make_repo(tmp_path / "r", more=block)
    assert set_up(server, repo, SOLO_ASKED).namespace == "infra"
    text = configuration(repo)
    assert "path:" not in text
    for kept in ("# ours\n", "datastore: # where\n", "autoSync: false # slow line\n", "exclude: [data/tmp]\n"):
        assert kept in text


def test_repo_without_an_id_gets_one_with_the_claim(server: MemoryBuckets, tmp_path: Path) -> None:
    """The id that owns the namespace is the one that is written."""
    repo = make_repo(tmp_path / "r", repo_id=None)
    set_up(server, repo)
    owner = server.parts(repo).registry.read_manifest(INFRA).repo_id
    assert f"repoId: {owner}\n" in configuration(repo).replace('"', "")


def test_bucket_is_created_on_demand_only(server: MemoryBuckets, repo: Path) -> None:
    """A missing bucket is an error, unless it was asked for; one that exists is taken."""
    choice = BucketChoice(config={"bucket": "fresh"}, namespace="infra")
    with pytest.raises(BucketNotFound):
        set_up(server, repo, choice)
    assert set_up(server, repo, replace(choice, creates_bucket=True)).is_created
    assert not set_up(server, repo, replace(choice, creates_bucket=True)).is_created


def test_form_of_etags_that_was_found_is_written(server: MemoryBuckets, repo: Path) -> None:
    """A server that wants bare ETags need not be asked again by every command."""

    class Deaf:
        def __init__(self, store: ObjectStore) -> None:
            self._store = store

        def __getattr__(self, name: str) -> object:
            return getattr(self._store, name)

        def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
            if isinstance(mode, IfMatch):
                raise PreconditionFailed("quotes", key=key.text)
            return self._store.put(key, body, mode)

    deaf: Callable[[ObjectStore], ObjectStore] = Deaf  # type: ignore[assignment]
    server.quotings = {"quoted": deaf, "bare": lambda store: store}
    set_up(server, repo)
    assert "etagQuoting: bare\n" in configuration(repo)
    assert server.parts(repo).registry.read_members(INFRA).store_promises["etagQuoting"] == "bare"


def test_bucket_that_says_that_it_cannot_swap_is_set_up_with_a_warning(
    server: MemoryBuckets, repo: Path, tmp_path: Path
) -> None:
    """Commits are safe there; the second repo joins, the record is kept, and both are told what is weaker."""
    server.stores[("team", "")] = Swapless(SystemClock())
    first = set_up(server, repo)
    other = make_repo(tmp_path / "other", "repo-2")
    second = set_up(server, other, replace(ASKED, joins=True))
    for done in (first, second):
        assert any("locks are weaker" in warning["message"] for warning in done.warnings)
    parts = server.parts(other)
    members = parts.registry.read_members(INFRA)
    parts.close()
    assert members.members == ("repo-1", "repo-2")
    assert members.store_promises["promises"]["if-match"] == "absent"
    assert not list(server.store().list(".locks/"))


def test_checksums_that_the_bucket_wants_are_written(server: MemoryBuckets, repo: Path) -> None:
    """A bucket under Object Lock need not refuse the first put of every command."""
    server.wants_checksums = True
    set_up(server, repo)
    assert "checksum: sha256\n" in configuration(repo)


@pytest.mark.parametrize("keeps_versions", [True, False])
def test_refusal_names_the_versions_where_they_are_the_reason(
    server: MemoryBuckets, repo: Path, *, keeps_versions: bool
) -> None:
    """A server that breaks its promises in a bucket with versions may keep them in one without."""
    server.versions = BucketVersions(is_kept=keeps_versions)
    server.wrap = lambda _: CreateIgnorer(SystemClock())
    with pytest.raises(Refused, match="create-only") as caught:
        set_up(server, repo)
    assert ("without versioning" in (caught.value.hint or "")) == keeps_versions


def test_second_repo_joins(server: MemoryBuckets, repo: Path, tmp_path: Path) -> None:
    """A namespace that another repo claimed is refused with the way to share it, which then works."""
    set_up(server, repo)
    second = make_repo(tmp_path / "second", repo_id="repo-2")
    before = configuration(second)
    with pytest.raises(Conflict, match="`repo-1`") as caught:
        set_up(server, second)
    assert "--join" in (caught.value.hint or "")
    assert configuration(second) == before
    set_up(server, second, replace(ASKED, joins=True))
    assert server.parts(second).registry.read_members(INFRA).members == ("repo-1", "repo-2")
    with pytest.raises(NotFound):
        set_up(
            server, make_repo(tmp_path / "third"), BucketChoice(config={"bucket": "team"}, namespace="x", joins=True)
        )


def test_joining_stops_when_its_lock_is_lost(
    server: MemoryBuckets, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set-up that has lost the namespace's lock notes no member and writes no configuration."""
    set_up(server, repo)
    second = make_repo(tmp_path / "second", repo_id="repo-2")
    before = configuration(second)

    def lose(_held: HeldLocks) -> None:
        raise LeaseLost("gone")

    monkeypatch.setattr(HeldLocks, "check", lose)
    with pytest.raises(LeaseLost):
        set_up(server, second, replace(ASKED, joins=True))
    assert configuration(second) == before
    assert server.parts(repo).registry.read_members(INFRA).members == ("repo-1",)


def test_solo_beside_namespaces_is_warned(server: MemoryBuckets, repo: Path, tmp_path: Path) -> None:
    """Without a namespace in a bucket that has some, set-up works and says so; a variable that wins is said too."""
    set_up(server, repo)
    second = make_repo(tmp_path / "second", repo_id="repo-2")
    variable = '@swampsync/s3:{"bucket": "other"}'
    done = set_up(server, second, SOLO_ASKED, SWAMP_DATASTORE=variable)
    assert [w.get("existingNamespaces") for w in done.warnings] == [None, ["infra"]]
    assert "SWAMP_DATASTORE" in done.warnings[0]["message"]
    assert server.parts(second).registry.read_members(SOLO).members == ("repo-2",)


@pytest.mark.holds("I4")
def test_setup_writes_in_its_namespace_only(server: MemoryBuckets, repo: Path, tmp_path: Path) -> None:
    """Claim, probe and record touch `{ns}/` and nothing else; a join takes the namespace's own lock besides."""
    written: set[str] = set()

    def watch(call: Call) -> Fault | None:
        if call.method in {"put", "put_stream", "delete", "delete_many"}:
            written.add(call.key)
        return None

    server.wrap = lambda store: Faulty(store, watch)
    set_up(server, repo)
    assert all(key.startswith("infra/") for key in written)
    set_up(server, make_repo(tmp_path / "second", repo_id="repo-2"), replace(ASKED, joins=True))
    assert {key for key in written if not key.startswith("infra/")} == {".locks/infra.lock"}


def test_scratch_of_a_killed_probe_is_swept_a_day_later(server: MemoryBuckets, repo: Path) -> None:
    """What a killed set-up left in the namespace goes with a later probe; what may be in use stays."""
    old = MemoryStore(ManualClock())  # in the year 2026's past, by its own clock
    server.stores[("team", "")] = old
    put(server, "infra/.swampsync-doctor/dead/1")
    server.stores[("team", "")]._clock = SystemClock()
    put(server, "infra/.swampsync-doctor/alive/1")
    set_up(server, repo)
    assert server.keys() == [
        "infra/.namespace.json",
        "infra/.swampsync-doctor/alive/1",
        "infra/.swampsync.json",
    ]


DEAD = ("data/dead", "outputs/dead", "logs/dead", "files/dead", ".swampsync-doctor/dead")


@pytest.mark.holds("I4")
def test_uploads_of_killed_commands_are_removed_by_the_full_probe(server: MemoryBuckets, repo: Path) -> None:
    """Parts that a week-old upload left go, wherever in the namespace; those under way and of others stay."""
    set_up(server, repo)
    now = SystemClock().now()
    old, young = now - timedelta(days=8), now - timedelta(days=6)
    kept = {"infra/data/alive": young, "infra/outputs/alive": young, "app/data/dead": old, "elsewhere": old}
    server.uploads = {f"infra/{key}": old for key in DEAD} | kept
    parts = server.parts(repo)
    try:
        assert probe_bucket(parts, thoroughness=Thoroughness.QUICK).is_safe
        assert "infra/data/dead" in server.uploads
        assert probe_bucket(parts, thoroughness=Thoroughness.FULL).is_safe
    finally:
        parts.close()
    assert server.uploads == kept


def test_uploads_of_others_stay_where_the_root_is_shared(server: MemoryBuckets, repo: Path) -> None:
    """In solo mode what was left in our own directories goes, and nothing beside them."""
    set_up(server, repo, SOLO_ASKED)
    old = SystemClock().now() - timedelta(days=8)
    kept = {"app/data/dead": old, "elsewhere": old, "database/dead": old}
    server.uploads = dict.fromkeys(DEAD, old) | kept
    parts = server.parts(repo)
    try:
        probe_bucket(parts, thoroughness=Thoroughness.FULL)
    finally:
        parts.close()
    assert server.uploads == kept


# --- what is refused, and that nothing is written then -------------------------------------------------------------


@dataclass
class Case:
    name: str
    prepare: Callable[[MemoryBuckets, Path], None]
    error: type[SwampsyncError]
    message: str
    choice: BucketChoice = ASKED


def _lying(make: Callable[[], MemoryStore]) -> Callable[[MemoryBuckets, Path], None]:
    def prepare(server: MemoryBuckets, _repo: Path) -> None:
        server.stores[("team", "")] = make()

    return prepare


def _rule(prefix: str, effect: LifecycleEffect) -> Callable[[MemoryBuckets, Path], None]:
    return lambda server, _repo: server.rules.append(LifecycleRule("tidy", prefix, effect))


def _stale_copy(server: MemoryBuckets, repo: Path) -> None:
    (repo / ".swamp" / "remote" / "infra" / "outputs").mkdir(parents=True)
    (repo / ".swamp" / "remote" / "infra" / "outputs" / "o.json").write_text("1")


def _denied(server: MemoryBuckets, _repo: Path) -> None:
    def deny(call: Call) -> Fault | None:
        if call.method.startswith("put"):
            raise AccessDenied("put is not allowed", key=call.key)
        return None

    server.wrap = lambda store: Faulty(store, deny)


CASES = [
    Case("ignores create-only", _lying(lambda: CreateIgnorer(SystemClock())), Refused, "breaks create-only"),
    Case("ignores if-match", _lying(lambda: MatchIgnorer(SystemClock())), Refused, "breaks if-match"),
    Case(
        "checks, then writes",
        _lying(lambda: CheckThenWriter(SystemClock(), window=lambda: SystemClock().sleep(0.002))),
        Refused,
        "breaks create-only-race",
    ),
    Case("expires the log", _rule("infra/_log/", LifecycleEffect.EXPIRE), Refused, "breaks lifecycle.*rule `tidy`"),
    Case("expires everything", _rule("", LifecycleEffect.EXPIRE), Refused, "breaks lifecycle"),
    Case("archives outputs", _rule("infra/outputs/", LifecycleEffect.ARCHIVE), Refused, "breaks lifecycle"),
    Case("swamp's index", lambda s, _: put(s, "infra/_index/_meta.json"), Refused, "swamp's own index"),
    Case("foreign objects", lambda s, _: put(s, "infra/report.pdf"), Refused, "`infra/report.pdf`"),
    Case("foreign solo", lambda s, _: put(s, "_log/1.json"), Refused, "`_log/`", SOLO_ASKED),
    Case("no rights", _denied, AccessDenied, "put is not allowed"),
    Case("stale copy", _stale_copy, Refused, "local copy of a bucket that was used before \\(outputs\\)"),
    Case("bad namespace", lambda _s, _r: None, InvalidInput, "reserved", replace(ASKED, namespace="data")),
    Case("bad bucket", lambda _s, _r: None, InvalidInput, "^`datastore.config.bucket` is no name",
         BucketChoice(config={"bucket": "a/b"}, namespace="infra")),
    Case("bad hydration", lambda _s, _r: None, InvalidInput, "`full`, `lazy`", replace(ASKED, hydration="some")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_refused_leaves_everything_as_it_was(case: Case, server: MemoryBuckets, repo: Path) -> None:
    """The reason is named, no key of ours stays in the bucket, and the configuration is untouched."""
    case.prepare(server, repo)
    keys, before = server.keys(), configuration(repo)
    with pytest.raises(case.error, match=case.message) as caught:
        set_up(server, repo, case.choice)
    assert caught.value.hint or case.error is AccessDenied
    server.wrap = lambda store: store
    assert server.keys() == keys
    assert configuration(repo) == before


def test_harmless_lifecycle_rules_are_no_obstacle(server: MemoryBuckets, repo: Path) -> None:
    """Rules for other prefixes, and those that remove nothing, are the owner's business."""
    server.rules = [
        LifecycleRule("logs", "app/", LifecycleEffect.EXPIRE),
        LifecycleRule("parts", "", LifecycleEffect.OTHER),
    ]
    assert set_up(server, repo).report.is_safe


# --- crashes -------------------------------------------------------------------------------------------------------


@pytest.mark.holds("I11")
@pytest.mark.parametrize(
    ("asked", "fault"),
    [(ASKED, Fault.CRASH_BEFORE), (ASKED, Fault.CRASH_AFTER), (SOLO_ASKED, Fault.CRASH_AFTER)],
    ids=["before", "after", "solo-after"],
)
def test_setup_killed_at_any_request_goes_on_when_run_again(fault: Fault, asked: BucketChoice, tmp_path: Path) -> None:
    """Whichever request is its last, before or after the server acted, the same command then ends as if undisturbed."""
    crashes = 0
    for dies_at in count(1):
        server = MemoryBuckets()
        repo = make_repo(tmp_path / f"repo-{dies_at}")
        seen = 0

        def plan(call: Call, dies_at: int = dies_at) -> Fault | None:
            nonlocal seen
            if ".swampsync-doctor" in call.key:
                return None
            seen += 1
            return fault if seen == dies_at else None

        server.wrap = lambda store, plan=plan: Faulty(store, plan)  # type: ignore[misc]
        try:
            set_up(server, repo, asked)
        except SimulatedCrash:
            crashes += 1
            assert "datastore" not in configuration(repo)
        if seen < dies_at:
            break
        server.wrap = lambda store: store
        set_up(server, repo, asked)
        members = server.parts(repo).registry.read_members(INFRA if asked is ASKED else SOLO)
        assert members.members == ("repo-1",)
        assert 'type: "@swampsync/s3"' in configuration(repo)
    assert crashes > 5
