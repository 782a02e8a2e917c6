"""`repo init`, `repo deinit`, `datastore setup filesystem` and `config`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Place, Swamp


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file() and not p.name.startswith(("_catalog", "_sync"))
    }


def test_init_prints_swamps_document(swamp: Swamp, tmp_path: Path) -> None:
    """`repo init --json` prints swamp's keys, and the configuration holds what it says."""
    document = swamp(tmp_path, "repo", "init", "--json").json
    assert list(document) == [
        "path", "version", "initializedAt", "skillsCopied", "instructionsFileCreated", "settingsCreated",
        "gitignoreAction", "tools", "removedTools", "tool", "nextSteps",
    ]  # fmt: skip
    assert document["path"] == str(tmp_path)
    assert f"swampVersion: {document['version']}" in (tmp_path / ".swamp.yaml").read_text()
    assert ".swamp/" in (tmp_path / ".gitignore").read_text()


def test_init_twice_needs_force_and_loses_nothing(swamp: Swamp, pair: Place) -> None:
    """A second init is refused; forced, it keeps the repo id and the datastore block."""
    config = pair.first / ".swamp.yaml"
    before = config.read_bytes()
    refused = swamp(pair.first, "repo", "init", "--json")
    assert (refused.status, refused.error["code"]) == (1, "conflict")
    swamp(pair.first, "repo", "init", "--force").ok()
    assert config.read_bytes() == before


def test_deinit_keeps_the_data(swamp: Swamp, solo: Path) -> None:
    """`repo deinit` removes configuration and the managed block, and no data."""
    swamp(solo, "data", "put", "m", "x", stdin="1").ok()
    before = tree(solo / ".swamp")
    assert swamp(solo, "repo", "deinit").status == 1
    swamp(solo, "repo", "deinit", "-y").ok()
    assert not (solo / ".swamp.yaml").exists()
    assert tree(solo / ".swamp") == before


def test_setup_moves_existing_data(swamp: Swamp, solo: Path, tmp_path: Path) -> None:
    """Setting up a shared directory moves every file of the datastore tier, and everything reads as before."""
    swamp(solo, "data", "put", "vpc", "state", stdin="1").ok()
    swamp(solo, "data", "put", "vpc", "state", stdin="2").ok()
    audit = solo / ".swamp" / "audit" / "commands-2026-11-21.jsonl"
    audit.parent.mkdir(exist_ok=True)
    audit.write_text('{"a":1}\n')
    secret = solo / ".swamp" / "secrets" / "key"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("s")
    before = {k: v for k, v in tree(solo / ".swamp").items() if not k.startswith("secrets")}
    shared = tmp_path / "shared"
    document = swamp(solo, "-n", "infra", "datastore", "setup", "filesystem", "--path", str(shared), "--json").json
    assert document["filesCopied"] == len(before)
    assert document["namespace"] == "infra"
    moved = tree(shared / "infra")
    assert {k: v for k, v in moved.items() if not k.startswith(".")} == before
    assert tree(solo / ".swamp") == {"secrets/key": b"s"}
    assert swamp(solo, "data", "get", "vpc", "state", "-o", "-").text == "2"
    assert [v["version"] for v in swamp(solo, "data", "versions", "vpc", "state").json["versions"]] == [2, 1]
    # And back again, byte for byte.
    swamp(solo, "datastore", "setup", "filesystem", "--path", ".swamp").ok()
    assert swamp(solo, "data", "get", "vpc", "state", "-o", "-").text == "2"


def test_setup_twice_on_the_same_place_is_refused(swamp: Swamp, pair: Place) -> None:
    """Setting up the place that is in use already says so."""
    outcome = swamp(pair.first, "datastore", "setup", "filesystem", "--path", str(pair.datastore), "--json")
    assert (outcome.status, outcome.error["code"]) == (1, "conflict")


