"""Claiming, joining, listing and resolving namespaces on a shared directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swampsync.namespace import Namespace
from swampsync.registry import MembersRecord, Registry
from tests.cli.conftest import Place, Swamp


def repo_id(repo: Path) -> str:
    lines = (repo / ".swamp.yaml").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("repoId"))


def make_third(swamp: Swamp, pair: Place) -> Path:
    third = pair.first.parent / "third"
    third.mkdir()
    swamp(third, "repo", "init").ok()
    swamp(third, "datastore", "setup", "filesystem", "--path", str(pair.datastore)).ok()
    return third


def test_a_taken_namespace_names_owner_and_ways_out(swamp: Swamp, pair: Place) -> None:
    """Claiming what another repo claimed fails with its id, and points at joining and at other names."""
    outcome = swamp(pair.second, "datastore", "namespace", "set", "infra", "--json")
    assert outcome.status == 1
    assert repo_id(pair.first) in outcome.error["error"]
    assert "swamp namespace join infra" in outcome.error["hint"] or "namespace join" in outcome.error["hint"]
    assert swamp(pair.second, "namespace", "resolve").text == "app (source: .swamp.yaml)\n"


def test_set_prints_the_document_that_swamp_prints(swamp: Swamp, pair: Place) -> None:
    """`namespace set --json` has swamp's keys; setting the same again succeeds."""
    document = swamp(pair.first, "datastore", "namespace", "set", "infra", "--json").json
    assert list(document) == ["namespace", "datastorePath", "warning", "registrationSkipped"]
    assert document["namespace"] == "infra"


def test_set_without_a_name_takes_the_directorys(swamp: Swamp, tmp_path: Path) -> None:
    """`namespace set` without a name makes one of the repo directory's name."""
    repo = tmp_path / "My Repo"
    repo.mkdir()
    swamp(repo, "repo", "init").ok()
    assert swamp(repo, "datastore", "namespace", "set", "--json").json["namespace"] == "my-repo"


def test_joining_lets_a_second_repo_write(swamp: Swamp, pair: Place) -> None:
    """A repo that is no member is refused, joins, and then writes where the owner reads."""
    third = make_third(swamp, pair)
    refused = swamp(third, "data", "put", "vpc", "state", "-n", "infra", "--json", stdin="1")
    assert (refused.status, refused.error["code"]) == (1, "conflict")
    swamp(third, "namespace", "join", "infra").ok()
    swamp(third, "data", "put", "vpc", "state", stdin="of third").ok()
    assert swamp(pair.first, "data", "get", "vpc", "state", "-o", "-").text == "of third"
    described = swamp(pair.first, "namespace", "describe", "--json").json
    assert described["members"] == sorted([repo_id(pair.first), repo_id(third)])
    assert described["repoId"] == repo_id(pair.first)
    assert described["versions"] == 1


def test_a_first_write_claims_a_configured_namespace(swamp: Swamp, tmp_path: Path) -> None:
    """A namespace that is configured but unclaimed is claimed by the first write, never by a read."""
    repo = tmp_path / "repo"
    repo.mkdir()
    swamp(repo, "repo", "init").ok()
    (tmp_path / "shared").mkdir()
    config = repo / ".swamp.yaml"
    config.write_text(config.read_text() + "datastore:\n  type: filesystem\n  path: ../shared\n  namespace: infra\n")
    for arguments in (["data", "list"], ["data", "search"], ["datastore", "lock", "status"], ["namespace", "list"]):
        swamp(repo, *arguments).ok()
    assert list((tmp_path / "shared").iterdir()) == []
    swamp(repo, "data", "put", "m", "x", stdin="1").ok()
    manifest = json.loads((tmp_path / "shared" / "infra" / ".namespace.json").read_text())
    assert (manifest["namespace"], manifest["repoId"]) == ("infra", repo_id(repo))


def test_unset_is_refused_among_others_and_works_alone(swamp: Swamp, pair: Place, tmp_path: Path) -> None:
    """Leaving a namespace is refused while others share the datastore, and works in a datastore of one's own."""
    outcome = swamp(pair.first, "datastore", "namespace", "unset", "--json")
    assert outcome.status == 1
    assert "contains 2 namespaces (app, infra)" in outcome.error["error"]
    alone = tmp_path / "alone"
    alone.mkdir()
    swamp(alone, "repo", "init").ok()
    swamp(alone, "namespace", "set", "web").ok()
    assert swamp(alone, "namespace", "unset", "--json").json == {"previousNamespace": "web"}
    assert swamp(alone, "namespace", "resolve").text == "(solo) (source: default)\n"


