"""`metadata.yaml`, to and from values.

Reading goes three ways, each taken only where the one before is not certain: one regular expression for exactly what
swamp and we write (nearly always), the strict reader, and PyYAML. All three give the same values.
"""

from __future__ import annotations

import re
from typing import Final

from swampsync.artifacts.core_schema import resolve_plain
from swampsync.artifacts.metadata import Metadata, Owner, metadata_from_json, owner_to_json
from swampsync.errors import DataError
from swampsync.strict_yaml import parse_strict

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# A letter first and no more than names need: such a text is never a number or a date. These words are left to the
# slower ways.
_NO_WORD: Final = r"(?!(?:null|Null|NULL|true|True|TRUE|false|False|FALSE)\n)"
_PLAIN: Final = rf"{_NO_WORD}[A-Za-z_][\w./@+-]*"
_TAG: Final = rf"  [A-Za-z_]\w*: (?:'(?:[ -&(-~\xa1-\u1fff]|'')*'|{_PLAIN})\n"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_USUAL: Final = rf"""id: ({_UUID})
name: {_NO_WORD}([A-Za-z_][\w@+-]*(?:\.[\w@+-]+)*)
version: ([1-9][0-9]{{0,14}})
contentType: ([a-z]+/[a-z0-9.+-]+)
lifetime: ([1-9][0-9]*(?:mo|y|h|m|d|w)|infinite|workflow|job|ephemeral)
(?:garbageCollection: (?:([1-9][0-9]{{0,14}})|([1-9][0-9]*(?:mo|y|h|m|d|w)))
)?streaming: (true|false)
tags:
((?:{_TAG})+)ownerDefinition:
  ownerType: (model-method|workflow-step|manual)
  ownerRef: ({_UUID}|{_PLAIN})
(?:  workflowId: ({_UUID})
)?(?:  workflowRunId: ({_UUID})
)?(?:  workflowName: ({_PLAIN})
)?(?:  jobName: ({_PLAIN})
)?(?:  stepName: ({_PLAIN})
)?createdAt: '([0-9]{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T{_CLOCK})'
(?:size: (0|[1-9][0-9]{{0,14}})
)?(?:checksum: (?![0-9]+(?:e[0-9]+)?\n)([0-9a-f]{{64}})
)?(?:lifecycle: (deleted)
)?(?:renamedTo: ({_PLAIN})
)?"""
_TAG_PAIR: Final = re.compile(r"  (\w+): (?:'(.*)'|(.*))\n", re.ASCII)


def parse_metadata(data: bytes, *, path: str) -> Metadata:
    """Read a `metadata.yaml`.

    Args:
        data: The file's bytes.
        path: The file, for errors.

    Raises:
        DataError: The bytes are no YAML mapping, or a field is missing, of another type or outside its rules.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"`{path}`: not UTF-8 at byte {error.start}", key=path) from error
    metadata = _usual_way.read(text)
    if metadata is not None:
        return metadata
    values = parse_strict(text, plain=resolve_plain)
    if values is None:
        from swampsync.artifacts.load_yaml import load_yaml  # noqa: PLC0415  slow to import, and nearly never needed

        values = load_yaml(text, path)
    return metadata_from_json(values, source=f"`{path}`")


def format_metadata(metadata: Metadata) -> bytes:
    """Format as swamp does: its key order, quoting and folding; what is `None` has no line."""
    from swampsync.artifacts.emit_scalar import format_pair, format_text  # noqa: PLC0415  reading needs none of it

    lines = [
        f"id: {format_text(metadata.id, indent=2)}",
        f"name: {format_text(metadata.name, indent=2)}",
        f"version: {metadata.version}",
        f"contentType: {format_text(metadata.content_type, indent=2)}",
        f"lifetime: {format_text(metadata.lifetime, indent=2)}",
    ]
    collection = metadata.garbage_collection
    if collection is not None:
        shown = format_text(collection, indent=2) if isinstance(collection, str) else collection
        lines.append(f"garbageCollection: {shown}")
    lines.append(f"streaming: {'true' if metadata.streaming else 'false'}")
    lines.append("tags:")
    lines += [format_pair(key, value) for key, value in metadata.tags.items()]
    lines.append("ownerDefinition:")
    lines += [format_pair(key, value) for key, value in owner_to_json(metadata.owner).items()]
    lines.append(f"createdAt: {format_text(metadata.created_at, indent=2)}")
    if metadata.size is not None:
        lines.append(f"size: {metadata.size}")
    optional = (("checksum", metadata.checksum), ("lifecycle", metadata.lifecycle), ("renamedTo", metadata.renamed_to))
    lines += [f"{key}: {format_text(value, indent=2)}" for key, value in optional if value is not None]
    return ("\n".join(lines) + "\n").encode()


class _UsualWay:
    """The one regular expression, compiled only when so many files were read that it pays."""

    WORTH_COMPILING = 50

    def __init__(self) -> None:
        self._reads = 0
        self._pattern: re.Pattern[str] | None = None

    def read(self, text: str) -> Metadata | None:
        """Read a document, or return `None` if another way has to."""
        if self._pattern is None:
            self._reads += 1
            if self._reads < self.WORTH_COMPILING:
                return None
            self._pattern = re.compile(_USUAL, re.ASCII)
        match = self._pattern.fullmatch(text)
        return None if match is None else _from_match(match)


_usual_way = _UsualWay()


def _from_match(match: re.Match[str]) -> Metadata | None:
    (
        identifier, name, version, content_type, lifetime, count, duration, streaming, tag_lines, owner_type, owner_ref,
        workflow_id, run_id, workflow_name, job_name, step_name, created_at, size, checksum, lifecycle, renamed_to,
    ) = match.groups()  # fmt: skip
    tags: dict[str, str] = {}
    pairs = _TAG_PAIR.findall(tag_lines)
    for key, quoted, plain in pairs:
        tags[key] = plain or quoted.replace("''", "'")
    if len(tags) != len(pairs) or "type" not in tags:
        return None
    return Metadata(
        id=identifier,
        name=name,
        version=int(version),
        content_type=content_type,
        lifetime=lifetime,
        garbage_collection=int(count) if count else duration,
        streaming=streaming == "true",
        tags=tags,
        owner=Owner(owner_type, owner_ref, None, workflow_id, run_id, workflow_name, job_name, step_name),
        created_at=created_at,
        size=None if size is None else int(size),
        checksum=checksum,
        lifecycle=lifecycle,
        renamed_to=renamed_to,
    )
