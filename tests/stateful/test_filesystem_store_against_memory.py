"""A directory behaves as the specification does, whatever is done to it in whatever order."""

from __future__ import annotations

import io
import itertools
import shutil
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from swampsync.backends.base import Create, ObjectExists, ObjectStore, Overwrite
from swampsync.backends.filesystem import FilesystemStore
from swampsync.backends.memory import MemoryStore
from swampsync.disk import LocalDisk
from swampsync.errors import Conflict, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.testing.manual_clock import ManualClock

# Names whose order among directories differs from that among files, and a few to collide.
SEGMENTS = st.sampled_from(["a", "b", "a.b", "a-", "A", "\u00e4", "a b", ".a"])
KEYS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
PREFIXES = st.one_of(st.just(""), KEYS, KEYS.map(lambda key: key + "/"), KEYS.map(lambda key: key[:-1]))
BODIES = st.sampled_from([b"", b"x", b"other body"])


class DirectoryAgainstMemory(RuleBasedStateMachine):
    """Does everything twice and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="swampsync-store-")
        ids = itertools.count()
        self.directory = FilesystemStore(LocalDisk(), self.root, new_id=lambda: str(next(ids)))
        self.memory = MemoryStore(ManualClock())

    def teardown(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.root)

    def both(self, act: Callable[[ObjectStore], object]) -> None:
        """Do it to both; result or class of error must be the same."""
        outcomes = []
        for store in (self.directory, self.memory):
            try:
                outcomes.append(act(store))
            except SwampsyncError as error:
                outcomes.append((type(error), error.key))
        assert outcomes[0] == outcomes[1]

    def collides(self, text: str) -> bool:
        """Say whether a key lies under another one, or another one under it."""
        keys = [info.key.text for info in self.memory.list("")]
        return any(key.startswith(text + "/") or text.startswith(key + "/") for key in keys)

    @rule(text=KEYS, body=BODIES, mode=st.sampled_from([Create(), Overwrite(), None]))
    def put(self, text: str, body: bytes, mode: Create | Overwrite | None) -> None:
        """Put, in one of three ways; a key under a key is a `Conflict` in the directory alone."""
        key = ObjectKey(text)

        def act(store: ObjectStore) -> object:
            if mode is None:
                return store.put_stream(key, io.BytesIO(body))
            return store.put(key, body, mode)

        if not self.collides(text):
            self.both(act)
            return
        with pytest.raises(Conflict) as caught:
            act(self.directory)
        assert not isinstance(caught.value, ObjectExists)
        assert caught.value.key == text

    @rule(text=KEYS)
    def delete(self, text: str) -> None:
        """Remove one."""
        self.both(lambda store: store.delete(ObjectKey(text)))

    @rule(texts=st.lists(KEYS, max_size=4))
    def delete_many(self, texts: list[str]) -> None:
        """Remove many."""
        self.both(lambda store: store.delete_many([ObjectKey(text) for text in texts]))

    @rule(text=KEYS, start=st.integers(0, 12), length=st.one_of(st.none(), st.integers(1, 12)))
    def get(self, text: str, start: int, length: int | None) -> None:
        """Read a range."""

        def act(store: ObjectStore) -> object:
            result = store.get(ObjectKey(text), start=start, length=length)
            return result.body, result.info.size, result.info.etag

        self.both(act)

    @rule(prefix=PREFIXES, start=st.one_of(st.none(), PREFIXES))
    def list(self, prefix: str, start: str | None) -> None:
        """List from a key on."""
        self.both(lambda store: [(info.key, info.size) for info in store.list(prefix, start=start)])

    @rule(prefix=PREFIXES)
    def list_dirs(self, prefix: str) -> None:
        """Name directories."""
        self.both(lambda store: list(store.list_dirs(prefix)))

    @invariant()
    def same_objects(self) -> None:
        """Both hold the same objects."""
        self.both(lambda store: [(i.key, store.get(i.key).body) for i in store.list("")])


TestDirectoryAgainstMemory = DirectoryAgainstMemory.TestCase
TestDirectoryAgainstMemory.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
