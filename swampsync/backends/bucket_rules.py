"""What a bucket does to objects on its own, whatever its users do: values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LifecycleEffect(Enum):
    """What a bucket's lifecycle rule does to the objects it covers."""

    EXPIRE = "expire"
    ARCHIVE = "archive"  # moved to a class that must be restored before it can be read
    OTHER = "other"  # harmless: aborts multipart puts, expires old versions, changes the class of storage


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """An enabled rule by which a bucket changes objects on its own.

    Args:
        name: The rule's id.
        prefix: The keys it covers, relative to the store's root; empty where it covers the whole root. Rules that
            cannot touch the root are left out.
        effect: What it does to them.
    """

    name: str
    prefix: str
    effect: LifecycleEffect


@dataclass(frozen=True, slots=True)
class BucketVersions:
    """Whether a bucket keeps what was replaced or removed.

    Args:
        is_kept: Former versions stay until a lifecycle rule or a person removes them.
        retention: How long nobody can remove them, as in `1 day (COMPLIANCE)`; `None` without Object Lock.
    """

    is_kept: bool
    retention: str | None = None
