from __future__ import annotations

import glob
import os
import re
from typing import Any

import pytest
import yaml  # noqa: TID253  the oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.artifacts.core_schema import resolve_plain
from swampsync.artifacts.load_yaml import load_yaml
from swampsync.artifacts.metadata import Metadata, Owner, metadata_from_json, metadata_to_json
from swampsync.artifacts.metadata_yaml import _USUAL, _UsualWay, format_metadata, parse_metadata
from swampsync.errors import DataError
from swampsync.strict_yaml import parse_strict

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures")
UUID = "8ed8e028-d931-4164-8a3d-a21a438420f6"

# As swamp wrote it, tags of every quoting style included.
SAMPLE = f"""id: {UUID}
name: out-1
version: 1
contentType: application/json
lifetime: infinite
garbageCollection: 10
streaming: false
tags:
  type: resource
  specName: result
  modelName: m-1
  note: 'yes'
  colon: 'a:b'
  num: '123'
  when: '2026-01-01'
  long: >-
    word word word word word word word word word word word word word word word
    word word word word word
  ml: |-
    a
    b
  empty: ''
  it: it's
  quote: '''it'
  emoji: "\\U0001F600"
  tab: "a\\tb"
  umlaut: ünï
ownerDefinition:
  ownerType: model-method
  ownerRef: c8f7b9bd-9185-435b-b254-719f8bf60442
  workflowId: b8b0e646-37fb-4de1-a7c6-aea7eabbbac3
  workflowName: w
createdAt: '2026-11-21T09:15:37.969Z'
size: 7
checksum: a0da1fce57d0e4f9f0ae4e4cbe040d34dcc046255c6c8d18e97f55aaed0655f0
"""


def metadata(**changes: Any) -> Metadata:
    """Make valid metadata with some fields changed."""
    fields: dict[str, Any] = {
        "id": UUID,
        "name": "out",
        "version": 1,
        "content_type": "text/plain",
        "lifetime": "infinite",
        "garbage_collection": 10,
        "streaming": False,
        "tags": {"type": "file"},
        "owner": Owner("manual", "me"),
        "created_at": "2026-11-21T09:15:37.969Z",
        "size": 1,
        "checksum": "a0" * 32,
    }
    return Metadata(**{**fields, **changes})


def fixture_files() -> list[str]:
    """List every `metadata.yaml` of the fixtures."""
    found = glob.glob(os.path.join(FIXTURES, "**", "metadata.yaml"), recursive=True, include_hidden=True)
    assert len(found) >= 24
    return found


def test_fixtures_are_formatted_byte_for_byte() -> None:
    """What swamp wrote is read on the fast way, and formatted again to the same bytes."""
    for path in fixture_files():
        with open(path, "rb") as file:
            data = file.read()
        assert re.fullmatch(_USUAL, data.decode(), re.ASCII), path
        assert format_metadata(parse_metadata(data, path=path)) == data, path


def test_all_three_ways_of_reading_agree_on_fixtures() -> None:
    """The regular expression, the strict reader and PyYAML give equal values."""
    for path in fixture_files():
        with open(path, encoding="utf-8") as file:
            text = file.read()
        usual = WAY.read(text)
        strict = parse_strict(text, plain=resolve_plain)
        assert strict is not None
        assert metadata_from_json(strict) == usual == metadata_from_json(load_yaml(text, path)), path


def test_swamps_quoting_styles_are_reproduced() -> None:
    """Plain, single-quoted, folded, literal and escaped texts are read, and written as they were."""
    parsed = parse_metadata(SAMPLE.encode(), path="p")
    assert parsed.tags["long"] == " ".join(["word"] * 20)
    assert parsed.tags["ml"] == "a\nb"
    assert parsed.tags["emoji"] == "\U0001f600"
    assert format_metadata(parsed).decode() == SAMPLE


WORDS = ["word", "a", "longer-word", "", " ", "\n", "\n\n", "x" * 45, "- ", "#"]
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.text(st.sampled_from(" \nab:'\"#-\\>|é"), max_size=30)
    | st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
    | st.sampled_from(["yes", "null", "1", "1e5", "0x1f", "2026-01-01", "~", "<<", "=", ".inf", "...", "---"])
    | st.just("x" * 2000)
)
WAY = _UsualWay()
WAY.WORTH_COMPILING = 1
METADATA = st.builds(
    metadata,
    name=st.sampled_from(["out", "207333", "1e5", "true", "a b", "ü", "x.y"]),
    version=st.integers(1, 10**18),
    content_type=TEXTS.filter(bool),
    lifetime=st.sampled_from(["infinite", "30d", "0h", "job"]),
    garbage_collection=st.sampled_from([None, 1, "5d"]),
    streaming=st.booleans(),
    tags=st.dictionaries(TEXTS, TEXTS, max_size=3).map(lambda tags: {"type": "x", **tags}),
    owner=st.builds(
        Owner,
        st.sampled_from(["manual", "model-method"]),
        TEXTS.filter(bool),
        workflow_id=st.none() | st.just(UUID),
        step_name=st.none() | TEXTS,
        source=st.none() | TEXTS,
    ),
    size=st.none() | st.integers(0, 10**18),
    checksum=st.sampled_from([None, "a0" * 32, "12" * 32, "1" * 31 + "e" + "2" * 32, "0" * 64]),
    lifecycle=st.sampled_from([None, "deleted"]),
    renamed_to=st.none() | TEXTS.filter(bool),
)