@pytest.mark.parametrize("flag", [None, "app"])
@pytest.mark.parametrize("variable", [None, "", "web"])
@pytest.mark.parametrize("is_in_file", [False, True])
def test_resolution_goes_flag_variable_file_solo(
    swamp: Swamp,
    solo: Path,
    flag: str | None,
    variable: str | None,
    is_in_file: bool,  # noqa: FBT001
) -> None:
    """`-n` wins over SWAMP_NAMESPACE, that over the file, and none of them is solo."""
    if is_in_file:
        swamp(solo, "namespace", "set", "infra").ok()
    env = {} if variable is None else {"SWAMP_NAMESPACE": variable}
    arguments = ["namespace", "resolve", "--json", *(["-n", flag] if flag else [])]
    document = swamp(solo, *arguments, env=env).json
    expected = flag or variable or ("infra" if is_in_file else "")
    assert document["namespace"] == expected
    assert document["source"] == (
        "flag" if flag else "SWAMP_NAMESPACE" if variable else ".swamp.yaml" if is_in_file else "default"
    )
    assert len(document["explanation"]) >= 3


def test_exec_hands_namespace_and_repo_down(swamp: Swamp, pair: Place) -> None:
    """`swamp exec` sets the namespace and the repo for the program; in solo it sets no namespace."""
    script = 'test "$SWAMP_NAMESPACE" = infra && test "$SWAMP_REPO_DIR" = "$1"'
    assert swamp(pair.first, "exec", "--", "sh", "-c", script, "sh", str(pair.first)).status == 0


def test_exec_sets_no_namespace_in_solo(swamp: Swamp, solo: Path) -> None:
    """In solo mode the program gets no SWAMP_NAMESPACE, and its exit status is ours."""
    assert swamp(solo, "exec", "--", "sh", "-c", 'test -z "${SWAMP_NAMESPACE+x}"').status == 0
    assert swamp(solo, "exec", "--", "sh", "-c", "exit 7").status == 7


def test_validate_reports_each_check(swamp: Swamp, pair: Place) -> None:
    """`namespace validate` passes on a sound datastore and fails on a damaged manifest, naming it."""
    assert swamp(pair.first, "namespace", "validate", "--json").json["valid"] is True
    assert pair.datastore is not None
    (pair.datastore / "app" / ".namespace.json").write_text("{")
    outcome = swamp(pair.first, "namespace", "validate", "--json")
    assert outcome.status == 1
    document = json.loads(outcome.out)
    assert not document["valid"]
    assert any("app/.namespace.json" in c["message"] for c in document["checks"] if not c["passed"])


def test_a_mistyped_namespace_is_not_claimed(swamp: Swamp, pair: Place) -> None:
    """A namespace that only a flag or a variable names, and nobody has, is refused by a write and not created."""
    assert pair.datastore is not None
    for arguments, env in ((["-n", "infar"], {}), ([], {"SWAMP_NAMESPACE": "infar"})):
        outcome = swamp(pair.first, *arguments, "data", "put", "m", "x", "--json", stdin="1", env=env)
        assert (outcome.status, outcome.error["code"]) == (1, "not_found")
        assert outcome.error["hint"] == "to claim it: swamp datastore namespace set infar"
    assert not (pair.datastore / "infar").exists()


def test_data_from_before_a_namespace_can_be_taken_along(swamp: Swamp, solo: Path) -> None:
    """The way that the warning of `namespace set` names moves the data into the namespace."""
    swamp(solo, "data", "put", "m", "x", stdin="old").ok()
    warned = swamp(solo, "namespace", "set", "web")
    assert "swamp datastore namespace migrate" in warned.err
    assert swamp(solo, "data", "get", "m", "x").status == 1
    swamp(solo, "datastore", "namespace", "migrate", "--yes").ok()
    assert swamp(solo, "data", "get", "m", "x", "-o", "-").text == "old"
    assert (solo / ".swamp" / "web" / "data").is_dir()


def test_joining_stops_before_the_write_when_its_lock_is_taken_over(
    swamp: Swamp, pair: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who joins, and finds another's record in the lock file, writes neither the members nor its own configuration."""
    third = make_third(swamp, pair)
    assert pair.datastore is not None
    lock, members = pair.datastore / ".locks" / "infra.lock", pair.datastore / "infra" / ".swampsync.json"
    read_members = Registry.read_members
    taken: list[str] = []

    def take_over(registry: Registry, namespace: Namespace) -> MembersRecord:
        record = read_members(registry, namespace)
        if lock.exists() and not taken:
            body = json.loads(lock.read_text())
            taken.append(body["nonce"])
            lock.unlink()
            lock.write_text(json.dumps(body | {"nonce": "somebody-elses"}))
        return record

    monkeypatch.setattr(Registry, "read_members", take_over)
    before = members.read_bytes(), (third / ".swamp.yaml").read_bytes()
    outcome = swamp(third, "datastore", "namespace", "join", "infra", "--json")
    assert taken
    assert "nothing was written since" in json.dumps(outcome.error)
    assert (members.read_bytes(), (third / ".swamp.yaml").read_bytes()) == before
    assert [path.name for path in members.parent.iterdir() if path.name.endswith(".tmp")] == []
    assert json.loads(lock.read_text())["nonce"] == "somebody-elses"
