from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.errors import DataError, InvalidInput
from swampsync.log.commit import Commit, CommitDraft, Counts, SegmentRef, make_commit
from swampsync.log.commit_json import decode_commit, encode_commit
from swampsync.log.rows import ArtifactRow, FilePut
from tests.unit.log.conftest import digest, draft, file_put, version

KEY = "infra/_log/00000000000000000042.json"
AT = "2026-11-21T09:30:00.000Z"


def commit_of(plan: CommitDraft, *, seq: int = 42, segments: tuple[SegmentRef, ...] = ()) -> Commit:
    parent = "p-1" if seq > 1 else None
    return make_commit(plan, seq=seq, commit_id="c-1", parent=parent, namespace="infra", at=AT, segments=segments)


def decode(body: bytes) -> Commit:
    return decode_commit(body, key=KEY, seq=42, namespace="infra")


names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12).filter(
    lambda text: text not in {".", "..", ".lock"} and not set(text) & set("/\\") and not text.startswith("_")
)
paths = st.lists(st.sampled_from(["a", "b.txt", "Ünï", "x y", "~1"]), min_size=1, max_size=4).map(
    lambda parts: "files/" + "/".join(parts)
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def drafts(data: st.DrawFn) -> CommitDraft:
    chosen = data(st.lists(paths, unique=True, max_size=6))
    cut = data(st.integers(0, len(chosen)))
    put = tuple(
        FilePut(p, data(st.integers(0, 2**63 - 1)), data(digests), data(st.none() | paths), data(st.none() | digests))
        for p in chosen[:cut]
    )
    rows = tuple(
        ArtifactRow(
            "command/shell",
            "m-1",
            {
                **data(st.dictionaries(st.text(max_size=5), json_values, max_size=3)),
                "id": "i",
                "name": "n",
                "version": n,
            },
            data(st.none() | st.text(max_size=30)),
            None,
        )
        for n in range(1, data(st.integers(1, 4)))
    )
    return CommitDraft("push", "repo", "me@host", "swampsync/0", put=put, remove=tuple(chosen[cut:]), artifacts=rows)


@settings(max_examples=80, deadline=None)
@given(drafts())
def test_commit_round_trips_canonically(plan: CommitDraft) -> None:
    """What is decoded is what was encoded, and encoding it again gives the same bytes."""
    commit = commit_of(plan)
    body = encode_commit(commit)
    assert decode(body) == commit
    assert encode_commit(decode(body)) == body


def test_commit_looks_as_documented() -> None:
    """The JSON of a commit is the documented one, key by key."""
    row, raw = version("state", 4, "content")
    plan = CommitDraft("push", "r", "user@host", "swampsync/0.1.0", put=(raw,), remove=("files/old",), artifacts=(row,))
    document = orjson.loads(encode_commit(commit_of(plan)))
    assert document == {
        "format": 1,
        "seq": 42,
        "id": "c-1",
        "parent": "p-1",
        "namespace": "infra",
        "kind": "push",
        "repoId": "r",
        "author": "user@host",
        "tool": "swampsync/0.1.0",
        "at": AT,
        "put": [{"path": raw.path, "size": 7, "sha256": digest("content"), "key": None, "base": None}],
        "remove": ["files/old"],
        "artifacts": [
            {"type": row.model_type, "modelId": row.model_id, "metadata": row.metadata, "text": None, "key": None}
        ],
        "segments": [],
    }


def test_segmented_commit_keeps_its_counts() -> None:
    """A commit whose rows are in segments says how many of each kind there are."""
    plan = draft(version("state", 1), put=[file_put("files/a")], remove=["files/b"])
    commit = commit_of(plan, segments=(SegmentRef("s-1", 4, 99, digest("s")),))
    again = decode(encode_commit(commit))
    assert again == commit
    assert again.counts == Counts(put=2, remove=1, artifacts=1)
    assert again.put == ()


def test_unknown_keys_are_ignored() -> None:
    """A later version may add keys within a format."""
    document = orjson.loads(encode_commit(commit_of(draft(put=[file_put("files/a")]))))
    document["comment"] = "hello"
    document["put"][0]["mode"] = 420
    assert decode(orjson.dumps(document)) == commit_of(draft(put=[file_put("files/a")]))


def test_unknown_format_names_the_version_that_can_read_it() -> None:
    """A commit of a format that is not ours is refused, and the message says what reads it."""
    document = orjson.loads(encode_commit(commit_of(draft())))
    document |= {"format": 2, "tool": "swampsync/3.1.0"}
    with pytest.raises(DataError, match=r"format 2.*`swampsync/3\.1\.0` or newer") as caught:
        decode(orjson.dumps(document))
    assert caught.value.key == KEY
    assert caught.value.hint == "pip install --upgrade swampsync"


PUT = {"path": "files/a", "size": 1, "sha256": digest("a"), "key": None, "base": None}
ROW = {"type": "t", "modelId": "m", "metadata": {"id": "i", "name": "n", "version": 1}, "text": None, "key": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq", ...),
        ("format", ...),
        ("format", True),
        ("seq", 41),
        ("seq", "42"),
        ("seq", -1),
        ("namespace", "other"),
        ("id", "../x"),
        ("id", ""),
        ("parent", None),
        ("kind", "Push!"),
        ("at", "yesterday"),
        ("put", [{**PUT, "path": "../x"}]),
        ("put", [{**PUT, "path": "other/data/x"}]),
        ("put", [{**PUT, "path": 5}]),
        ("put", [{**PUT, "size": -1}]),
        ("put", [{**PUT, "size": 1.5}]),
        ("put", [{**PUT, "size": True}]),
        ("put", [{**PUT, "sha256": "A" * 64}]),
        ("put", [{**PUT, "key": "_log/x"}]),
        ("put", [{**PUT, "base": "x"}]),
        ("put", [PUT, PUT]),
        ("put", ["files/a"]),
        ("put", None),
        ("remove", ["data/../../x"]),
        ("remove", [["files/a"]]),
        ("remove", ["files/a", "files/a"]),
        ("artifacts", [{**ROW, "type": "../.."}]),
        ("artifacts", [{**ROW, "modelId": "a/b"}]),
        ("artifacts", [{**ROW, "metadata": {"id": "i", "name": "..", "version": 1}}]),
        ("artifacts", [{**ROW, "metadata": {"id": "i", "name": "n", "version": 0}}]),
        ("artifacts", [{**ROW, "metadata": []}]),
        ("artifacts", [{**ROW, "text": 5}]),
        ("artifacts", [ROW, ROW]),
        ("segments", [{"id": "../x", "rows": 0, "size": 1, "sha256": digest("")}]),
        ("segments", [{"id": "s", "rows": 1, "size": 1, "sha256": digest("")}]),
        ("segments", [{"id": "s", "rows": 0, "size": 2**40, "sha256": digest("")}]),
    ],
    ids=lambda part: hashlib.sha256(repr(part).encode()).hexdigest()[:8] if not isinstance(part, str) else part,
)
def test_malformed_commits_are_damage_that_names_the_key(name: str, value: Any) -> None:
    """Whatever is wrong with a commit is found where it enters, and the error names its key."""
    document = orjson.loads(encode_commit(commit_of(draft())))
    if value is ...:
        del document[name]
    else:
        document[name] = value
    with pytest.raises(DataError) as caught:
        decode(orjson.dumps(document))
    assert caught.value.key == KEY


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format":1}'])
def test_bytes_that_are_no_commit_are_damage(body: bytes) -> None:
    """Bytes that are no JSON object of ours are damage, never another exception."""
    with pytest.raises(DataError):
        decode(body)


def test_put_and_removal_of_one_path_is_refused() -> None:
    """A commit cannot both put and remove a path: its rows have no order."""
    with pytest.raises(InvalidInput, match="puts and removes"):
        encode_commit(commit_of(draft(put=[file_put("files/a")], remove=["files/a"])))


def test_what_could_not_be_read_back_is_not_encoded() -> None:
    """The check that guards reading guards writing too."""
    with pytest.raises(InvalidInput, match="shared subdirectory"):
        encode_commit(commit_of(draft(put=[file_put("secrets/key")])))


def test_text_that_is_no_unicode_is_refused() -> None:
    """Half of a surrogate pair cannot be written, and the error is one of ours."""
    row, _ = version("state", 1)
    broken = ArtifactRow(row.model_type, row.model_id, row.metadata, "\ud800")
    with pytest.raises(InvalidInput, match="no JSON"):
        encode_commit(commit_of(CommitDraft("push", "r", "u", "t", artifacts=(broken,))))
