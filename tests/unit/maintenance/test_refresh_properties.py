"""Whatever others do to the tree, and wherever a refresh dies, the catalog ends equal to the tree."""

import io
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.artifacts.metadata import Draft, Owner
from swampsync.artifacts.model import Model
from swampsync.artifacts.store import ArtifactStore
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.rows import ArtifactKey
from swampsync.catalog.state import SyncState
from swampsync.disk import LocalDisk
from swampsync.errors import SwampsyncError
from swampsync.layout import Layout
from swampsync.maintenance.refresh import WHOLE, Refresher, Scope
from swampsync.maintenance.reindex import plan_reindex
from swampsync.namespace import Namespace
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk

NAMESPACE = Namespace.parse("infra")
MODELS = (Model("command/shell", "m-1", "vpc"), Model("a/b/c", "m-2", "dns"))
NAMES = ("state", "log")
SCOPES = (WHOLE, WHOLE, Scope("command/shell", "m-1"), Scope("a/b/c", "m-2", "log"))


class Shared(NamedTuple):
    """A directory in memory on which others write and we only look."""

    clock: ManualClock
    disk: MemoryDisk
    layout: Layout
    store: ArtifactStore
    catalog: Catalog
    state: SyncState
    refresher: Refresher

    def is_equal(self) -> bool:
        roots = self.refresher.data_roots(NAMESPACE)
        return plan_reindex(self.disk, self.layout, self.catalog, data_roots=roots).is_empty


def make_shared() -> Shared:
    clock = ManualClock()
    disk = MemoryDisk(clock)
    layout = Layout(repo_dir="/repo", base="/shared", namespace=NAMESPACE)
    disk.makedirs("/shared/infra/data")
    numbers = count()
    store = ArtifactStore(disk, clock, layout, new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012}")
    catalog = Catalog.open(":memory:", disk=LocalDisk(), clock=clock, rng=Random(1))
    state = SyncState.open(":memory:", disk=LocalDisk(), clock=clock, rng=Random(1))
    refresher = Refresher(disk, clock, layout=layout, catalog=catalog, state=state)
    return Shared(clock, disk, layout, store, catalog, state, refresher)


def put(shared: Shared, model: Model, name: str, *, step: str | None = None) -> None:
    owner = Owner("model-method", "ref", step_name=step)
    draft = Draft(
        content_type="text/plain",
        lifetime="infinite",
        garbage_collection=None,
        tags={"type": "file", "modelName": model.name},
        owner=owner,
        streaming=name == "log",
    )
    shared.store.put(model, name, io.BytesIO(b"x"), draft)


def act(shared: Shared, kind: str, model: Model, name: str, number: int) -> None:
    """Do one thing that another repo may do; what is not possible just now is left out."""
    other = NAMES[1 - NAMES.index(name)]
    actions: dict[str, Callable[[], object]] = {
        "put": lambda: put(shared, model, name, step=None if name == "log" else "ab"[number % 2]),
        "append": lambda: shared.store.append(model, name, io.BytesIO(b"more")),
        "delete version": lambda: shared.store.delete_version(model, name, version=number),
        "delete artifact": lambda: shared.store.delete_artifact(model, name),
        "rename": lambda: shared.store.rename(model, name, other),
        "claim": lambda: shared.disk.mkdir(f"{shared.store.artifact_path(model, name)}/{number + 10}"),
        "wait": lambda: shared.clock.advance(number),
    }
    with suppress(SwampsyncError, OSError):
        actions[kind]()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(
                ["put", "put", "put", "append", "delete version", "delete artifact", "rename", "claim", "wait"]
            ),
            st.sampled_from(MODELS),
            st.sampled_from(NAMES),
            st.integers(1, 4),
        ),
        st.sampled_from(SCOPES),
    ),
    max_size=25,
)


@pytest.mark.holds("I5")
@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_after_every_whole_refresh_catalog_and_tree_are_equal(steps: list[Scope | tuple[str, Model, str, int]]) -> None:
    """Puts, appends, deletions, renames and dead claims of others, at any pace, between refreshes of any scope."""
    shared = make_shared()
    with shared.catalog, shared.state:
        for step in (*steps, WHOLE):
            if isinstance(step, Scope):
                shared.refresher.refresh(NAMESPACE, step)
                assert step != WHOLE or shared.is_equal(), steps
            else:
                act(shared, *step)


@pytest.mark.holds("I11")
@pytest.mark.parametrize("table", ["feed", "signatures", "highest"])
def test_refresh_that_dies_half_way_is_made_good_by_the_next(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends after the feed, the rows or the signatures leaves nothing that is not seen again."""
    shared = make_shared()
    with shared.catalog, shared.state:
        put(shared, MODELS[0], "state", step="a")
        shared.clock.advance(5)
        shared.refresher.refresh(NAMESPACE)
        mark = shared.state.feed.last()
        put(shared, MODELS[0], "state", step="b")
        shared.store.delete_version(MODELS[0], "state", version=1)
        shared.clock.advance(5)
        with monkeypatch.context() as patch:
            for method in ("record", "put", "raise_to"):
                patch.setattr(type(getattr(shared.state, table)), method, die, raising=False)
            with pytest.raises(KeyboardInterrupt):
                shared.refresher.refresh(NAMESPACE)
        shared.refresher.refresh(NAMESPACE)
        assert shared.is_equal()
        told = {(e.op, e.version) for e in shared.state.feed.after(mark)}
        assert told == {("upsert", 2), ("remove", 1)}
        key = ArtifactKey("infra", "command/shell", "m-1", "state")
        assert shared.state.highest.find(key) == 2


def die(*_arguments: object) -> None:
    raise KeyboardInterrupt
