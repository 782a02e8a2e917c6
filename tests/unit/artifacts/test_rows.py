from __future__ import annotations

from swampsync.artifacts.metadata import Metadata, Owner
from swampsync.artifacts.rows import row_from_metadata
from swampsync.namespace import SOLO, Namespace


def test_row_holds_what_swamp_would_write() -> None:
    """Every column comes from the field that swamp takes it from, tags as compact JSON without escapes."""
    metadata = Metadata(
        id="i",
        name="n",
        version=4,
        content_type="text/plain",
        lifetime="30d",
        garbage_collection="5d",
        streaming=True,
        tags={"type": "file", "specName": "log", "modelName": "m", "ü": 'a "b"'},
        owner=Owner("model-method", "ref", "hash", "wid", "rid", "wn", "j", "s", "src"),
        created_at="2026-11-21T09:02:07.150Z",
        size=16,
        checksum="c",
    )
    assert row_from_metadata(Namespace("infra"), "command/shell", "mid", metadata, is_latest=True) == (
        "infra", "command/shell", "mid", "n", "i", 4, 1, "m", "log", "file", "text/plain", "30d", "model-method", 1, 16,
        "2026-11-21T09:02:07.150Z", '{"type":"file","specName":"log","modelName":"m","ü":"a \\"b\\""}', "ref", "rid",
        "wn", "j", "s", "src",
    )  # fmt: skip


def test_row_is_empty_where_metadata_says_nothing() -> None:
    """Tags that are not there, an unknown size and a plain owner leave '' and 0."""
    metadata = Metadata(
        id="i",
        name="n",
        version=1,
        content_type="application/json",
        lifetime="infinite",
        garbage_collection=None,
        streaming=False,
        tags={"type": "report"},
        owner=Owner("manual", "ref"),
        created_at="2026-11-21T09:02:07.150Z",
        size=None,
        checksum=None,
    )
    row = row_from_metadata(SOLO, "t", "mid", metadata, is_latest=False)
    assert (row.namespace, row.is_latest, row.model_name, row.spec_name, row.size) == ("", 0, "", "", 0)
    assert row[18:] == ("",) * 5