def test_setup_refuses_to_absorb_another_projects_data(swamp: Swamp, tmp_path: Path) -> None:
    """Un-namespaced data of somebody else at the target is not mixed with ours; nothing moves."""
    shared = tmp_path / "shared"
    for name in ("one", "two"):
        repo = tmp_path / name
        repo.mkdir()
        swamp(repo, "repo", "init").ok()
        swamp(repo, "data", "put", "m", name, stdin=name).ok()
    swamp(tmp_path / "one", "datastore", "setup", "filesystem", "--path", str(shared)).ok()
    before = tree(shared)
    outcome = swamp(tmp_path / "two", "datastore", "setup", "filesystem", "--path", str(shared), "--json")
    assert (outcome.status, outcome.error["code"]) == (1, "refused")
    assert "--namespace" in outcome.error["hint"]
    assert tree(shared) == before
    assert swamp(tmp_path / "two", "data", "get", "m", "two", "-o", "-").text == "two"


def test_setup_changes_only_what_it_must_of_the_configuration(swamp: Swamp, solo: Path, tmp_path: Path) -> None:
    """Comments, unknown keys and order of .swamp.yaml survive a set-up."""
    config = solo / ".swamp.yaml"
    head = config.read_text() + "# ours\ncustomKey: {a: 1}  # kept\n"
    config.write_text(head)
    swamp(solo, "datastore", "setup", "filesystem", "--path", str(tmp_path / "shared")).ok()
    assert config.read_text().startswith(head)


def test_status_has_swamps_keys(swamp: Swamp, pair: Place) -> None:
    """`datastore status --json` has the keys that swamp prints."""
    document = swamp(pair.first, "datastore", "status", "--json").json
    assert list(document) == ["type", "path", "healthy", "message", "latencyMs", "directories"]
    assert document["healthy"] is True


def test_config_list_names_every_source(swamp: Swamp, pair: Place) -> None:
    """Every setting says whether a flag, a variable, a line of the file or a default set it."""
    document = swamp(pair.first, "config", "list", "--json", "-n", "infra", env={"SWAMP_LOCK_TIMEOUT_MS": "5000"}).json
    sources = {s["name"]: s["source"] for s in document["settings"]}
    assert sources["datastore.namespace"] == "flag"
    assert sources["lockTimeoutMs"] == "SWAMP_LOCK_TIMEOUT_MS"
    assert sources["datastore.path"].startswith(".swamp.yaml:")
    assert sources["autoGc"] == "default"


def test_config_set_writes_one_setting(swamp: Swamp, solo: Path) -> None:
    """`config set` changes one line, `unset` takes it back, and what makes no configuration is not written."""
    before = (solo / ".swamp.yaml").read_bytes()
    swamp(solo, "config", "set", "autoGc", "true").ok()
    assert swamp(solo, "config", "get", "autoGc").text == "true\n"
    assert (solo / ".swamp.yaml").read_bytes().startswith(before)
    swamp(solo, "config", "unset", "autoGc").ok()
    assert (solo / ".swamp.yaml").read_bytes() == before
    for name, value in (("autoGc", "perhaps"), ("nosuch", "1"), ("logLevel", "loud")):
        assert swamp(solo, "config", "set", name, value).status == 2
    assert swamp(solo, "config", "set", "datastore.namespace", "x").status == 1
    assert (solo / ".swamp.yaml").read_bytes() == before


def test_excluded_data_stays_in_the_repo(swamp: Swamp, pair: Place) -> None:
    """A deep exclude pattern keeps a model's data out of the datastore, and every command still finds it."""
    swamp(pair.first, "config", "set", "datastore.exclude", "data/private/**").ok()
    swamp(pair.first, "data", "put", "secret", "x", "--type", "private/notes", stdin="mine").ok()
    swamp(pair.first, "data", "put", "open", "x", stdin="ours").ok()
    assert swamp(pair.first, "data", "get", "secret", "x", "-o", "-").text == "mine"
    assert pair.datastore is not None
    assert b"mine" not in tree(pair.datastore).values()
    models = swamp(pair.first, "data", "list", "--json").json["models"]
    assert sorted(m["modelName"] for m in models) == ["open", "secret"]
    seen = swamp(pair.second, "data", "list", "-n", "infra", "--json").json["models"]
    assert [m["modelName"] for m in seen] == ["open"]


def test_repo_status_counts(swamp: Swamp, place: Place) -> None:
    """`repo status` names the datastore, the namespace with its source, and what is catalogued."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    document = swamp(place.first, "repo", "status", "--json").json
    assert (document["namespace"], document["artifacts"], document["versions"]) == (place.first_namespace, 1, 1)
    assert json.loads(json.dumps(document)) == document
