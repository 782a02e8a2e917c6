"""Thousands of generated predicates, each asked in every way there is; `make soak` asks thirty thousand."""

from __future__ import annotations

import os

import pytest
from _pytest.mark import ParameterSet

from swampsync.testing.query_cases import run_cases

# Another seed each day in a nightly run: SWAMPSYNC_SEED=$(date +%j).
SEED = int(os.environ.get("SWAMPSYNC_SEED", "1000"))


def parts(number: int, *, sample: int) -> list[ParameterSet]:
    """Number the parts; those above the sample are left to `make soak`."""
    return [pytest.param(part, marks=[pytest.mark.soak] if part >= sample else []) for part in range(number)]


@pytest.mark.parametrize("part", parts(10, sample=3))
def test_predicates_mean_what_the_oracle_says(part: int) -> None:
    """Predicates that the oracle knows give its answer for every row, whichever way they are run."""
    print(f"seed {SEED + part}")
    harness = run_cases(SEED + part, cases=2000, is_common=True)
    assert harness.compiled > 800
    assert harness.split > 200


@pytest.mark.parametrize("part", parts(5, sample=1))
def test_predicates_of_the_whole_language_are_run_alike(part: int) -> None:
    """Compiled, split and evaluated, a predicate matches the same rows in the same order and fails for the same."""
    print(f"seed {SEED + 100 + part}")
    harness = run_cases(SEED + 100 + part, cases=2000, is_common=False)
    assert harness.compiled > 800
    assert harness.split > 200
