"""The namespace's guard."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from swampsync.backends.base import Create, IfMatch, ObjectStore, Overwrite, PutMode
from swampsync.backends.checks import digest_etag
from swampsync.backends.memory import MemoryStore
from swampsync.backends.prefixed import Prefixed
from swampsync.errors import InvalidInput
from swampsync.layout import ObjectKey
from swampsync.namespace import SOLO, Namespace
from swampsync.testing.faulty_store import Faulty
from swampsync.testing.manual_clock import ManualClock

INFRA = Namespace.parse("infra")

WRITES: dict[str, Callable[[ObjectStore, ObjectKey], object]] = {
    "put overwrite": lambda store, key: store.put(key, b"x", Overwrite()),
    "put create": lambda store, key: store.put(key, b"x", Create()),
    "put if-match": lambda store, key: store.put(key, b"x", IfMatch(digest_etag(b"theirs"))),
    "put_stream": lambda store, key: store.put_stream(key, io.BytesIO(b"x")),
    "delete": lambda store, key: store.delete(key),
    "delete_many": lambda store, key: store.delete_many([ObjectKey("infra/own"), ObjectKey("data/own"), key]),
}

FOREIGN_TO_INFRA = [
    "infra",
    "infra2/data/x",
    "infra-2/data/x",
    "Infra/data/x",
    "other/data/x",
    "data/x",
    "_log/00000000000000000001.json",
    ".datastore.lock",
    ".locks/other.lock",
    ".locks/infra.lock/x",
    ".locks/infra.lock2",
    ".locks/infra",
    "x/infra/data",
]
OWN_OF_INFRA = ["infra/data/x", "infra/_log/00000000000000000001.json", "infra/.swampsync.json", ".locks/infra.lock"]
FOREIGN_TO_SOLO = ["infra/data/x", "infra", "a/b", "x-y_z/data", ".locks/infra.lock", ".locks/x"]
OWN_OF_SOLO = [
    "data/x",
    "outputs/x",
    "files/x",
    "_log/00000000000000000001.json",
    "_checkpoints/1.json",
    "_segments/x.gz",
    ".datastore.lock",
    ".namespace.json",
    ".swampsync.json",
]


@pytest.mark.holds("I4")
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("namespace", "text"), [(INFRA, t) for t in FOREIGN_TO_INFRA] + [(SOLO, t) for t in FOREIGN_TO_SOLO]
)
def test_foreign_write_is_refused_before_it_is_sent(
    namespace: Namespace, text: str, write: Callable[[ObjectStore, ObjectKey], object]
) -> None:
    """A write to a key of somebody else raises `InvalidInput` with the key, and the store is not even asked."""
    memory = MemoryStore(ManualClock())
    memory.put(ObjectKey(text), b"theirs", Create())
    watched = Faulty(memory)
    own = ObjectKey("infra/own" if namespace is INFRA else "data/own")
    Prefixed(watched, namespace).put(own, b"kept", Create())
    if write is WRITES["delete_many"] and namespace is SOLO:
        text = "infra/own"  # the first of the batch is foreign already
    with pytest.raises(InvalidInput) as caught:
        write(Prefixed(watched, namespace), ObjectKey(text))
    if write is not WRITES["delete_many"]:
        assert caught.value.key == text
    assert [call.method for call in watched.calls] == ["put"]
    assert memory.get(own).body == b"kept"


@pytest.mark.holds("I4")
@pytest.mark.parametrize(("namespace", "text"), [(INFRA, t) for t in OWN_OF_INFRA] + [(SOLO, t) for t in OWN_OF_SOLO])
def test_own_write_passes(namespace: Namespace, text: str) -> None:
    """A write to a key of the namespace, or to its lock, reaches the store under the same key."""
    memory = MemoryStore(ManualClock())
    guarded = Prefixed(memory, namespace)
    key = ObjectKey.parse(text)
    modes: list[PutMode] = [Create(), Overwrite(), IfMatch(digest_etag(b"x"))]
    for mode in modes:
        guarded.put(key, b"x", mode)
    guarded.put_stream(key, io.BytesIO(b"streamed"))
    assert memory.get(key).body == b"streamed"
    assert guarded.delete_many([key]) == {}
    guarded.delete(key)
    assert list(memory.list("")) == []


def test_every_namespace_is_read() -> None:
    """Reading and listing pass for every key."""
    memory = MemoryStore(ManualClock())
    key = ObjectKey("other/data/x")
    memory.put(key, b"theirs", Create())
    guarded = Prefixed(memory, INFRA)
    assert guarded.get(key, start=1, length=2).body == b"he"
    assert guarded.head(key).size == 6
    with guarded.open(key) as (_, chunks):
        assert b"".join(chunks) == b"theirs"
    assert [info.key for info in guarded.list("other/", start="other/d")] == [key]
    assert list(guarded.list_dirs("")) == ["other"]
    assert guarded.capabilities == memory.capabilities
    assert guarded.namespace == INFRA
