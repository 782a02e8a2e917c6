"""The two manifests of a namespace as values, and their bytes.

`.namespace.json` is swamp's: three fields, which swamp overwrites as a whole. What we need beyond them lies in
`.swampsync.json` beside it; fields there that this version does not know are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from swampsync.errors import DataError

_MAX_BYTES: Final = 1 << 20
_KNOWN_FIELDS: Final = ("members", "metadata", "retention", "vacuumHorizon", "storePromises")


@dataclass(frozen=True, order=True, slots=True)
class NamespaceManifest:
    """Who owns a namespace, as swamp writes it.

    Args:
        namespace: Its name; swamp allows some that we would not, so it is a plain text.
        repo_id: The owner's; swamp may leave it empty, which says that nobody knows.
        registered_at: ISO 8601, UTC; empty if missing.
    """

    namespace: str
    repo_id: str
    registered_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersRecord:
    """What we note of a namespace.

    Args:
        members: Ids of the repos that may write, sorted; the owner is one of them.
        metadata: What people want to say of it.
        retention: Rules that hold for the whole namespace; their meaning is the maintenance's.
        vacuum_horizon: For how many days removed content stays in a bucket; `None` for the default.
        store_promises: What the store was found to keep.
        extra: Fields of later versions, kept as they are.
    """

    members: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retention: Mapping[str, Any] = field(default_factory=dict)
    vacuum_horizon: int | None = None
    store_promises: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def with_members(self, repo_ids: Iterable[str]) -> MembersRecord:
        """Return the record with further members."""
        return replace(self, members=tuple(sorted({*self.members, *(repo_id for repo_id in repo_ids if repo_id)})))


@dataclass(frozen=True, slots=True)
class RegistryScan:
    """All namespaces of a datastore.

    Args:
        manifests: Sorted by name.
        problems: What could not be read; the others are there all the same.
    """

    manifests: tuple[NamespaceManifest, ...]
    problems: tuple[DataError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceStatistics:
    """Numbers that the caller counted."""

    artifacts: int
    versions: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceDescription:
    """A namespace with all that is known of it."""

    manifest: NamespaceManifest
    record: MembersRecord
    is_current: bool
    statistics: NamespaceStatistics | None


def parse_manifest(data: bytes, *, path: str) -> NamespaceManifest:
    """Parse a `.namespace.json`.

    Raises:
        DataError: Not a JSON object with a namespace.
    """
    fields = _parse_object(data, path=path)
    name = fields.get("namespace")
    if not isinstance(name, str) or not name:
        raise DataError(f"manifest `{path}` names no namespace", key=path)
    return NamespaceManifest(name, _text(fields, "repoId", path=path), _text(fields, "registeredAt", path=path))


def format_manifest(manifest: NamespaceManifest) -> bytes:
    """Format a `.namespace.json` as swamp does: its three fields, two spaces, a line break at the end."""
    fields = {
        "namespace": manifest.namespace,
        "repoId": manifest.repo_id,
        "registeredAt": manifest.registered_at,
    }
    return _format_object(fields)


def parse_members(data: bytes, *, path: str) -> MembersRecord:
    """Parse a `.swampsync.json`.

    Raises:
        DataError: Not a JSON object of the known shape.
    """
    fields = _parse_object(data, path=path)
    members = fields.get("members", [])
    if not isinstance(members, list) or not all(isinstance(member, str) and member for member in members):
        raise DataError(f"`members` in `{path}` is no list of repo ids", key=path)
    horizon = fields.get("vacuumHorizon")
    if horizon is not None and (not isinstance(horizon, int) or isinstance(horizon, bool)):
        raise DataError(f"`vacuumHorizon` in `{path}` is no whole number", key=path)
    return MembersRecord(
        members=tuple(sorted(set(members))),
        metadata=_object(fields, "metadata", path=path),
        retention=_object(fields, "retention", path=path),
        vacuum_horizon=horizon,
        store_promises=_object(fields, "storePromises", path=path),
        extra={key: value for key, value in fields.items() if key not in _KNOWN_FIELDS},
    )


def format_members(record: MembersRecord) -> bytes:
    """Format a `.swampsync.json`; what is empty is left out, members aside."""
    fields: dict[str, Any] = {
        "members": list(record.members),
        "metadata": dict(record.metadata) or None,
        "retention": dict(record.retention) or None,
        "vacuumHorizon": record.vacuum_horizon,
        "storePromises": dict(record.store_promises) or None,
    }
    return _format_object({key: value for key, value in fields.items() if value is not None} | dict(record.extra))


def _format_object(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def _parse_object(data: bytes, *, path: str) -> dict[str, Any]:
    if len(data) > _MAX_BYTES:
        raise DataError(f"manifest `{path}` is larger than {_MAX_BYTES} bytes", key=path)
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"manifest `{path}` is not JSON", hint=f"look at it, then restore or remove {path}", key=path
        ) from error
    if not isinstance(fields, dict):
        raise DataError(f"manifest `{path}` is no JSON object", key=path)
    return fields


def _text(fields: Mapping[str, Any], name: str, *, path: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"`{name}` in `{path}` is no text", key=path)
    return value


def _object(fields: Mapping[str, Any], name: str, *, path: str) -> dict[str, Any]:
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DataError(f"`{name}` in `{path}` is no object", key=path)
    return value
