"""Trees that swamp wrote are catalogued as swamp itself catalogued them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from swampsync.catalog.rows import CatalogRow
from swampsync.layout import Layout
from swampsync.namespace import SOLO, Namespace
from tests.unit.maintenance.tree import make_world

FIXTURES = Path(__file__).parents[2] / "fixtures"
JSON_NAMES = {
    "namespace": "namespace",
    "modelType": "type_normalized",
    "modelId": "model_id",
    "name": "data_name",
    "id": "id",
    "version": "version",
    "modelName": "model_name",
    "specName": "spec_name",
    "dataType": "data_type",
    "contentType": "content_type",
    "lifetime": "lifetime",
    "ownerType": "owner_type",
    "size": "size",
    "createdAt": "created_at",
    "ownerRef": "owner_ref",
    "workflowRunId": "workflow_run_id",
    "workflowName": "workflow_name",
    "jobName": "job_name",
    "stepName": "step_name",
    "source": "source",
}


def as_swamp_told(row: CatalogRow) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(row, column) for name, column in JSON_NAMES.items()}
    return told | {"isLatest": bool(row.is_latest), "streaming": bool(row.streaming), "tags": json.loads(row.tags)}


def expected_rows(repo: str, file: str) -> list[dict[str, Any]]:
    document = json.loads((FIXTURES / "expected" / repo / file).read_text())
    return sorted(
        ({key: value for key, value in result.items() if key != "content"} for result in document["results"]),
        key=lambda r: (r["modelId"], r["name"], r["version"]),
    )


def found_rows(rows: list[CatalogRow]) -> list[dict[str, Any]]:
    return sorted((as_swamp_told(row) for row in rows), key=lambda r: (r["modelId"], r["name"], r["version"]))


def test_solo_tree_has_the_rows_that_swamp_told(tmp_path: Path) -> None:
    """Every version of a solo repo, renamed and deleted ones aside, reads as in swamp's answer to a query for all."""
    shutil.copytree(FIXTURES / "swamp-solo", tmp_path / "repo")
    layout = Layout(repo_dir=str(tmp_path / "repo"), base=str(tmp_path / "repo" / ".swamp"), namespace=SOLO)
    world = make_world(tmp_path, layout=layout)
    report = world.refresher.refresh(SOLO)
    assert report.problems == []
    assert found_rows(list(world.catalog.rows(""))) == expected_rows("swamp-solo", "query-all-versions.json")
    world.catalog.close()
    world.state.close()


@pytest.mark.parametrize(("own", "other"), [("infra", "app"), ("app", "infra")])
def test_shared_tree_shows_both_namespaces(tmp_path: Path, own: str, other: str) -> None:
    """Each repo sees its own rows as swamp told them, and the other's beside them, which swamp cannot."""
    shutil.copytree(FIXTURES / "swamp-shared" / "datastore", tmp_path / "shared")
    world = make_world(tmp_path, namespace=Namespace.parse(own))
    for name in (own, other):
        assert world.refresher.refresh(Namespace.parse(name)).problems == []
    told = FIXTURES / "expected" / f"swamp-shared-{own}" / "query-all-versions.json"
    assert found_rows(list(world.catalog.rows(own))) == expected_rows(told.parent.name, told.name)
    data = tmp_path / "shared" / other / "data"
    assert world.catalog.count(other) == len(list(data.rglob("metadata.yaml"))) > 0
    world.catalog.close()
    world.state.close()
