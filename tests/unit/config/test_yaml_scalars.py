from __future__ import annotations

import re

import pytest
import yaml  # noqa: TID253  (it is the oracle)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swampsync.config.yaml_scalars import format_flow, format_scalar
from swampsync.errors import InvalidInput

# What YAML 1.1 (yaml.org/type) and the YAML 1.2 core schema take for something else than text.
TYPED = re.compile(
    r"""y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|null|Null|NULL|~||<<|=
    |[-+]?0b[0-1_]+|[-+]?0[0-7_]+|0o[0-7]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+
    |[-+]?([0-9][0-9_]*)?\.[0-9.]*([eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(inf|Inf|INF)
    |\.(nan|NaN|NAN)|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
    |[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+).*""",
    re.VERBOSE,
)
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
TYPED_TEXTS = st.from_regex(TYPED, fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(st.one_of(TEXTS, TYPED_TEXTS))
@example("20260206.200442.0")
@example("12345678-1234-1234-1234-123456789012")
@example("a\u2028b\x85c\ufeffd\x7f\x00")
@example("@swampsync/s3")
def test_text_reads_back_in_every_context(text: str) -> None:
    """A text that was written reads back as that text: as a value, in a flow list, as a key."""
    written = format_scalar(text)
    assert "\n" not in written
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        assert yaml.load(f"k: {written}\n", Loader=loader) == {"k": text}
        assert yaml.load(f"k: [{written}, x]\n", Loader=loader) == {"k": [text, "x"]}
        assert yaml.load(f"{{{written}: 1}}\n", Loader=loader) == {text: 1}


@settings(max_examples=150, deadline=None)
@given(st.one_of(TEXTS, TYPED_TEXTS))
def test_plain_text_means_nothing_else_in_any_schema(text: str) -> None:
    """What is written without quotes is text in YAML 1.1 and 1.2 alike."""
    written = format_scalar(text)
    if not written.startswith('"'):
        assert TYPED.fullmatch(text) is None


def test_scalars_are_short_where_that_is_safe() -> None:
    """Words, paths, UUIDs and variables need no quotes; truth values and numbers are what they are."""
    plain = ["filesystem", "/srv/data", "$HOME/ds", "0eb1ca85-617a-4bd4-8ce3-388297b3a6bc", "my_app-v1"]
    assert [format_scalar(text) for text in plain] == plain
    assert [format_scalar(value) for value in (True, False, 7, "7", "true", "")] == [
        "true", "false", "7", '"7"', '"true"', '""',
    ]  # fmt: skip
    assert format_flow({"a": ["x", "no"], "b": {}}) == '{a: [x, "no"], b: {}}'


def test_invalid_unicode_is_refused() -> None:
    """A lone surrogate cannot be written."""
    with pytest.raises(InvalidInput, match="not valid Unicode"):
        format_scalar("\ud800")