@given(METADATA)
@settings(max_examples=150, deadline=None)
def test_anything_formatted_reads_back_the_same(values: Metadata) -> None:
    """Whatever the texts are, our reader and PyYAML's safe loader read what was written, types included."""
    data = format_metadata(values)
    assert parse_metadata(data, path="p") == values
    assert WAY.read(data.decode()) in (None, values)
    assert metadata_from_json(load_yaml(data.decode(), "p")) == values
    assert yaml.safe_load(data.decode("utf-8")) == metadata_to_json(values)


@given(METADATA, st.data())
@settings(max_examples=150, deadline=None)
def test_fast_ways_agree_with_pyyaml_on_mutated_documents(values: Metadata, data: st.DataObject) -> None:
    """A document with a piece cut out or put in is read as PyYAML reads it, or refused as by it."""
    text = format_metadata(values).decode()
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(len(text), at + 5)))
    piece = data.draw(
        st.sampled_from(["", "\n", " ", "'", "1", "e", ":", "x", "null", "#", "  a: b\n", "\t", '"', "\x85"])
    )
    text = text[:at] + piece + text[until:]

    def read(way: Any) -> Metadata | str:
        try:
            result: Metadata = way()
        except DataError:
            return "refused"
        return result

    expected = read(lambda: metadata_from_json(load_yaml(text, "p")))
    assert read(lambda: parse_metadata(text.encode(), path="p")) == expected
    assert WAY.read(text) in (None, expected)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("'2026-11-21T09:15:37.969Z'", "2026-11-21T09:15:37.969Z", "field `createdAt` is not text"),
        ("name: out-1", "name: 123", "field `name` is not text"),
        ("size: 7", "size: '7'", "field `size` is not a whole number"),
        ("note: 'yes'", "note: 1", "field `tags.note` is not text"),
        ("note: 'yes'", "note:", "field `tags.note` is not text"),
        ("note: 'yes'", "type: x", "a key that is doubled"),
        ("note: 'yes'", "note: 'yes", "not readable as YAML at line"),
        ("note: 'yes'", "note: !odd x", "unknown YAML tag `!odd`"),
        ("note: 'yes'", "? [a]\n  : b", "a key that is doubled or no text"),
        ("  type: resource\n", "", "field `tags.type` is missing"),
        (f"id: {UUID}", "id: *x", "not readable as YAML"),
        ("tags:", "tags: &x\n  loop: *x", "field `tags.loop` is not text"),
    ],
)
def test_what_swamp_refuses_is_refused_by_field(old: str, new: str, problem: str) -> None:
    """Unquoted times and numbers, quoted sizes, doubled keys and broken YAML are errors that say where."""
    assert old in SAMPLE
    with pytest.raises(DataError) as caught:
        parse_metadata(SAMPLE.replace(old, new, 1).encode(), path="/d/metadata.yaml")
    assert problem in caught.value.message
    assert "`/d/metadata.yaml`" in caught.value.message
    assert caught.value.key == "/d/metadata.yaml"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"- a\n", "no YAML mapping"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"\0\0", "not readable"),
    ],
    ids=["empty", "comment", "list", "bytes", "zeros"],
)
def test_files_without_a_document_are_refused(data: bytes, problem: str) -> None:
    """An empty file, as a power failure leaves it, and other rubbish are errors that name the file."""
    with pytest.raises(DataError, match=problem):
        parse_metadata(data, path="/d/metadata.yaml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("note: 'yes'", "note: yes"),
        ("note: 'yes'", 'note: "yes"  # why'),
        ("note: 'yes'", "note: !!str yes"),
        ("size: 7", "size: 7.0"),
        ("size: 7", "size: 0x7"),
        ("  note: 'yes'\n", "  note: 'yes'\n\n  # comment\n"),
    ],
)
def test_other_yaml_of_the_same_values_is_accepted(old: str, new: str) -> None:
    """Any YAML with the same values is read, whichever way it is written."""
    assert parse_metadata(SAMPLE.replace(old, new, 1).encode(), path="p") == parse_metadata(SAMPLE.encode(), path="p")
