"""Whatever text is given as a predicate, there is an error or a result, soon."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swampsync.errors import QueryError
from swampsync.query.prepared import prepare_query
from swampsync.query.run import run_query
from swampsync.testing.query_harness import QueryHarness
from swampsync.testing.query_strategies import make_versions

PIECES = [
    *"()[]{}.,?:!-+*/%<>=&|\"'`\\ \n@#é",
    "&&",
    "||",
    "==",
    "in",
    "has(",
    ".exists(x, ",
    ".map(x, x",
    "size",
    "tags",
    "attributes",
    "version",
    "1",
    "0.5e3",
    "timestamp(",
    "duration(",
    ".matches(",
    '"[a"',
    "r'",
    "b'",
    "'''",
    "true",
    "null",
    "cel.bind(",
    ".?",
    "9" * 30,
    "0x",
]


def ask(harness: QueryHarness, text: str) -> float:
    """Run a predicate over a few rows, whatever comes of it; return the seconds of CPU that took.

    Not the time on the wall, which on a busy machine says more about its other work.
    """
    start = time.process_time()
    try:
        query = prepare_query(text)
        contents = harness.load(make_versions(Random(1), 8))
        for _ in run_query(harness.connection, query, contents=contents, cache=harness.cache):
            pass
    except QueryError as error:
        print(error.message)
    return time.process_time() - start


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)))
def test_text_gives_an_error_or_a_result(harness: QueryHarness, text: str) -> None:
    """No text crashes the parser, the compiler or SQLite."""
    assert ask(harness, text) < 5


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_bytes_give_an_error_or_a_result(harness: QueryHarness, data: bytes) -> None:
    """Bytes that are not UTF-8, as a shell passes them, are refused and not crashed on."""
    assert ask(harness, data.decode(errors="surrogateescape")) < 5


LARGE = {
    "parentheses": "(" * 30_000 + "true" + ")" * 30_000,
    "open parentheses": "(" * 65_000,
    "brackets": "[" * 60_000,
    "negations": "!" * 60_000 + "true",
    "minus signs": "-" * 60_000 + "1 == 1",
    "sum": "1" + "+1" * 32_000 + " > 0",
    "selections": "tags" + ".a" * 32_000,
    "indexes": "attributes" + "[0]" * 20_000,
    "calls": "name" + ".trim()" * 9_000 + " == ''",
    "ternaries": "true ? true : " * 4_000 + "true",
    "alternatives": " || ".join(f'name == "n{i}"' for i in range(3_500)),
    "conjunction": " && ".join(f"size != {i}" for i in range(4_000)),
    "list": f"size in [{','.join(map(str, range(9_000)))}]",
    "strings": f"name in [{','.join(repr(str(i)) for i in range(6_000))}]",
    "long string": f"name == '{'x' * 65_000}'",
    "too long": f"name == '{'x' * 70_000}'",
    "open string": "'" + "x" * 60_000,
    "map": "{" + ",".join(f"{i}: {i}" for i in range(5_000)) + "}[7] == size",
    "macros": "[0,1].all(x, " * 60 + "size >= 0" + ")" * 60,
    "doubling": '["ab"]' + ".map(x, [x+x,x+x])" * 60 + ".size() > 0",
    "doubling text": '["ab"]' + ".map(x, x+x)" * 100 + ".size() > 0",
    "comments": "//" * 30_000,
    "blank": " " * 60_000,
    "nested pattern": 'name.matches("' + "(" * 5_000 + ")" * 5_000 + '")',
    "repeated pattern": 'name.matches("((a{100}){100}){100}")',
    "backtracking": f'("{"a" * 5_000}" + name).matches("(a+)+$")',
    "states": f'("{"ab" * 5_000}" + name).matches("(a|b)*a(a|b){{20}}c")',
    "deep has": "has(" + "attributes" + ".a" * 199 + ")",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_large_text_gives_an_error_or_a_result_within_a_second(harness: QueryHarness, text: str) -> None:
    """Deep nesting, long chains and costly patterns end in time, also on a busy machine."""
    best = min(ask(harness, text) for _ in range(2))
    assert best < 1
