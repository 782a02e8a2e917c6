"""Finding artifacts by model, tag and spec, here and in other namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from swampsync.errors import Conflict, InvalidInput
from swampsync.namespace import SOLO, Namespace
from swampsync.query import lookups

APP, INFRA = Namespace.parse("app"), Namespace.parse("infra")


@pytest.fixture
def shared(catalog: Any) -> Any:
    for namespace in ("app", "infra"):
        for version in (1, 2, 3):
            catalog.add(
                namespace=namespace,
                model_name="vpc",
                data_name="state",
                version=version,
                is_latest=int(version == 3),
                tags={"env": "prod"},
                spec_name="result",
            )
    catalog.add(namespace="infra", model_name="dns", data_name="zone", tags={"env": "prod", "n": 5}, spec_name="zone")
    catalog.add(namespace="", model_name="old", data_name="state")
    return catalog


def test_latest_is_that_of_the_own_namespace(shared: Any) -> None:
    """A bare name means our own model."""
    row = lookups.latest(shared.connection, "vpc", "state", own=APP)
    assert row is not None
    assert (row.namespace, row.version) == ("app", 3)
    assert lookups.latest(shared.connection, "dns", "zone", own=APP) is None
    assert lookups.latest(shared.connection, "vpc", "nosuch", own=APP) is None


def test_prefix_names_the_namespace(shared: Any) -> None:
    """`ns:model` looks there and nowhere else, also when our own model has the same name; `:model` is solo."""
    row = lookups.latest(shared.connection, "infra:vpc", "state", own=APP)
    assert row is not None
    assert row.namespace == "infra"
    assert lookups.latest(shared.connection, "app:dns", "zone", own=INFRA) is None
    solo = lookups.latest(shared.connection, ":old", "state", own=APP)
    assert solo is not None
    assert solo.namespace == ""
    assert lookups.latest(shared.connection, "old", "state", own=SOLO) == solo


def test_star_finds_the_only_one(shared: Any) -> None:
    """`*:model` is the one namespace that has it; two are a conflict that names both."""
    row = lookups.latest(shared.connection, "*:dns", "zone", own=APP)
    assert row is not None
    assert row.namespace == "infra"
    for call in (
        lambda: lookups.latest(shared.connection, "*:vpc", "state", own=APP),
        lambda: lookups.version(shared.connection, "*:vpc", "state", 1, own=APP),
        lambda: lookups.list_versions(shared.connection, "*:vpc", "state", own=APP),
        lambda: lookups.find_by_spec(shared.connection, "*:vpc", "result", own=APP),
    ):
        with pytest.raises(Conflict, match="`vpc` is ambiguous: the namespaces app, infra have it") as caught:
            call()
        assert caught.value.hint == "name one: app:vpc or infra:vpc"
    assert lookups.latest(shared.connection, "*:nosuch", "zone", own=APP) is None
    assert lookups.list_versions(shared.connection, "*:nosuch", "zone", own=APP) == []


def test_star_needs_a_name(shared: Any) -> None:
    """Nothing after the colon is an error."""
    with pytest.raises(InvalidInput, match="a name is missing"):
        lookups.latest(shared.connection, "*:", "state", own=APP)


def test_versions_are_listed_oldest_first(shared: Any) -> None:
    """Every version is there, and each can be asked for by its number."""
    rows = lookups.list_versions(shared.connection, "vpc", "state", own=INFRA)
    assert [(row.namespace, row.version) for row in rows] == [("infra", 1), ("infra", 2), ("infra", 3)]
    row = lookups.version(shared.connection, "infra:vpc", "state", 2, own=APP)
    assert row == rows[1]
    assert lookups.version(shared.connection, "vpc", "state", 9, own=APP) is None


def test_tags_find_latest_versions_of_the_own_namespace(shared: Any) -> None:
    """A tag's value is text, and older versions and other namespaces are not looked at."""
    rows = lookups.find_by_tag(shared.connection, "env", "prod", own=INFRA)
    assert [(row.model_name, row.version) for row in rows] == [("vpc", 3), ("dns", 1)]
    assert lookups.find_by_tag(shared.connection, "n", "5", own=INFRA) == []
    assert lookups.find_by_tag(shared.connection, "env", "prod", own=SOLO) == []


def test_spec_finds_latest_versions_of_a_model(shared: Any) -> None:
    """A spec is looked up within one model."""
    (row,) = lookups.find_by_spec(shared.connection, "vpc", "result", own=APP)
    assert (row.namespace, row.version) == ("app", 3)
    assert lookups.find_by_spec(shared.connection, "infra:dns", "zone", own=APP)[0].data_name == "zone"


def test_steps_have_a_latest_version_each(catalog: Any) -> None:
    """Of two steps that write one artifact, lookups by spec give both, and the latest is the newer one."""
    catalog.add(model_name="m", data_name="d", version=1, step_name="one", spec_name="s")
    catalog.add(model_name="m", data_name="d", version=2, step_name="two", spec_name="s")
    assert [row.step_name for row in lookups.find_by_spec(catalog.connection, "m", "s", own=SOLO)] == ["one", "two"]
    row = lookups.latest(catalog.connection, "m", "d", own=SOLO)
    assert row is not None
    assert row.version == 2


def test_renamed_artifact_is_found_by_its_new_name_only(catalog: Any) -> None:
    """Even where rows of the old name are left over, the old name never gives the new record."""
    catalog.add(model_name="m", data_name="log", version=1, is_latest=0)
    new = catalog.add(model_name="m", data_name="deploy-log", version=1)
    assert lookups.latest(catalog.connection, "m", "deploy-log", own=SOLO) == new
    assert lookups.latest(catalog.connection, "m", "log", own=SOLO) is None


def test_lookups_use_indexes(shared: Any) -> None:
    """No lookup walks the whole table."""
    seen: list[str] = []
    shared.connection.set_trace_callback(seen.append)
    lookups.latest(shared.connection, "vpc", "state", own=APP)
    lookups.find_by_tag(shared.connection, "env", "prod", own=APP)
    lookups.find_by_spec(shared.connection, "*:dns", "zone", own=APP)
    shared.connection.set_trace_callback(None)
    for sql in seen:
        plan = shared.connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        assert not any(row[-1].startswith("SCAN catalog") and "INDEX" not in row[-1] for row in plan), sql
