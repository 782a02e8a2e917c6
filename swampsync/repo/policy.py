"""`namespace policy`: what the credentials of this repo must be allowed to do, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from swampsync.config.datastore import S3Settings
from swampsync.errors import Refused
from swampsync.registry.access_policy import PolicyFormat, PolicyPlace, make_policy, partition_of
from swampsync.repo.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReport:
    """A policy, and what is to be known before it is used.

    Args:
        format: Where it is put.
        namespace: Whose; empty in solo mode.
        bucket: Its name.
        prefix: What keys begin with.
        policy: The document.
        notes: For people, a line each.
    """

    format: PolicyFormat
    namespace: str
    bucket: str
    prefix: str
    policy: dict[str, Any]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Make the document that `namespace policy --json` prints."""
        return {
            "format": self.format.value,
            "namespace": self.namespace,
            "bucket": self.bucket,
            "prefix": self.prefix,
            "policy": self.policy,
            "notes": list(self.notes),
        }


def write_policy(
    parts: Parts, kind: PolicyFormat, *, principal: str | None, reads_only: bool, bucket: S3Settings | None = None
) -> PolicyReport:
    """Make the policy for the namespace that the repo acts in; makes no request.

    Args:
        parts: Of the repo.
        kind: Where the policy is put.
        principal: Whom it is for; see `parse_principal`.
        reads_only: For somebody who writes nothing.
        bucket: Instead of the configured one, before it is set up.

    Raises:
        Refused: The datastore is a directory, and no bucket is named.
        InvalidInput: The principal cannot be used.
    """
    settings = bucket or parts.config.datastore
    if not isinstance(settings, S3Settings):
        raise Refused(
            "the datastore is a directory, whose rights are those of its files",
            hint="for a bucket that is to be set up: swamp namespace policy --bucket BUCKET --prefix PREFIX -n NS",
        )
    is_aws = settings.endpoint is None and kind is not PolicyFormat.CEPH
    place = PolicyPlace(
        bucket=settings.bucket,
        prefix=settings.prefix,
        layout=parts.layout,
        partition=partition_of(_region(parts, settings)) if is_aws else "aws",
    )
    policy = make_policy(place, kind, principal=principal, reads_only=reads_only)
    notes = tuple(_notes(settings, kind, is_named=principal is not None, reads_only=reads_only))
    return PolicyReport(
        format=kind,
        namespace=parts.namespace.name,
        bucket=settings.bucket,
        prefix=settings.prefix,
        policy=policy,
        notes=notes,
    )


def _region(parts: Parts, settings: S3Settings) -> str:
    from swampsync.repo.remote import find_signing_region

    return find_signing_region(settings, environ=parts.environ, world=parts.world)


def _notes(settings: S3Settings, kind: PolicyFormat, *, is_named: bool, reads_only: bool) -> list[str]:
    notes = []
    if not reads_only:
        notes.append("to read its own namespace only, leave out the statements ReadOthers and ListOthers")
    if kind is not PolicyFormat.IAM:
        notes.append("a bucket has one policy: add these statements to those that it has already")
        if not is_named:
            missing = "USER" if kind is PolicyFormat.CEPH else "ACCOUNT and ROLE"
            notes.append(f"put the credentials' owner in place of {missing}, or name it: --principal")
    if settings.sse is not None and settings.sse.startswith("aws:kms"):
        rights = "kms:Decrypt" if reads_only else "kms:GenerateDataKey and kms:Decrypt"
        key = f"key `{settings.sse_kms_key_id}`" if settings.sse_kms_key_id else "bucket's encryption key"
        notes.append(f"objects are encrypted with KMS: allow {rights} on the {key} too")
    return notes
