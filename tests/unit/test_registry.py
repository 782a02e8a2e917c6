from __future__ import annotations

import errno
import json
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.disk import LocalDisk
from swampsync.errors import Conflict, DataError, InvalidInput, LeaseLost, NotFound
from swampsync.layout import Layout
from swampsync.namespace import SOLO, Namespace
from swampsync.registry import (
    ClaimOutcome,
    MembersRecord,
    NamespaceManifest,
    NamespaceStatistics,
    Registry,
    format_manifest,
    format_members,
    parse_manifest,
    parse_members,
    validate_registry,
)
from swampsync.testing.manual_clock import ManualClock

INFRA = Namespace.parse("infra")
APP = Namespace.parse("app")


def new_id() -> str:
    return uuid.uuid4().hex


def held() -> None:
    """The lock of who joins is its own."""


def registry_at(path: Path, disk: LocalDisk | None = None) -> Registry:
    layout = Layout(str(path / "repo"), str(path / "ds"))
    return Registry(disk or LocalDisk(), ManualClock(), layout, new_id=new_id)


@pytest.fixture
def ds(tmp_path: Path) -> Path:
    path = tmp_path / "ds"
    path.mkdir()
    return path


def write_manifest(ds: Path, name: str, repo_id: str, directory: str | None = None) -> None:
    (ds / (directory or name)).mkdir()
    data = format_manifest(NamespaceManifest(name, repo_id, "2026-01-01T00:00:00.000Z"))
    (ds / (directory or name) / ".namespace.json").write_bytes(data)


def test_claim_writes_the_manifest_as_swamp_does(ds: Path) -> None:
    """swamp reads our manifest, byte for byte its own; ours lies beside it, and nothing else."""
    assert registry_at(ds.parent).claim(INFRA, "repo-1") is ClaimOutcome.CLAIMED
    assert (ds / "infra" / ".namespace.json").read_text() == (
        '{\n  "namespace": "infra",\n  "repoId": "repo-1",\n  "registeredAt": "2026-01-01T00:00:00.000Z"\n}\n'
    )
    assert json.loads((ds / "infra" / ".swampsync.json").read_text()) == {"members": ["repo-1"]}
    assert sorted(p.name for p in (ds / "infra").iterdir()) == [".namespace.json", ".swampsync.json"]


def test_claim_again_is_success(ds: Path) -> None:
    """The owner may claim as often as he likes; nothing is written."""
    registry = registry_at(ds.parent)
    registry.claim(INFRA, "repo-1")
    before = (ds / "infra" / ".namespace.json").stat().st_ino
    assert registry.claim(INFRA, "repo-1") is ClaimOutcome.OWNED
    assert (ds / "infra" / ".namespace.json").stat().st_ino == before


def test_claim_of_anothers_namespace_names_owner_and_ways_out(ds: Path) -> None:
    """The second repo learns whose it is, how to share it, and that there are other names."""
    registry = registry_at(ds.parent)
    registry.claim(INFRA, "repo-1")
    with pytest.raises(Conflict) as caught:
        registry.claim(INFRA, "repo-2")
    assert "`repo-1`" in caught.value.message
    assert caught.value.hint is not None
    assert "swamp datastore namespace join infra" in caught.value.hint
    assert "swamp datastore namespace set" in caught.value.hint
    assert caught.value.exit_status == 1


