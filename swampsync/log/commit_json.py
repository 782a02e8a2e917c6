"""Commits and what they share with checkpoints as JSON.

The JSON is canonical: encoding a decoded commit of ours gives the same bytes. Keys that we do not know are ignored, a
`format` that we do not know is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

import orjson

from swampsync.clock import parse_timestamp
from swampsync.errors import DataError, InvalidInput
from swampsync.log.commit import (
    FORMAT,
    MAX_COMMIT_BYTES,
    MAX_SEGMENT_BYTES,
    MAX_SEQ,
    Commit,
    Counts,
    SegmentRef,
)
from swampsync.log.rows import ArtifactRow, FilePut, find_row_problem, is_digest

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


class UnknownFormat(DataError):
    """Bytes of a format that only a newer version knows: nothing is wrong with them."""

    code = "unknown_format"


def encode_commit(commit: Commit) -> bytes:
    """Encode a commit canonically.

    Raises:
        InvalidInput: It could not be read back: a path that no commit may name, a path twice, a malformed field.
    """
    document: dict[str, Any] = {
        "format": commit.format,
        "seq": commit.seq,
        "id": commit.id,
        "parent": commit.parent,
        "namespace": commit.namespace,
        "kind": commit.kind,
        "repoId": commit.repo_id,
        "author": commit.author,
        "tool": commit.tool,
        "at": commit.at,
        "put": [row._asdict() for row in commit.put],
        "remove": list(commit.remove),
        "artifacts": [
            {"type": r.model_type, "modelId": r.model_id, "metadata": r.metadata, "text": r.text, "key": r.key}
            for r in commit.artifacts
        ],
        "segments": segments_to_json(commit.segments),
    }
    if commit.segments:
        counts = commit.counts
        document["counts"] = {"put": counts.put, "remove": counts.remove, "artifacts": counts.artifacts}
    problem = _find_commit_problem(commit)
    if problem is not None:
        raise InvalidInput(f"the commit {problem}")
    try:
        body = orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"the commit holds what is no JSON: {error}") from error
    if len(body) > MAX_COMMIT_BYTES:
        raise InvalidInput(f"a commit of {len(body)} bytes is too large for one object")
    return body


def decode_commit(body: bytes, *, key: str, seq: int, namespace: str) -> Commit:
    """Decode and check a commit.

    Args:
        body: The object's bytes.
        key: Its key, for errors.
        seq: The number that its key says.
        namespace: Whose log it was found in.

    Raises:
        DataError: It is damaged, of an unknown format, or belongs elsewhere.
    """
    document = decode_document(body, what="commit", key=key)
    try:
        commit = _commit_from_json(document)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"commit `{key}` is malformed: {type(error).__name__} {error}", key=key) from error
    problem = _find_commit_problem(commit)
    if problem is None and (commit.seq, commit.namespace) != (seq, namespace):
        problem = f"says that it is number {commit.seq} of namespace `{commit.namespace}`"
    if problem is not None:
        raise DataError(f"commit `{key}` {problem}", hint="swamp datastore verify --repair", key=key)
    return commit


def decode_document(body: bytes, *, what: str, key: str) -> dict[str, Any]:
    """Decode the JSON object of a commit or checkpoint and check its format.

    Raises:
        DataError: It is no JSON object.
        UnknownFormat: It is of a format that this version does not know.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = "swamp datastore verify --repair"
        raise DataError(f"{what} `{key}` is not valid JSON", hint=hint, key=key) from error
    if not isinstance(document, dict):
        raise DataError(f"{what} `{key}` is no JSON object", hint="swamp datastore verify --repair", key=key)
    found = document.get("format")
    if found != FORMAT or type(found) is not int:
        tool = document.get("tool")
        writer = f"`{tool}`" if isinstance(tool, str) and tool.isprintable() else "a newer swampsync"
        raise UnknownFormat(
            f"{what} `{key}` has format {found!r}, and this version reads format {FORMAT} only:"
            f" it takes {writer} or newer",
            hint="pip install --upgrade swampsync",
            key=key,
        )
    return document


def segments_to_json(segments: Collection[SegmentRef]) -> list[dict[str, Any]]:
    """Turn references into what commits and checkpoints hold."""
    return [{"id": s.id, "rows": s.rows, "size": s.size, "sha256": s.sha256} for s in segments]


