from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from swampsync.artifacts.batch import BatchItem
from swampsync.artifacts.scan import walk_artifacts
from swampsync.testing.memory_disk import PowerFailure


def run_until_it_survives(
    new_kit: Callable[[], Any], work: Callable[[Any], object], hold: Callable[[Any, bool], None]
) -> None:
    """Cut the power after every number of operations in turn, until the work is done; look at each machine."""
    for operations in range(1, 2_000):
        kit = new_kit()
        kit.put("out", b"first", streaming=True)
        kit.put("out", b"second", streaming=True)
        kit.disk.power_off_after(operations)
        is_done = True
        try:
            work(kit)
        except PowerFailure:
            is_done = False
        kit.disk.crash()
        hold(kit, is_done)
        if is_done:
            return
    raise AssertionError("the work never ended")


@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
def test_power_failure_in_a_put_loses_nothing_acknowledged(new_kit: Callable[[], Any]) -> None:
    """At whatever operation the power fails: old versions read as before, the new one is whole or invisible, and
    an acknowledged one is there.
    """

    def hold(kit: Any, is_done: bool) -> None:  # noqa: FBT001  a callback of this module
        assert (kit.get("out", 1), kit.get("out", 2)) == (b"first", b"second")
        assert kit.get("out") in ({b"third"} if is_done else {b"second", b"third"})
        assert kit.put("out", b"next").version in {3, 4}
        assert kit.get("out") == b"next"

    run_until_it_survives(new_kit, lambda kit: kit.put("out", b"third"), hold)


@pytest.mark.holds("I11")
def test_power_failure_in_the_first_put_loses_nothing(new_kit: Callable[[], Any]) -> None:
    """A new artifact with its directories is durable once it is acknowledged, its parents' names included."""

    def hold(kit: Any, is_done: bool) -> None:  # noqa: FBT001  a callback of this module
        versions = kit.store.list_versions(kit.model, "new")
        assert [version.version for version in versions] in ([[1]] if is_done else [[], [1]])
        for version in versions:
            assert kit.get("new", version.version) == b"content"
        found = {scan.name for _, _, scan in walk_artifacts(kit.disk, kit.layout) if scan.versions}
        assert found == {"out"} | ({"new"} if versions else set())

    run_until_it_survives(new_kit, lambda kit: kit.put("new", b"content"), hold)


@pytest.mark.holds("I11")
def test_power_failure_in_an_append_keeps_the_old_or_the_new_content(new_kit: Callable[[], Any]) -> None:
    """An append is there whole or not at all."""

    def hold(kit: Any, is_done: bool) -> None:  # noqa: FBT001  a callback of this module
        assert kit.get("out") in ({b"second+"} if is_done else {b"second", b"second+"})

    run_until_it_survives(new_kit, lambda kit: kit.store.append(kit.model, "out", io.BytesIO(b"+")), hold)


@pytest.mark.holds("I11")
def test_power_failure_in_a_batch_keeps_every_version_whole(new_kit: Callable[[], Any]) -> None:
    """Versions of a batch are whole or invisible, and all there once it is acknowledged."""

    def work(kit: Any) -> None:
        names = ["a", "b", "out"]
        kit.store.put_many(BatchItem(kit.model, name, lambda: io.BytesIO(b"new"), kit.draft()) for name in names)

    def hold(kit: Any, is_done: bool) -> None:  # noqa: FBT001  a callback of this module
        assert kit.get("out") in ({b"new"} if is_done else {b"second", b"new"})
        for name in ("a", "b"):
            contents = [kit.get(name, version.version) for version in kit.store.list_versions(kit.model, name)]
            assert contents in ([[b"new"]] if is_done else [[], [b"new"]])

    run_until_it_survives(new_kit, work, hold)


@pytest.mark.holds("I11")
def test_power_failure_in_a_delete_or_rename_leaves_readable_names(new_kit: Callable[[], Any]) -> None:
    """After a delete that was cut off, readers get a version that is whole; a rename forwards only to what is there."""

    def hold_deleted(kit: Any, is_done: bool) -> None:  # noqa: FBT001  a callback of this module
        assert kit.get("out") in ({b"first"} if is_done else {b"first", b"second"})

    run_until_it_survives(new_kit, lambda kit: kit.store.delete_version(kit.model, "out", version=2), hold_deleted)

    def hold_renamed(kit: Any, is_done: bool) -> None:  # noqa: FBT001  a callback of this module
        assert kit.get("out") == b"second"
        assert kit.store.read(kit.model, "out").name in ({"new"} if is_done else {"out", "new"})

    run_until_it_survives(new_kit, lambda kit: kit.store.rename(kit.model, "out", "new"), hold_renamed)