class _NoLinks(LocalDisk):
    """A file system without hard links."""

    def link(self, source: str, target: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", target)


@pytest.mark.parametrize("make_disk", [LocalDisk, _NoLinks])
def test_claim_raced_has_exactly_one_winner(ds: Path, make_disk: Callable[[], LocalDisk]) -> None:
    """Sixteen repos claim one namespace at once: one has it, and all others are told who."""
    barrier = threading.Barrier(16)
    won: list[str] = []
    lost: list[Conflict] = []

    def run(repo_id: str) -> None:
        registry = registry_at(ds.parent, make_disk())
        barrier.wait()
        try:
            registry.claim(INFRA, repo_id)
        except Conflict as error:
            lost.append(error)
        except DataError as error:  # without links a reader may see a manifest that is being written
            assert make_disk is _NoLinks
            lost.append(Conflict(error.message))
        else:
            won.append(repo_id)

    threads = [threading.Thread(target=run, args=(f"repo-{i}",)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 15
    assert registry_at(ds.parent).read_manifest(INFRA).repo_id == won[0]
    if make_disk is LocalDisk:
        assert all(f"`{won[0]}`" in error.message for error in lost)
    assert sorted(p.name for p in (ds / "infra").iterdir()) == [".namespace.json", ".swampsync.json"]


def test_claim_does_not_create_the_datastore(tmp_path: Path) -> None:
    """A directory that is not there may be a mount that is missing."""
    with pytest.raises(NotFound, match="does not exist"):
        registry_at(tmp_path).claim(INFRA, "repo-1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.holds("I9")
def test_solo_writes_nothing(ds: Path) -> None:
    """Solo has no registry: it cannot be claimed, and a write needs no membership."""
    registry = registry_at(ds.parent)
    registry.require_member(SOLO, "repo-1")
    with pytest.raises(InvalidInput):
        registry.claim(SOLO, "repo-1")
    assert list(ds.iterdir()) == []


def test_manifest_without_an_owner_is_adopted_once(ds: Path) -> None:
    """swamp may leave the owner empty: the first repo becomes the first member, the next one is refused."""
    write_manifest(ds, "infra", "")
    registry = registry_at(ds.parent)
    assert registry.claim(INFRA, "repo-1") is ClaimOutcome.ADOPTED
    assert registry.claim(INFRA, "repo-1") is ClaimOutcome.ADOPTED
    registry.require_member(INFRA, "repo-1")
    for refuse in (registry.claim, registry.require_member):
        with pytest.raises(Conflict, match="swamp did not name"):
            refuse(INFRA, "repo-2")
    assert registry.read_manifest(INFRA).repo_id == ""


def test_first_write_claims_and_members_may_write(ds: Path) -> None:
    """An unclaimed namespace is claimed by the first write; afterwards owner and members may write, others not."""
    registry = registry_at(ds.parent)
    registry.require_member(INFRA, "repo-1")
    assert registry.read_manifest(INFRA).repo_id == "repo-1"
    registry.require_member(INFRA, "repo-1")
    with pytest.raises(Conflict, match="repo-1"):
        registry.require_member(INFRA, "repo-2")
    assert registry.join(INFRA, "repo-2", check=held).members == ("repo-1", "repo-2")
    registry.require_member(INFRA, "repo-2")
    assert registry.claim(INFRA, "repo-2") is ClaimOutcome.OWNED


def test_join_of_an_unclaimed_namespace_is_not_found(ds: Path) -> None:
    """There is nothing to join, and nothing is created."""
    with pytest.raises(NotFound):
        registry_at(ds.parent).join(INFRA, "repo-1", check=held)
    assert list(ds.iterdir()) == []


@pytest.mark.parametrize("looks", [0, 1])
def test_join_without_its_lock_writes_nothing(ds: Path, looks: int) -> None:
    """A lock that is lost before the new record is written, or while it is flushed, leaves the old one and no other."""
    registry = registry_at(ds.parent)
    registry.claim(INFRA, "repo-1")
    before = {path.name: path.read_bytes() for path in (ds / "infra").iterdir()}
    answers = iter([None] * looks)

    def check() -> None:
        if next(answers, LeaseLost) is LeaseLost:
            raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        registry.join(INFRA, "repo-2", check=check)
    assert {path.name: path.read_bytes() for path in (ds / "infra").iterdir()} == before


def test_join_keeps_everything_else(ds: Path) -> None:
    """Metadata, retention and the fields of later versions survive."""
    write_manifest(ds, "infra", "repo-1")
    text = '{"members": ["repo-3"], "metadata": {"env": "prod"}, "future": [1], "vacuumHorizon": 7}'
    (ds / "infra" / ".swampsync.json").write_text(text)
    registry_at(ds.parent).join(INFRA, "repo-2", check=held)
    assert json.loads((ds / "infra" / ".swampsync.json").read_text()) == {
        "members": ["repo-1", "repo-2", "repo-3"], "metadata": {"env": "prod"}, "future": [1], "vacuumHorizon": 7,
    }  # fmt: skip


def test_reads_create_nothing(ds: Path) -> None:
    """Listing, describing and checking leave the directory as it is."""
    registry = registry_at(ds.parent)
    assert registry.list_namespaces() == []
    assert registry.read_members(INFRA) == MembersRecord()
    with pytest.raises(NotFound):
        registry.describe(INFRA, repo_namespace=INFRA)
    assert [r.passed for r in validate_registry(registry, repo_namespace=INFRA, repo_id="r")] == [True]
    assert list(ds.iterdir()) == []
    assert registry_at(ds / "nowhere").list_namespaces() == []


def test_list_goes_on_past_what_cannot_be_read(ds: Path) -> None:
    """One torn manifest hides no other; asked for itself, it is an error that names the path."""
    write_manifest(ds, "infra", "repo-1")
    write_manifest(ds, "app", "repo-2")
    write_manifest(ds, "web", "repo-3", directory="other")
    write_manifest(ds, "hidden", "x", directory=".hidden")
    (ds / "torn").mkdir()
    (ds / "torn" / ".namespace.json").write_text('{"namespace": "to')
    (ds / "weird").mkdir()
    (ds / "weird" / ".namespace.json").mkdir()
    (ds / "plain").mkdir()
    (ds / "file").write_text("")
    registry = registry_at(ds.parent)
    scan = registry.scan()
    assert [m.namespace for m in scan.manifests] == ["app", "infra"]
    assert [m.namespace for m in registry.list_namespaces()] == ["app", "infra"]
    assert {problem.key for problem in scan.problems} == {
        f"{ds}/{name}/.namespace.json" for name in ("other", "torn", "weird")
    }
    with pytest.raises(DataError, match=f"{ds}/torn/.namespace.json"):
        registry.read_manifest(Namespace.parse("torn"))
    with pytest.raises(DataError, match="that of another namespace"):
        registry.read_manifest(Namespace.parse("other"))


def test_registry_that_swamp_wrote_is_read_and_written_alike() -> None:
    """Manifests of swamp are listed, and formatting them again gives the same bytes."""
    base = Path(__file__).parents[1] / "fixtures" / "swamp-shared" / "datastore"
    registry = Registry(LocalDisk(), ManualClock(), Layout("/repo", str(base)), new_id=new_id)
    manifests = registry.list_namespaces()
    assert [m.namespace for m in manifests] == ["app", "infra"]
    for manifest in manifests:
        assert format_manifest(manifest) == (base / manifest.namespace / ".namespace.json").read_bytes()


def test_describe_takes_numbers_from_its_caller(ds: Path) -> None:
    """The owner counts as a member even where only swamp wrote; statistics are handed through."""
    write_manifest(ds, "infra", "repo-1")
    numbers = NamespaceStatistics(artifacts=1, versions=2, size_bytes=3)
    described = registry_at(ds.parent).describe(INFRA, repo_namespace=APP, statistics=numbers)
    assert described.manifest.repo_id == "repo-1"
    assert described.record.members == ("repo-1",)
    assert described.statistics == numbers
    assert not described.is_current


def test_validate_reports_each_kind_of_problem(ds: Path) -> None:
    """Bad names, mismatches, names that differ in case only, and a repo that is no member."""
    for name in ("infra", "data", "Infra"):
        write_manifest(ds, name, "repo-1")
    write_manifest(ds, "web", "repo-3", directory="other")
    registry = registry_at(ds.parent)
    failed = {
        (r.check, r.namespace)
        for r in validate_registry(registry, repo_namespace=INFRA, repo_id="repo-2")
        if not r.passed
    }
    assert failed == {("manifest", ""), ("name", "data"), ("name", "Infra"), ("case", "infra"), ("membership", "infra")}
    owner = validate_registry(registry, repo_namespace=INFRA, repo_id="repo-1")
    assert [r.passed for r in owner if r.check == "membership"] == [True]
    solo = [r for r in validate_registry(registry, repo_namespace=SOLO, repo_id=None) if r.check == "solo"]
    assert [r.passed for r in solo] == [False]
    assert "`infra`" in solo[0].message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"namespace": ""}',
        b'{"namespace": 1}',
        b'{"namespace": "a", "repoId": 1}',
        b"\xff",
        b"[" * 99_999,
    ],
)
def test_manifest_that_cannot_be_read_names_its_path(data: bytes) -> None:
    """Whatever is in the file, the error says which file."""
    with pytest.raises(DataError, match="P"):
        parse_manifest(data, path="P")


@pytest.mark.parametrize(
    "data", [b"[]", b'{"members": "x"}', b'{"members": [""]}', b'{"metadata": []}', b'{"vacuumHorizon": true}']
)
def test_members_that_cannot_be_read_name_their_path(data: bytes) -> None:
    """A file that is not ours is not overwritten by chance."""
    with pytest.raises(DataError, match="P"):
        parse_members(data, path="P")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda i: st.lists(i) | st.dictionaries(st.text(), i),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1), st.text(), st.text(), st.dictionaries(st.text(), JSON), st.lists(st.text(min_size=1)))
def test_manifests_survive_a_round_trip(
    name: str, repo_id: str, at: str, fields: dict[str, object], members: list[str]
) -> None:
    """What was written reads back, fields that nobody knows included."""
    manifest = NamespaceManifest(name, repo_id, at)
    assert parse_manifest(format_manifest(manifest), path="P") == manifest
    known = {"members", "metadata", "retention", "vacuumHorizon", "storePromises"}
    extra = {key: value for key, value in fields.items() if key not in known}
    record = MembersRecord(metadata=fields, extra=extra).with_members(members)
    assert parse_members(format_members(record), path="P") == record
