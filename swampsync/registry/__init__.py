"""Who owns which namespace of a datastore, and who else may write in it."""

from swampsync.registry.checks import CheckResult, validate_registry
from swampsync.registry.claims import ClaimOutcome
from swampsync.registry.directory import Registry
from swampsync.registry.interface import NamespaceRegistry
from swampsync.registry.manifest import (
    MembersRecord,
    NamespaceDescription,
    NamespaceManifest,
    NamespaceStatistics,
    RegistryScan,
    format_manifest,
    format_members,
    parse_manifest,
    parse_members,
)

__all__ = [
    "CheckResult",
    "ClaimOutcome",
    "MembersRecord",
    "NamespaceDescription",
    "NamespaceManifest",
    "NamespaceRegistry",
    "NamespaceStatistics",
    "Registry",
    "RegistryScan",
    "format_manifest",
    "format_members",
    "parse_manifest",
    "parse_members",
    "validate_registry",
]
