"""Compiled, split and evaluated queries give the same, and the same as another implementation of the language."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from swampsync.testing.query_harness import QueryHarness, cel_oracle
from swampsync.testing.query_strategies import make_versions, predicates

# Four parts of 500 cases, so that several processes can share them.
SEEDS = (20261121, 2, 3, 4)


def run_cases(first: int, *, cases: int, is_common: bool) -> QueryHarness:
    """Hold generated predicates over generated versions to the oracle (if they are common) and to each other."""
    print(f"seed {first}")
    with tempfile.TemporaryDirectory() as directory:
        harness = QueryHarness(str(Path(directory) / "_sync.db"))

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


@pytest.mark.parametrize("first", SEEDS)
def test_predicates_mean_what_the_oracle_says(first: int) -> None:
    """Predicates that the oracle knows give its answer for every row, whichever way they are run."""
    harness = run_cases(first, cases=500, is_common=True)
    assert harness.compiled > 200
    assert harness.split > 50


@pytest.mark.parametrize("first", SEEDS[:2])
def test_predicates_of_the_whole_language_are_run_alike(first: int) -> None:
    """Compiled, split and evaluated, a predicate matches the same rows in the same order and fails for the same."""
    harness = run_cases(first, cases=400, is_common=False)
    assert harness.compiled > 150
    assert harness.split > 50
