from __future__ import annotations

import glob
import os
from typing import Any

import pytest
import yaml  # noqa: TID253  the oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.strict_yaml import parse_strict

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures")


def read_with_pyyaml(text: str) -> Any:
    """Read with PyYAML's string-preserving C loader; `...` stands for an error."""
    try:
        return yaml.load(text, Loader=yaml.CBaseLoader)
    except yaml.YAMLError:
        return ...


def assert_alike(text: str) -> None:
    """Hold that an answer of ours is PyYAML's answer."""
    ours = parse_strict(text)
    if ours is not None:
        assert ours == read_with_pyyaml(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b\n", {"a": "b"}),
        ("a: b", {"a": "b"}),
        ("a: yes\nb: 1\nc: null\nd: 2026-01-01\n", {"a": "yes", "b": "1", "c": "null", "d": "2026-01-01"}),
        ("a:\nb: x\n", {"a": "", "b": "x"}),
        ("a:\n  b:\n    c: d\ne: f\n", {"a": {"b": {"c": "d"}}, "e": "f"}),
        ("a: 'it''s'\nb: \"x\\ty\\u00e9\"\n", {"a": "it's", "b": "x\ty\u00e9"}),
        ("'a b': 1\n\"c: d\": 2\n", {"a b": "1", "c: d": "2"}),
        ("a: {}\nb: []\n", {"a": {}, "b": []}),
        ("a:\n- x\n- 'y'\nb:\n  - z\n", {"a": ["x", "y"], "b": ["z"]}),
        ("# top\na: b # tail\n\n  # odd\nc: 'd' # tail\n", {"a": "b", "c": "d"}),
        ("a: |-\n  x\n\n   y\nb: c\n", {"a": "x\n\n y", "b": "c"}),
        ("a: |\n  x\n", {"a": "x\n"}),
        ("a: |+\n  x\n\n", {"a": "x\n\n"}),
        ("t:\n  a: >-\n    x y\n    z\n\n    w\n     v\n    u\n", {"t": {"a": "x y z\nw\n v\nu"}}),
        ("a: |2-\n    x\n  y\n", {"a": "  x\ny"}),
        ("path: ../a:b#c -d\nu: -x\n", {"path": "../a:b#c -d", "u": "-x"}),
    ],
)
def test_known_shapes_are_read(text: str, expected: dict[str, Any]) -> None:
    """Every shape that swamp and we write gets an answer, the same as PyYAML's."""
    assert parse_strict(text) == expected
    assert read_with_pyyaml(text) == expected


UNKNOWN = ["", "# only\n", "a\n", "- a\n", "a: &x 1\nb: *x\n", "a: !!int 1\n", "a: {b: c}\n", "a: [b]\n", "---\na: b\n"]
UNKNOWN += ["a: b\n...\n", "a: b\na: c\n", "a: b\n  c\n", "a: 'b\n  c'\n", "a: b: c\n", "a:\tb\n", "a: b\r\n"]
UNKNOWN += [" a: b\n", "a: b\n c: d\n", "a:\n    b: c\n  d: e\n", "a: 'x' y\n", 'a: "\\q"\n', 'a: "\\ud83d"\n']
UNKNOWN += ["a: x\u2028y\n", "a: x\x85y\n", "%YAML 1.2\n", "a:\n  - b: c\n", "a:\n  -\n", "a: >-\n", "a: |\n\n"]
UNKNOWN += ["\ufeffa: b\n", "? a\n: b\n", "a: @b\n", "a : b\n"]


@pytest.mark.parametrize("text", UNKNOWN, ids=ascii)
def test_unknown_shapes_get_no_answer(text: str) -> None:
    """Whatever is outside the known shape, malformed or read differently by some YAML is left to PyYAML."""
    assert parse_strict(text) is None


def test_plain_scalars_can_be_given_types() -> None:
    """The `plain` function sees unquoted values only, and an empty text where there is none."""
    text = "a: 1\nb: '1'\nc:\nd:\n- 2\n1: x\ne: |-\n  3\n"
    expected = {"a": ("1",), "b": "1", "c": ("",), "d": [("2",)], "1": ("x",), "e": "3"}
    assert parse_strict(text, plain=lambda value: (value,)) == expected


def test_fixtures_are_read_as_pyyaml_reads_them() -> None:
    """Every YAML file that swamp wrote gets the answer that PyYAML gives; metadata always gets one."""
    paths = [
        path
        for path in glob.glob(os.path.join(FIXTURES, "**"), recursive=True, include_hidden=True)
        if path.endswith(".yaml")
    ]
    assert len(paths) > 40
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        ours = parse_strict(text)
        if ours is None:
            assert not path.endswith("metadata.yaml"), path
        else:
            assert ours == read_with_pyyaml(text), path


PIECES = [
    *"abk'\"\\: #-|>{[],?%@`~1\n\t\r\u00e9\u2028\x85\xa0",
    "''",
    "\\n",
    "\\u00e9",
    ": ",
    "  ",
    "    ",
    "\n",
    "\n  ",
]
PIECES += [
    "\n    ",
    " #",
    "- ",
    "|-",
    "|+",
    "|2",
    ">-",
    ">+",
    "{}",
    "[]",
    "&a",
    "*a",
    "!",
    "? ",
    "null",
    "\U0001f600",
    "...",
]
PIECES += ["---", "x y z", "a: b\n", "c:\n  d: e\n", "f: >-\n  g\n  h\n", "<<"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@settings(max_examples=600, deadline=None)
def test_any_answer_is_pyyamls_answer(text: str) -> None:
    """Over texts made of YAML's own syntax, whatever is answered is what PyYAML answers."""
    assert_alike(text)
    assert_alike(f"top:\n  in: x\n{text}")
    assert_alike(f"k: {text}\n")
    assert_alike(f"t:\n  k: {text}\n  l: 'm'\n")


SCALARS = st.text(st.sampled_from("ab \n:#'\"-|>\té\u2028\U0001f600{}[],&*!%@`?~0"), max_size=12) | st.text(max_size=90)


@pytest.mark.parametrize("text", ['"\\": ""\n', '"a\\": b\n', '"a\\\\": b\n', '"a\\"b": c\n', '"\\q": c\n'])
def test_a_backslash_in_a_quoted_key_is_an_escape(text: str) -> None:
    """A backslash before the closing quote of a key does not end the key, as it does not end a value."""
    assert_alike(text)


@given(
    st.recursive(SCALARS, lambda inner: st.dictionaries(SCALARS, inner, min_size=1, max_size=4), max_leaves=6),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_any_answer_on_dumped_and_mutated_documents_is_pyyamls(tree: Any, data: st.DataObject) -> None:
    """Over documents as PyYAML dumps them, whole and with a piece cut out or put in, both readers agree."""
    text: str = yaml.dump(
        {"root": tree}, default_style=data.draw(st.sampled_from([None, "'", '"', "|", ">"])), allow_unicode=True
    )
    assert_alike(text)
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(len(text), at + 6)))
    assert_alike(text[:at] + data.draw(st.sampled_from(PIECES)) + text[until:])
