"""A strict reader of a datastore on a directory, written from the description of the format and from nothing of ours.

It shares no code with the package: what the package writes is held against it.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml  # noqa: TID253 - a reader of its own is the point

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
KEYS = [
    "id", "name", "version", "contentType", "lifetime", "garbageCollection", "streaming", "tags", "ownerDefinition",
    "createdAt", "size", "checksum", "lifecycle", "renamedTo",
]  # fmt: skip
OPTIONAL = {"garbageCollection", "size", "checksum", "lifecycle", "renamedTo"}
OWNER_KEYS = [
    "definitionHash", "ownerType", "ownerRef", "workflowId", "workflowRunId", "workflowName", "jobName", "stepName",
    "source",
]  # fmt: skip
# What a YAML reader of the core schema, or one of YAML 1.1 with timestamps, takes for something else than text.
NOT_TEXT = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|y|Y|n|N"
    r"|[-+]?[0-9][0-9_]*|0o?[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|[0-9]+(:[0-5]?[0-9])+|\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?"
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LIFETIME = re.compile(r"\d+(mo|y|h|m|d|w)|ephemeral|infinite|job|workflow")
POLICY = re.compile(r"\d*[1-9]\d*(mo|y|h|m|d|w)")


def read_strict(text: str) -> Any:
    """Read YAML of which every scalar must be unmistakable."""
    return _value(yaml.compose(text, Loader=yaml.SafeLoader))


def _value(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        pairs = [(_value(key), _value(value)) for key, value in node.value]
        assert all(isinstance(key, str) for key, _ in pairs), "a key is no text"
        assert len(dict(pairs)) == len(pairs), "a key is there twice"
        return dict(pairs)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    assert isinstance(node, yaml.ScalarNode)
    if node.style is not None:  # quoted or a block
        return node.value
    if node.value in {"true", "false"}:
        return node.value == "true"
    if re.fullmatch(r"0|-?[1-9][0-9]*", node.value):
        return int(node.value)
    assert not NOT_TEXT.fullmatch(node.value), f"`{node.value}` is plain, though it is text to us"
    return node.value


def check_metadata(path: Path) -> dict[str, Any]:
    """Check one `metadata.yaml` with the `raw` beside it; return its values."""
    m = read_strict(path.read_text(encoding="utf-8"))
    where = str(path)
    assert list(m) == [key for key in KEYS if key in m], (where, list(m))
    assert set(KEYS) - set(m) <= OPTIONAL, where
    assert re.fullmatch(UUID, m["id"]), where
    assert m["name"] == path.parents[1].name, where
    assert str(m["version"]) == path.parent.name, where
    assert isinstance(m["contentType"], str), where
    assert m["contentType"], where
    assert LIFETIME.fullmatch(m["lifetime"]), where
    policy = m.get("garbageCollection", 1)
    assert policy > 0 if isinstance(policy, int) else POLICY.fullmatch(policy), where
    assert isinstance(m["streaming"], bool), where
    assert all(isinstance(value, str) for value in m["tags"].values()), where
    assert "type" in m["tags"], where
    owner = m["ownerDefinition"]
    assert list(owner) == [key for key in OWNER_KEYS if key in owner], where
    assert owner["ownerType"] in {"model-method", "workflow-step", "manual"}, where
    assert owner["ownerRef"], where
    assert TIME.fullmatch(m["createdAt"]), where
    raw = path.with_name("raw").read_bytes()
    if "size" in m:
        assert m["size"] == len(raw), where
    if "checksum" in m:
        assert m["checksum"] == hashlib.sha256(raw).hexdigest(), where
    if "lifecycle" in m:
        assert m["lifecycle"] == "deleted", where
    if "renamedTo" in m:
        assert (m["lifecycle"], m["contentType"]) == ("deleted", "application/json"), where
        assert "size" not in m, where
        assert "checksum" not in m, where
        body = json.loads(raw)
        assert list(body) == ["renamedTo", "renamedAt"], where
        assert body["renamedTo"] == m["renamedTo"], where
        assert TIME.fullmatch(body["renamedAt"]), where
    return dict(m)


def check_artifact(path: Path) -> list[dict[str, Any]]:
    """Check one artifact's directory; return the metadata of its versions."""
    versions = []
    for child in path.iterdir():
        if child.name == "latest":
            continue
        assert re.fullmatch("[1-9][0-9]*", child.name), child
        assert child.is_dir(), child
        assert sorted(p.name for p in child.iterdir()) == ["metadata.yaml", "raw"], child
        versions.append(check_metadata(child / "metadata.yaml"))
    marker = path / "latest"
    assert not marker.is_symlink(), marker
    body = marker.read_bytes()
    assert re.fullmatch(rb"[1-9][0-9]*", body), marker
    assert int(body) == max(m["version"] for m in versions), marker
    return sorted(versions, key=lambda m: int(m["version"]))


