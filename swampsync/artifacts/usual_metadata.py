"""The quick way through metadata that is as nearly all of it is: for whoever reads hundreds of thousands at once.

It checks what `metadata_from_json` checks, in half the time, and leaves everything unusual to it: what comes of
both is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from swampsync.artifacts.fields import MAX_WHOLE
from swampsync.artifacts.metadata import LIFETIME_WORDS, OWNER_TYPES, Metadata, Owner, is_duration

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME: Final = re.compile(r"[A-Za-z0-9_@+-]+(?:\.[A-Za-z0-9_@+-]+)*")
# Days that every month has.
_CREATED_AT: Final = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)
_OWNER_KEYS: Final = frozenset({"ownerType", "ownerRef"})
_KEYS: Final = frozenset(
    {"id", "name", "version", "contentType", "lifetime", "garbageCollection", "streaming", "tags", "ownerDefinition"}
    | {"createdAt", "size", "checksum"}
)


def read_usual(values: Mapping[str, Any]) -> Metadata | None:
    """Read metadata that has all usual keys and no others, each with a usual value; `None` for any other.

    Args:
        values: The document, keys as in JSON.
    """
    if values.keys() != _KEYS:
        return None
    version, size, collection = values["version"], values["size"], values["garbageCollection"]
    if not type(version) is type(size) is type(collection) is int:
        return None
    if not (0 < version <= MAX_WHOLE and 0 <= size <= MAX_WHOLE and 0 < collection <= MAX_WHOLE):
        return None
    identifier, name, content_type = values["id"], values["name"], values["contentType"]
    lifetime, created_at, checksum = values["lifetime"], values["createdAt"], values["checksum"]
    if not type(identifier) is type(name) is type(content_type) is type(lifetime) is type(created_at) is str:
        return None
    if not (_UUID.fullmatch(identifier) and _NAME.fullmatch(name) and _CREATED_AT.fullmatch(created_at)):
        return None
    if not content_type or type(checksum) is not str or (lifetime not in LIFETIME_WORDS and not is_duration(lifetime)):
        return None
    tags, owner, streaming = values["tags"], values["ownerDefinition"], values["streaming"]
    if not type(tags) is type(owner) is dict or type(streaming) is not bool or owner.keys() != _OWNER_KEYS:
        return None
    if "type" not in tags or not all(type(key) is type(value) is str for key, value in tags.items()):
        return None
    owner_type, owner_ref = owner["ownerType"], owner["ownerRef"]
    if owner_type not in OWNER_TYPES or type(owner_ref) is not str or not owner_ref:
        return None
    return Metadata(
        id=identifier,
        name=name,
        version=version,
        content_type=content_type,
        lifetime=lifetime,
        garbage_collection=collection,
        streaming=streaming,
        tags=tags,
        owner=Owner(owner_type, owner_ref),
        created_at=created_at,
        size=size,
        checksum=checksum,
    )
