"""The conformance suite of `swampsync.backends.base.ObjectStore`: one test a sentence of the interface.

A backend's test file is short:

    class TestMyStore(ObjectStoreSuite):
        @pytest.fixture
        def store(self) -> ObjectStore: ...            # fresh and empty
        def raw_get(self, store, key): ...             # behind the store's back
        def raw_put(self, store, key, body): ...
        def raw_keys(self, store): ...

An ability that the store does not declare is not skipped: the suite asserts that it is refused. What a store is
allowed to differ in stands as class attributes in `ObjectStoreSuiteBase`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from swampsync.backends.base import ObjectStore
from swampsync.testing.object_store_suite_base import HOSTILE_KEYS, ObjectStoreSuiteBase
from swampsync.testing.object_store_suite_lists import ListTests
from swampsync.testing.object_store_suite_races import RaceTests
from swampsync.testing.object_store_suite_reads import ReadTests
from swampsync.testing.object_store_suite_writes import WriteTests

__all__ = ["HOSTILE_KEYS", "ObjectStoreSuite", "ObjectStoreSuiteBase", "run_suite"]


class ObjectStoreSuite(ReadTests, WriteTests, ListTests, RaceTests):
    """Everything that a store promises."""


def run_suite(
    suite: ObjectStoreSuite, make_store: Callable[[], ObjectStore]
) -> Mapping[str, list[AssertionError | Exception]]:
    """Run the suite outside pytest, to see what fails; each parameter of a test gets a fresh store.

    Args:
        suite: An instance of a backend's suite class.
        make_store: Makes a fresh and empty store.

    Returns:
        The failures of every test by its name; an empty list where it passed.
    """
    failures: dict[str, list[AssertionError | Exception]] = {}
    for name in sorted(name for name in dir(suite) if name.startswith("test_")):
        test = getattr(suite, name)
        failures[name] = []
        for arguments in _expand(test):
            try:
                test(make_store(), **arguments)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    raise
                failures[name].append(error if isinstance(error, Exception) else AssertionError(str(error)))
    return failures


def _expand(test: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Yield the arguments that `pytest.mark.parametrize` gives to a test."""
    choices = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, rows = mark.args
            names = [names] if isinstance(names, str) else list(names)
            choices.append([dict(zip(names, [row] if len(names) == 1 else row, strict=True)) for row in rows])
    for combination in itertools.product(*choices):
        yield {name: value for part in combination for name, value in part.items()}
