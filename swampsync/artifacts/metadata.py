"""Metadata of one version: the values, their rules, and their JSON form in swamp's key order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from swampsync.artifacts.fields import Fields

OWNER_TYPES: Final = ("model-method", "workflow-step", "manual")
LIFETIME_WORDS: Final = ("ephemeral", "infinite", "job", "workflow")
DELETED: Final = "deleted"

_DURATION = re.compile(r"[0-9]+(?:mo|y|h|m|d|w)")
_CREATED_AT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?Z"
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who wrote a version, as far as swamp records it (`ownerDefinition`)."""

    owner_type: str
    owner_ref: str
    definition_hash: str | None = None
    workflow_id: str | None = None
    workflow_run_id: str | None = None
    workflow_name: str | None = None
    job_name: str | None = None
    step_name: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What `metadata.yaml` says of one version.

    Args:
        id: A UUID, fresh for every version that is written.
        name: The artifact's name.
        version: The version's number, from 1.
        content_type: The MIME type of the content.
        lifetime: A duration (`30d`, `2mo`), `infinite`, `workflow`, `job` or `ephemeral`.
        garbage_collection: How many versions are kept, or a duration; `None` for all.
        streaming: Whether the version may be appended to.
        tags: Free texts; `type` is always there.
        owner: Who wrote it.
        created_at: ISO 8601, UTC, ending in `Z`.
        size: Bytes of content; `None` for markers.
        checksum: SHA-256 of the content, hexadecimal; `None` where swamp left it out.
        lifecycle: `deleted` for deletion markers and tombstones, else `None`.
        renamed_to: Where a tombstone forwards to.
    """

    id: str
    name: str
    version: int
    content_type: str
    lifetime: str
    garbage_collection: int | str | None
    streaming: bool
    tags: dict[str, str] = field(hash=False)
    owner: Owner
    created_at: str
    size: int | None
    checksum: str | None
    lifecycle: str | None = None
    renamed_to: str | None = None

    @property
    def is_deleted(self) -> bool:
        """Whether this is a deletion marker or the tombstone of a rename."""
        return self.lifecycle == DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the writer of a version chooses; the store adds the rest.

    Args:
        content_type: The MIME type of the content.
        lifetime: See `Metadata`; a duration of zero becomes `workflow`.
        garbage_collection: See `Metadata`.
        streaming: Whether the version may be appended to later.
        tags: Must hold `type`.
        owner: Must equal the owner of the versions before (type and reference).
    """

    content_type: str
    lifetime: str
    garbage_collection: int | str | None
    tags: dict[str, str] = field(hash=False)
    owner: Owner
    streaming: bool = False


def is_duration(text: str) -> bool:
    """Whether `text` is a number with a unit of swamp's: `m`, `h`, `d`, `w`, `mo` or `y`."""
    return _DURATION.fullmatch(text) is not None


# JSON keys of an owner, in swamp's order, with our field names.
_OWNER_FIELDS: Final = (
    ("definitionHash", "definition_hash"),
    ("ownerType", "owner_type"),
    ("ownerRef", "owner_ref"),
    ("workflowId", "workflow_id"),
    ("workflowRunId", "workflow_run_id"),
    ("workflowName", "workflow_name"),
    ("jobName", "job_name"),
    ("stepName", "step_name"),
    ("source", "source"),
)


def owner_to_json(owner: Owner) -> dict[str, str]:
    """Make the JSON object of an owner; what is `None` is left out."""
    pairs = ((key, getattr(owner, name)) for key, name in _OWNER_FIELDS)
    return {key: value for key, value in pairs if value is not None}


def metadata_to_json(metadata: Metadata) -> dict[str, Any]:
    """Make the JSON object of metadata in swamp's key order; what is `None` is left out."""
    values: dict[str, Any] = {
        "id": metadata.id,
        "name": metadata.name,
        "version": metadata.version,
        "contentType": metadata.content_type,
        "lifetime": metadata.lifetime,
        "garbageCollection": metadata.garbage_collection,
        "streaming": metadata.streaming,
        "tags": dict(metadata.tags),
        "ownerDefinition": owner_to_json(metadata.owner),
        "createdAt": metadata.created_at,
        "size": metadata.size,
        "checksum": metadata.checksum,
        "lifecycle": metadata.lifecycle,
        "renamedTo": metadata.renamed_to,
    }
    return {key: value for key, value in values.items() if value is not None}