def check_datastore(root: Path, *, own: frozenset[str] = frozenset()) -> dict[tuple[str, str, str], list[Any]]:
    """Check everything below one namespace's directory; return the versions by (type, model id, name).

    Args:
        root: `{base}/{namespace}`, or the base in solo mode.
        own: Names at the root that are allowed beside swamp's.
    """
    artifacts: dict[tuple[str, str, str], list[Any]] = {}
    subdirs = {"data", "outputs", "workflow-runs", "definitions-evaluated", "workflows-evaluated", "auto-definitions"}
    assert {path.name for path in root.iterdir()} <= subdirs | {".namespace.json", ".swampsync.json"} | own
    assert not [p for p in root.rglob("*") if p.is_symlink() or p.name.endswith((".lock", ".tmp"))]
    for marker in sorted((root / "data").rglob("latest")):
        artifact = marker.parent
        *types, model_id, name = artifact.relative_to(root / "data").parts
        model_type = "/".join(types)
        assert model_type == re.sub("/+", "/", re.sub(r"::|\s+|\.", "/", model_type.lower())).strip("/")
        artifacts[model_type, model_id, name] = check_artifact(artifact)
    known = {root.joinpath("data", *t.split("/"), i, n) for t, i, n in artifacts}
    for path in (root / "data").rglob("*"):
        if path.is_file() and "_catalog" not in path.name and "_sync" not in path.name:
            assert known & {path.parent, path.parents[1]}, f"{path} belongs to no artifact"
    manifest = root / ".namespace.json"
    if manifest.exists():
        text = manifest.read_text()
        assert text == json.dumps(json.loads(text), indent=2) + "\n"
        assert list(json.loads(text)) == ["namespace", "repoId", "registeredAt"]
        assert json.loads(text)["namespace"] == root.name
        assert TIME.fullmatch(json.loads(text)["registeredAt"])
    for path in (root / "auto-definitions").rglob("*"):
        if path.is_file():
            values = read_strict(path.read_text())
            assert {"type", "typeVersion", "id", "name", "version", "tags", "globalArguments", "methods"} <= set(values)
            assert path == root / "auto-definitions" / values["type"] / f"{values['name']}.yaml"
            assert re.fullmatch(UUID, values["id"])
    return artifacts


def expected_rows(
    namespace: str, artifacts: dict[tuple[str, str, str], list[Any]]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Say which rows the catalog must hold for a tree, and what they say."""
    rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for (model_type, model_id, name), versions in artifacts.items():
        if versions[-1].get("lifecycle") == "deleted":
            continue
        newest = {m["ownerDefinition"].get("stepName", ""): m["version"] for m in versions}
        for m in versions:
            owner, tags = m["ownerDefinition"], m["tags"]
            rows[namespace, model_type, model_id, name, m["version"]] = (
                m["id"], int(newest[owner.get("stepName", "")] == m["version"]), tags.get("modelName", ""),
                tags.get("specName", ""), tags["type"], m["contentType"], m["lifetime"], owner["ownerType"],
                int(m["streaming"]), m.get("size", 0), m["createdAt"], tags, owner["ownerRef"],
                owner.get("workflowRunId", ""), owner.get("workflowName", ""), owner.get("jobName", ""),
                owner.get("stepName", ""), owner.get("source", ""),
            )  # fmt: skip
    return rows


def catalog_rows(path: Path, namespace: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Read a namespace's rows of a catalog of schema "4"."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT value FROM catalog_meta WHERE key = 'schema_version'").fetchone()
        assert version == "4"
        columns = [row[1] for row in connection.execute("PRAGMA table_info(catalog)")]
        assert columns == [
            "namespace", "type_normalized", "model_id", "data_name", "id", "version", "is_latest", "model_name",
            "spec_name", "data_type", "content_type", "lifetime", "owner_type", "streaming", "size", "created_at",
            "tags", "owner_ref", "workflow_run_id", "workflow_name", "job_name", "step_name", "source",
        ]  # fmt: skip
        found = {}
        for row in connection.execute("SELECT * FROM catalog WHERE namespace = ?", (namespace,)):
            values = dict(zip(columns, row, strict=True))
            key = tuple(values.pop(c) for c in ("namespace", "type_normalized", "model_id", "data_name", "version"))
            values["tags"] = json.loads(values["tags"])
            found[key] = tuple(values.values())
    return found
