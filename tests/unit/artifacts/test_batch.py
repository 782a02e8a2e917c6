from __future__ import annotations

import io
from typing import Any

import pytest

from swampsync.artifacts.batch import BatchItem
from swampsync.artifacts.metadata import Metadata, Owner
from swampsync.errors import Conflict, InvalidInput, LeaseLost


def item(kit: Any, name: str, content: bytes, **changes: Any) -> BatchItem:
    """Make an item of a batch."""
    return BatchItem(kit.model, name, lambda: io.BytesIO(content), kit.draft(**changes))


def test_batch_writes_what_single_puts_would(kit: Any, new_kit: Any) -> None:
    """Content, numbers and markers are those of puts one by one, several versions of a name included."""
    single, batch = kit, new_kit()
    single.put("there", b"0")
    batch.put("there", b"0")
    contents = [("a", b"1"), ("there", b"2"), ("a", b"3"), ("b", b""), ("there", b"4"), ("207333", b"5")]
    for name, content in contents:
        single.put(name, content)
    told: list[Metadata] = []
    done = batch.store.put_many((item(batch, *pair) for pair in contents), on_written=told.append)
    assert [(m.name, m.version) for m in done] == [
        ("a", 1),
        ("there", 2),
        ("a", 2),
        ("b", 1),
        ("there", 3),
        ("207333", 1),
    ]
    assert told == done

    def without_metadata(kit: Any) -> dict[str, bytes]:
        return {name: data for name, data in kit.tree().items() if not name.endswith("metadata.yaml")}

    assert without_metadata(batch) == without_metadata(single)
    assert [batch.get(m.name, m.version) for m in done] == [content for _, content in contents]
    assert set(batch.tree()) == set(single.tree())


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"name": "latest"}, InvalidInput),
        ({"name": "x", "tags": {}}, InvalidInput),
        ({"name": "there", "owner": Owner("manual", "you")}, Conflict),
    ],
    ids=["name", "draft", "owner"],
)
def test_batch_with_a_bad_item_writes_nothing(kit: Any, bad: dict[str, Any], error: type[Exception]) -> None:
    """All or none: an item that is refused takes back those before it."""
    kit.put("there", b"0")
    before = {name: data for name, data in kit.tree().items() if data}
    with pytest.raises(error):
        kit.store.put_many([item(kit, "a", b"1"), item(kit, "there", b"2"), item(kit, content=b"", **bad)])
    assert {name: data for name, data in kit.tree().items() if data} == before


def test_batch_that_fails_while_publishing_writes_nothing(kit: Any) -> None:
    """Core fact 10.1.7: a lease lost after any step takes back all of it; readers get what they got before."""
    kit.put("there", b"0")
    before = {name: data for name, data in kit.tree().items() if data}
    for allowed in range(5):
        left = iter(range(allowed))

        def check(left: Any = left) -> None:
            if next(left, None) is None:
                raise LeaseLost("gone")

        with pytest.raises(LeaseLost):
            kit.store.put_many([item(kit, "a", b"1"), item(kit, "there", b"2")], check=check)
        assert {name: data for name, data in kit.tree().items() if data} == before
        assert kit.get("there") == b"0"


def test_batch_is_invisible_until_it_is_published(kit: Any) -> None:
    """While a batch is being written no reader sees any of it."""
    kit.put("there", b"0")

    def look(_metadata: Metadata) -> None:
        assert kit.store.list_versions(kit.model, "a") == ()
        assert [m.version for m in kit.store.list_versions(kit.model, "there")] == [1]

    kit.store.put_many([item(kit, "a", b"1"), item(kit, "there", b"2")], on_written=look)
    assert kit.get("there") == b"2"


def test_batch_syncs_twice_whatever_its_size(kit: Any) -> None:
    """Two syncs of the file system stand for all of them."""
    syncs: list[str] = []
    sync = kit.disk.sync_filesystem

    def count(path: str) -> None:
        syncs.append(path)
        sync(path)

    kit.disk.sync_filesystem = count
    kit.store.put_many(item(kit, f"n{number}", b"x") for number in range(20))
    assert syncs == ["/base/infra/data"] * 2
    kit.store.put_many([])
    assert len(syncs) == 2
