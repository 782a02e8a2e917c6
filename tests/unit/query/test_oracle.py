"""Compiled, split and evaluated queries give the same, and the same as another implementation of the language."""

from __future__ import annotations

import pytest

from swampsync.testing.query_cases import run_cases

# A sample in parts that several processes can share; `integration/query` asks eight thousand, `make soak` thirty.
SEEDS = (20261121, 2)


@pytest.mark.parametrize("first", SEEDS)
def test_predicates_mean_what_the_oracle_says(first: int) -> None:
    """Predicates that the oracle knows give its answer for every row, whichever way they are run."""
    print(f"seed {first}")
    harness = run_cases(first, cases=500, is_common=True)
    assert harness.compiled > 200
    assert harness.split > 50


@pytest.mark.parametrize("first", SEEDS[:1])
def test_predicates_of_the_whole_language_are_run_alike(first: int) -> None:
    """Compiled, split and evaluated, a predicate matches the same rows in the same order and fails for the same."""
    print(f"seed {first}")
    harness = run_cases(first, cases=400, is_common=False)
    assert harness.compiled > 150
    assert harness.split > 50
