"""Many generated predicates over generated versions, each asked in every way there is."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Callable
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from swampsync.testing.query_harness import QueryHarness, cel_oracle
from swampsync.testing.query_strategies import make_versions, predicates


def run_cases(first: int, *, cases: int, is_common: bool) -> QueryHarness:
    """Hold generated predicates to each other's answers and, those that it knows, to the oracle's.

    Args:
        first: The seed.
        cases: How many predicates.
        is_common: Whether to keep to what the oracle knows, and to ask it.

    Returns:
        The harness, closed, with its counts.

    Raises:
        AssertionError: Two answers differ.
    """
    with tempfile.TemporaryDirectory() as directory:
        harness = QueryHarness(posixpath.join(directory, "_sync.db"))

        @seed(first)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(predicates(is_common=is_common), st.integers(0, 2**32))
        def check(predicate: str, number: int) -> None:
            versions = make_versions(Random(number), 8, is_ascii=is_common)
            harness.check(predicate, versions, oracle=cel_oracle if is_common else None)

        run: Callable[[], None] = check
        try:
            run()
        finally:
            harness.close()
    return harness
