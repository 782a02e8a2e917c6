from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from swampsync.artifacts.definitions import definition_sources, find_definition
from swampsync.artifacts.metadata import metadata_to_json
from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import walk_artifacts
from swampsync.artifacts.store import ArtifactStore
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.errors import NotFound
from swampsync.layout import Layout
from swampsync.namespace import Namespace

FIXTURES = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "fixtures"))
REPOS = {
    "swamp-solo": Layout(f"{FIXTURES}/swamp-solo", f"{FIXTURES}/swamp-solo/.swamp"),
    "swamp-shared-infra": Layout(
        f"{FIXTURES}/swamp-shared/infra", f"{FIXTURES}/swamp-shared/datastore", Namespace("infra")
    ),
    "swamp-shared-app": Layout(f"{FIXTURES}/swamp-shared/app", f"{FIXTURES}/swamp-shared/datastore", Namespace("app")),
}


def load(repo: str, name: str) -> Any:
    """Read what swamp printed."""
    with open(f"{FIXTURES}/expected/{repo}/{name}", encoding="utf-8") as file:
        return json.load(file)


def open_store(repo: str) -> ArtifactStore:
    """Open the store of a fixture's repo."""
    return ArtifactStore(LocalDisk(), SystemClock(), REPOS[repo], new_id=lambda: "unused")


def find_model(repo: str, name: str) -> Model:
    """Find a model of a fixture's repo by name."""
    found = find_definition(LocalDisk(), definition_sources(REPOS[repo]), name)
    assert found is not None
    return found.model


@pytest.mark.parametrize("repo", REPOS)
def test_tree_holds_the_rows_that_swamp_listed(repo: str) -> None:
    """Every row of the query for all versions is a whole version on the disk, with the same values, and no other is."""
    rows = {
        (row["modelId"], row["name"], row["version"]): row for row in load(repo, "query-all-versions.json")["results"]
    }
    found = {}
    for model_type, model_id, scan in walk_artifacts(LocalDisk(), REPOS[repo]):
        assert scan.problems == ()
        assert model_type == "command/shell"
        if scan.latest_metadata is not None and not scan.latest_metadata.is_deleted:
            for metadata in scan.versions:
                found[model_id, scan.name, metadata.version] = (
                    metadata_to_json(metadata),
                    metadata.version == scan.latest,
                )
    assert set(found) == set(rows)
    for key, row in rows.items():
        values, is_latest = found[key]
        assert (values["id"], values["createdAt"], values["tags"], values["size"], is_latest) == (
            row["id"],
            row["createdAt"],
            row["tags"],
            row["size"],
            row["isLatest"],
        )


@pytest.mark.parametrize(
    ("repo", "file", "model", "name", "version"),
    [
        ("swamp-solo", "get-build-result.json", "build", "result", None),
        ("swamp-solo", "get-build-result-v1.json", "build", "result", 1),
        ("swamp-solo", "get-build-log.json", "build", "log", None),
        ("swamp-solo", "get-deploy-result.json", "deploy", "result", None),
        ("swamp-solo", "get-deploy-log.json", "deploy", "log", None),
        ("swamp-solo", "get-deploy-deploy-log.json", "deploy", "deploy-log", None),
        ("swamp-shared-infra", "get-vpc-result.json", "vpc", "result", None),
        ("swamp-shared-app", "get-vpc-result.json", "vpc", "result", None),
    ],
)
def test_reading_gives_what_swamp_printed(repo: str, file: str, model: str, name: str, version: int | None) -> None:
    """Metadata and content are those of swamp's own `data get`, forwards followed."""
    expected = load(repo, file)
    found = find_model(repo, model)
    store = open_store(repo)
    metadata = store.read(found, name, version=version)
    document = metadata_to_json(metadata)
    assert document == {key: expected[key] for key in document}
    assert (found.id, found.type) == (expected["modelId"], expected["modelType"])
    with store.open_content(found, metadata) as stream:
        content = stream.read()
    assert hashlib.sha256(content).hexdigest() == expected["checksum"]
    is_json = expected["contentType"] == "application/json"
    assert (json.loads(content) if is_json else content.decode()) == expected["content"]


def test_deleted_version_is_gone_and_tombstone_forwards() -> None:
    """`build result` 2 is not there; `deploy log` is a tombstone whose history stays."""
    store = open_store("swamp-solo")
    with pytest.raises(NotFound, match=r"available versions: 1, 3"):
        store.read(find_model("swamp-solo", "build"), "result", version=2)
    deploy = find_model("swamp-solo", "deploy")
    history = store.history(deploy, "deploy-log", follow=True)
    assert [(m.name, m.version, m.is_deleted) for m in history] == [
        ("deploy-log", 1, False),
        ("log", 3, True),
        ("log", 2, False),
        ("log", 1, False),
    ]


def test_rebuilding_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script makes the tree that is committed, byte for byte."""
    path = f"{FIXTURES}/rebuild_swamp_solo.py"
    spec = importlib.util.spec_from_file_location("rebuild_swamp_solo", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "TARGET", str(tmp_path / "data"))
    script.main()

    def files(top: str) -> dict[str, bytes]:
        return {
            os.path.relpath(os.path.join(directory, name), top): Path(directory, name).read_bytes()
            for directory, _, names in os.walk(top)
            for name in names
        }

    assert files(str(tmp_path / "data")) == files(f"{FIXTURES}/swamp-solo/.swamp/data")


def test_git_has_every_file_of_the_fixtures() -> None:
    """No `.gitignore` inside a fixture hides any of it from the repository."""
    if not os.path.exists(f"{FIXTURES}/../../.git"):
        return  # an unpacked archive has no repository to ask, and what it holds is what git had
    done = subprocess.run(
        ["git", "ls-files", "--others", "--", "."], cwd=FIXTURES, capture_output=True, text=True, check=True
    )
    assert [line for line in done.stdout.splitlines() if "__pycache__" not in line] == []
