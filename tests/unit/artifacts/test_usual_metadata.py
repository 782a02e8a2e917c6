"""The quick way agrees with the careful one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.artifacts.metadata import metadata_from_json
from swampsync.artifacts.usual_metadata import read_usual
from swampsync.errors import DataError

UUID = "8ed8e028-d931-4164-8a3d-a21a438420f6"


def usual(**changes: Any) -> dict[str, Any]:
    """Make a document as shell models write it, with some keys changed, or removed where the change is `...`."""
    values: dict[str, Any] = {
        "id": UUID,
        "name": "artifact-00012.json",
        "version": 3,
        "contentType": "application/json",
        "lifetime": "infinite",
        "garbageCollection": 10,
        "streaming": False,
        "tags": {"type": "resource", "specName": "result", "modelName": "m-1"},
        "ownerDefinition": {"ownerType": "model-method", "ownerRef": UUID},
        "createdAt": "2026-11-21T09:15:37.969Z",
        "size": 0,
        "checksum": "a0" * 32,
    }
    values.update(changes)
    return {key: value for key, value in values.items() if value is not ...}


def test_usual_documents_take_the_quick_way() -> None:
    """What models write is read at once, and as the careful way reads it."""
    assert read_usual(usual()) == metadata_from_json(usual())
    assert read_usual(usual(lifetime="30d")) == metadata_from_json(usual(lifetime="30d"))


@pytest.mark.parametrize("key", sorted(usual()))
def test_missing_keys_are_left_to_the_careful_way(key: str) -> None:
    """A document without one of the keys is not judged here, whether that key may be missing or not."""
    assert read_usual(usual(**{key: ...})) is None


TIMES = (
    "2026-02-30T09:15:37.969Z", "2026-02-28T09:15:37.969Z", "2026-11-21T09:15:37.969Z\n", "2026-11-21T25:15:37.969Z",
    "2026-11-21T09:15Z",
)  # fmt: skip
MAPPINGS: tuple[Any, ...] = (
    {}, {"type": "x"}, {"type": 1}, {"other": "x"}, {1: "x", "type": "y"}, {"ownerType": "x", "ownerRef": "r"},
    {"ownerType": "manual", "ownerRef": "r"}, {"ownerType": "manual", "ownerRef": ""},
    {"ownerType": "manual", "ownerRef": "r", "jobName": "j"},
)  # fmt: skip
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, 2**63 - 1, 1.0, 1.5, "", "x", "..", "a/b", "a\\b", "a\0", "a\n", "30d", "0h",
    "30x", "infinite", "manual", UUID, UUID.upper(), f"{UUID}\n",
)  # fmt: skip
ODD = st.sampled_from([*SCALARS, *TIMES, *MAPPINGS, []])
KEYS = st.sampled_from([*usual(), "lifecycle", "renamedTo", "unknown"])


@given(st.dictionaries(KEYS, ODD, min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_quick_way_never_differs(changes: dict[str, Any]) -> None:
    """Whatever is odd in a document, the quick way gives what the careful one gives, or leaves it to it."""
    values = usual() | changes
    found = read_usual(values)
    try:
        expected = metadata_from_json(values)
    except DataError:
        assert found is None
        return
    assert found in (None, expected)
