"""When a list says which namespace a row is of."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Place, Swamp


def header(text: str) -> list[str]:
    return text.splitlines()[0].split()


def test_the_namespace_column_follows_what_is_shown(pair: Place, tmp_path: Path, swamp: Swamp) -> None:
    """The column appears for a configured namespace and for rows of any namespace; `(solo)` stands for none."""
    third = tmp_path / "third"
    swamp(tmp_path, "repo", "init", "third").ok()
    swamp(third, "datastore", "setup", "filesystem", "--path", str(pair.datastore)).ok()
    swamp(pair.first, "data", "put", "vpc", "state", stdin="1").ok()
    assert header(swamp(pair.first, "data", "list").ok().text)[0] == "NAMESPACE"
    shown = swamp(third, "data", "list", "--all-namespaces").ok().text
    assert header(shown)[0] == "NAMESPACE"
    assert shown.splitlines()[1].split()[:2] == ["infra", "vpc"]
    document = swamp(third, "data", "list", "vpc", "--all-namespaces", "--json").ok().json
    assert document["namespace"] == "infra"
    swamp(third, "data", "put", "own", "x", stdin="1").ok()
    shown = swamp(third, "data", "list", "--all-namespaces").ok().text
    assert [line.split()[:2] for line in shown.splitlines()[1:]] == [["(solo)", "own"], ["infra", "vpc"]]
    assert header(swamp(third, "data", "list").ok().text)[0] == "MODEL"
    assert "namespace" not in swamp(third, "data", "list", "own", "--json").ok().json