def metadata_from_json(values: Mapping[str, Any], *, source: str = "metadata") -> Metadata:
    """Check values by the rules of `metadata.yaml`; unknown keys are dropped, as swamp drops them.

    Args:
        values: The document, keys as in JSON, values already of their types.
        source: What to call the document in an error, a path in back-ticks as a rule.

    Raises:
        DataError: A field is missing or wrong; the message names the source and the field.
    """
    fields = Fields(values, source=source)
    tags = fields.mapping("tags")
    for key, value in tags.items():
        if not isinstance(key, str) or not isinstance(value, str):
            fields.fail(f"tags.{key}", "is not text")
    if "type" not in tags:
        fields.fail("tags.type", "is missing")
    lifecycle = fields.optional_text("lifecycle")
    if lifecycle not in {None, "active", DELETED}:
        fields.fail("lifecycle", "is neither `active` nor `deleted`")
    return Metadata(
        id=fields.uuid("id"),
        name=_name(fields),
        version=fields.positive("version"),
        content_type=fields.text("contentType"),
        lifetime=_lifetime(fields),
        garbage_collection=_garbage_collection(fields),
        streaming=fields.flag("streaming"),
        tags=dict(tags),
        owner=_owner(Fields(fields.mapping("ownerDefinition"), source=source, prefix="ownerDefinition.")),
        created_at=_created_at(fields),
        size=fields.optional_count("size"),
        checksum=fields.optional_text("checksum"),
        lifecycle=DELETED if lifecycle == DELETED else None,
        renamed_to=fields.text("renamedTo") if fields.has("renamedTo") else None,
    )


def _name(fields: Fields) -> str:
    name = fields.text("name")
    if ".." in name or "/" in name or "\\" in name or "\0" in name:
        fields.fail("name", "holds `..`, a slash, a backslash or NUL")
    return name


def _lifetime(fields: Fields) -> str:
    lifetime = fields.text("lifetime")
    if lifetime not in LIFETIME_WORDS and not is_duration(lifetime):
        fields.fail("lifetime", "is neither a duration like `30d` nor one of " + ", ".join(LIFETIME_WORDS))
    return lifetime


def _garbage_collection(fields: Fields) -> int | str | None:
    if not fields.has("garbageCollection"):
        return None
    value = fields.get("garbageCollection")
    if isinstance(value, str):
        if not is_duration(value) or int(value.rstrip("moyhdw")) == 0:
            fields.fail("garbageCollection", "is no duration like `30d`")
        return value
    return fields.positive("garbageCollection")


def _created_at(fields: Fields) -> str:
    value = fields.text("createdAt")
    match = _CREATED_AT.fullmatch(value)
    if match is None or not _is_date(*map(int, match.groups())):
        fields.fail("createdAt", "is not an ISO 8601 time ending in `Z`")
    return value


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year or 1, month, day)
    except ValueError:
        return False
    return True


def _owner(fields: Fields) -> Owner:
    owner_type = fields.text("ownerType")
    if owner_type not in OWNER_TYPES:
        fields.fail("ownerType", "is none of " + ", ".join(OWNER_TYPES))
    return Owner(
        owner_type=owner_type,
        owner_ref=fields.text("ownerRef"),
        definition_hash=fields.optional_text("definitionHash"),
        workflow_id=fields.optional_uuid("workflowId"),
        workflow_run_id=fields.optional_uuid("workflowRunId"),
        workflow_name=fields.optional_text("workflowName"),
        job_name=fields.optional_text("jobName"),
        step_name=fields.optional_text("stepName"),
        source=fields.optional_text("source"),
    )
