"""What was asked of `datastore setup s3`, and the configuration that comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from swampsync.config.datastore import S3_TYPE
from swampsync.config.document import ConfigDocument, NewValue
from swampsync.namespace import Namespace
from swampsync.repo.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketChoice:
    """What was asked for.

    Args:
        config: The `config:` map of the datastore, as it will be written.
        namespace: Claimed there; `None` for the configured one.
        hydration: `full` or `lazy`; `None` leaves it as configured.
        creates_bucket: Whether the bucket is made if it does not exist.
        joins: Whether the namespace is another repo's, which this one becomes a member of.
        skips_migration: Whether existing data stays where it is.
    """

    config: dict[str, str | int | bool]
    namespace: str | None = None
    hydration: str | None = None
    creates_bucket: bool = False
    joins: bool = False
    skips_migration: bool = False


def plan_configuration(
    parts: Parts, choice: BucketChoice, *, etag_quoting: str | None = None, wants_checksums: bool = False
) -> ConfigDocument:
    """Make the configuration that points to the bucket; every byte that need not change stays.

    Args:
        parts: Of the repo as it is configured now.
        choice: What was asked for.
        etag_quoting: The form of ETags that the probe found; written where it is not the common one.
        wants_checksums: Whether the bucket was found to want a checksum with every put.
    """
    config: dict[str, NewValue] = dict(choice.config)
    if etag_quoting == "bare":
        config["etagQuoting"] = etag_quoting
    if wants_checksums:
        config["checksum"] = "sha256"
    namespace = Namespace.parse(choice.namespace) if choice.namespace is not None else parts.home
    document = parts.config.document
    block: dict[str, NewValue] = {"type": S3_TYPE, "config": config}
    if not namespace.is_solo:
        block["namespace"] = namespace.name
    if choice.hydration is not None:
        block["hydrationStrategy"] = choice.hydration
    if not document.has(("datastore",)):
        return document.set(("datastore",), block)
    document = document.unset(("datastore", "path"))
    if document.get(("datastore", "config")) != config:
        document = document.unset(("datastore", "config"))
    for key, value in block.items():
        document = document.set(("datastore", key), value)
    return document