def segments_from_json(value: Any) -> tuple[SegmentRef, ...]:
    """Read references back.

    Raises:
        KeyError, TypeError, ValueError: They are malformed.
    """
    return tuple(SegmentRef(_text(s, "id"), _count(s, "rows"), _count(s, "size"), _text(s, "sha256")) for s in value)


def find_segments_problem(segments: Collection[SegmentRef]) -> str | None:
    """Say what is wrong with references to segments, or `None`."""
    for segment in segments:
        if not is_identifier(segment.id) or not is_digest(segment.sha256) or segment.size > MAX_SEGMENT_BYTES:
            return f"names a malformed segment `{segment.id[:64]!r}`"
    return None


def is_identifier(text: str) -> bool:
    """Say whether `text` can be the id of a commit or segment: it becomes part of a key."""
    return _IDENTIFIER.fullmatch(text) is not None


def _commit_from_json(document: dict[str, Any]) -> Commit:
    parent = document["parent"]
    segments = segments_from_json(document["segments"])
    put = tuple(FilePut(p["path"], p["size"], p["sha256"], p.get("key"), p.get("base")) for p in document["put"])
    artifacts = tuple(
        ArtifactRow(a["type"], a["modelId"], a["metadata"], a.get("text"), a.get("key")) for a in document["artifacts"]
    )
    remove = tuple(document["remove"])
    counts = Counts(len(put), len(remove), len(artifacts))
    if segments:
        stored = document["counts"]
        counts = Counts(_count(stored, "put"), _count(stored, "remove"), _count(stored, "artifacts"))
    return Commit(
        seq=_count(document, "seq"),
        id=_text(document, "id"),
        parent=None if parent is None else _text(document, "parent"),
        namespace=_text(document, "namespace"),
        kind=_text(document, "kind"),
        repo_id=_text(document, "repoId"),
        author=_text(document, "author"),
        tool=_text(document, "tool"),
        at=_text(document, "at"),
        put=put,
        remove=remove,
        artifacts=artifacts,
        segments=segments,
        counts=counts,
        format=document["format"],
    )


def _find_commit_problem(commit: Commit) -> str | None:
    if commit.format != FORMAT:
        return f"has format {commit.format}"
    if not 0 < commit.seq < MAX_SEQ:
        return f"has number {commit.seq}"
    if not is_identifier(commit.id) or (commit.parent is not None and not is_identifier(commit.parent)):
        return "has a malformed id or parent"
    if (commit.parent is None) != (commit.seq == 1):
        return "has a parent although it is the first" if commit.seq == 1 else "has no parent"
    if _KIND.fullmatch(commit.kind) is None:
        return "has a malformed kind"
    try:
        parse_timestamp(commit.at)
    except ValueError:
        return "has a malformed time"
    if commit.segments and (commit.put or commit.remove or commit.artifacts):
        return "has both rows and segments"
    if commit.counts.total != sum(s.rows for s in commit.segments) and commit.segments:
        return "has segments that do not hold as many rows as it counts"
    return find_segments_problem(commit.segments) or _find_inline_problem(commit)


def find_rows_problem(put: Iterable[FilePut], remove: Iterable[str], artifacts: Iterable[ArtifactRow]) -> str | None:
    """Say what is wrong with the paths of a commit's rows together (`puts one path twice`), or `None`."""
    paths, rows, removed = [row.path for row in put], [row.path for row in artifacts], list(remove)
    distinct, distinct_rows, distinct_removed = set(paths), set(rows), set(removed)
    if len(distinct) != len(paths) or len(distinct_rows) != len(rows):
        return "puts one path twice"
    if len(distinct_removed) != len(removed):
        return "removes one path twice"
    if not distinct_removed.isdisjoint(distinct) or not distinct_removed.isdisjoint(distinct_rows):
        return "puts and removes one path"
    return None


def _find_inline_problem(commit: Commit) -> str | None:
    for row in commit.inline_rows():
        problem = find_row_problem(row)
        if problem is not None:
            return problem
    return find_rows_problem(commit.put, commit.remove, commit.artifacts)


def _text(document: Any, name: str) -> str:
    value = document[name]
    if type(value) is not str:
        raise ValueError(f"`{name}` is no text")
    return value


def _count(document: Any, name: str) -> int:
    value = document[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"`{name}` is no count")
    return value
