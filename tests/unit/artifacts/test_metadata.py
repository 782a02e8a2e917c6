from __future__ import annotations

from typing import Any

import pytest

from swampsync.artifacts.metadata import metadata_from_json, metadata_to_json
from swampsync.errors import DataError

UUID = "8ed8e028-d931-4164-8a3d-a21a438420f6"


def document(**changes: Any) -> dict[str, Any]:
    """Make a valid document, with some keys changed, or removed where the change is `...`."""
    values: dict[str, Any] = {
        "id": UUID,
        "name": "out",
        "version": 3,
        "contentType": "application/json",
        "lifetime": "infinite",
        "garbageCollection": 10,
        "streaming": False,
        "tags": {"type": "resource", "note": "yes"},
        "ownerDefinition": {
            "definitionHash": "abc",
            "ownerType": "workflow-step",
            "ownerRef": "r",
            "workflowId": UUID,
            "workflowRunId": UUID,
            "workflowName": "w",
            "jobName": "j",
            "stepName": "s",
            "source": "x",
        },
        "createdAt": "2026-11-21T09:15:37.969Z",
        "size": 7,
        "checksum": "a0" * 32,
        "lifecycle": "deleted",
        "renamedTo": "other",
    }
    values.update(changes)
    return {key: value for key, value in values.items() if value is not ...}


def test_json_form_comes_back_in_swamps_order() -> None:
    """Every field survives the way to values and back, in the order in which swamp writes it."""
    values = document()
    back = metadata_to_json(metadata_from_json(values))
    assert back == values
    assert list(back) == list(values)
    assert list(back["ownerDefinition"]) == list(values["ownerDefinition"])


def test_optional_fields_are_left_out() -> None:
    """What is `None` has no key, and `active` is written as nothing."""
    values = document(
        garbageCollection=..., size=..., checksum=..., renamedTo=..., lifecycle="active", streaming=..., unknown=1
    )
    metadata = metadata_from_json(values)
    assert (metadata.size, metadata.checksum, metadata.garbage_collection, metadata.is_deleted) == (None,) * 3 + (
        False,
    )
    assert not {"size", "checksum", "garbageCollection", "lifecycle", "renamedTo", "unknown"} & set(
        metadata_to_json(metadata)
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ...), ("id", "x"), ("id", 5),
        ("name", ""), ("name", 123), ("name", "a/b"), ("name", "a..b"), ("name", "a\0"),
        ("version", 0), ("version", "1"), ("version", True), ("version", 1.5), ("version", ...),
        ("contentType", ""), ("contentType", None),
        ("lifetime", "3 days"), ("lifetime", "30D"), ("lifetime", "-1d"), ("lifetime", "30d\n"), ("lifetime", "٣d"),
        ("garbageCollection", 0), ("garbageCollection", "10"), ("garbageCollection", "0d"), ("garbageCollection", None),
        ("garbageCollection", "00mo"),
        ("streaming", "false"), ("streaming", 0),
        ("tags", {}), ("tags", {"type": 1}), ("tags", {"type": "x", "a": None}), ("tags", []), ("tags", ...),
        ("tags", {"type": "x", 1: "a"}),
        ("ownerDefinition", ...), ("ownerDefinition", {}), ("ownerDefinition", {"ownerType": "x", "ownerRef": "r"}),
        ("ownerDefinition", {"ownerType": "manual", "ownerRef": ""}),
        ("ownerDefinition", {"ownerType": "manual", "ownerRef": "r", "workflowId": "no"}),
        ("createdAt", "2026-11-21T09:15:37+00:00"), ("createdAt", "2026-02-30T09:15:37Z"), ("createdAt", 5),
        ("createdAt", "2026-13-01T09:15:37Z"), ("createdAt", "2026-11-21T24:00:00Z"), ("createdAt", "2026-11-21"),
        ("size", -1), ("size", "7"), ("checksum", 7), ("lifecycle", "gone"), ("renamedTo", ""),
        ("size", 2**63), ("size", 1e300), ("garbageCollection", 10**30), ("version", 2**63),
    ],
)  # fmt: skip
def test_wrong_field_is_an_error_that_names_it(field: str, value: Any) -> None:
    """A missing or wrong field is a `DataError` with the document's name and the field's."""
    with pytest.raises(DataError) as caught:
        metadata_from_json(document(**{field: value}), source="`/d/metadata.yaml`")
    assert caught.value.message.startswith(f"`/d/metadata.yaml`: field `{field}")
    assert caught.value.key == "/d/metadata.yaml"


@pytest.mark.parametrize("created_at", ["2026-11-21T09:15Z", "2026-11-21T09:15:37Z", "2024-02-29T23:59:59.123456Z"])
def test_times_of_other_precision_are_accepted(created_at: str) -> None:
    """Any ISO 8601 precision that swamp's reader takes is taken."""
    assert metadata_from_json(document(createdAt=created_at)).created_at == created_at
