"""The store in a directory keeps every promise at full numbers, on a disk."""

from __future__ import annotations

from swampsync.testing.object_store_suite import ObjectStoreSuite
from tests.conformance import test_object_store_filesystem as conformance


class TestFilesystemStore(conformance.TestFilesystemStore):
    """The suite over `FilesystemStore`: create-only is raced by 32 threads 50 times."""

    create_race_threads = ObjectStoreSuite.create_race_threads
    create_race_rounds = ObjectStoreSuite.create_race_rounds


def test_numbers_are_the_full_ones() -> None:
    """What the interface asks for is what is raced."""
    assert (TestFilesystemStore.create_race_threads, TestFilesystemStore.create_race_rounds) == (32, 50)
