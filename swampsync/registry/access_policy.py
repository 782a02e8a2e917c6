"""The least that a repo's credentials must be allowed to do in a bucket, as a policy document.

`design/least-privilege.md` lists every request that a command makes and the statement that allows it. Reading other
namespaces is in statements of its own, which may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from swampsync.errors import InvalidInput
from swampsync.layout import MANIFEST_NAME, Layout
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS

SCRATCH_DIRECTORY: Final = ".swampsync-doctor"
# A repo without a namespace shares the root with namespaces, so what is its own is listed.
_SOLO_DIRECTORIES: Final = (
    *(subdir for subdir in DATASTORE_SUBDIRS if subdir not in ALWAYS_LOCAL_SUBDIRS),
    "_log",
    "_checkpoints",
    "_segments",
    SCRATCH_DIRECTORY,
)

# Regions that do not belong to the partition `aws`, by how their names begin.
_PARTITIONS: Final = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-iso-", "aws-iso"),
    ("eusc-", "aws-eusc"),
)
_ACCOUNT: Final = re.compile(r"\d{12}")
_CEPH_USER: Final = re.compile(r"(?:(?P<tenant>[\w.-]+)\$)?(?P<user>[\w.@+=-]+)")

Statement = dict[str, Any]


class PolicyFormat(Enum):
    """Where a policy is put."""

    IAM = "iam"  # with a user or role; says nothing of whom it is for
    S3_BUCKET = "s3-bucket"  # with the bucket, on AWS
    CEPH = "ceph"  # with the bucket, on Ceph's gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPlace:
    """What a policy is about.

    Args:
        bucket: Its name.
        prefix: What keys begin with, without slashes at its ends.
        layout: Of the namespace.
        partition: Of AWS's regions (`partition_of`); `aws` for every other server.
    """

    bucket: str
    prefix: str
    layout: Layout
    partition: str = "aws"

    @property
    def bucket_arn(self) -> str:
        """Name the bucket."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def object_arn(self, pattern: str) -> str:
        """Name objects by a pattern (`infra/*`) relative to the prefix."""
        return f"{self.bucket_arn}/{self.pattern(pattern)}"

    def pattern(self, relative: str) -> str:
        """Make a pattern of keys; the prefix stands for itself even where it holds wildcards."""
        if not self.prefix:
            return relative
        return re.sub(r"[*?$]", r"${\g<0>}", self.prefix) + f"/{relative}"


def partition_of(region: str) -> str:
    """Name the partition that a region of AWS belongs to."""
    return next((partition for begin, partition in _PARTITIONS if region.startswith(begin)), "aws")


def make_policy(place: PolicyPlace, kind: PolicyFormat, *, principal: str | None, reads_only: bool) -> dict[str, Any]:
    """Make the policy document for a repo.

    Args:
        place: Which bucket, and whose namespace.
        kind: Where it will be put.
        principal: Whom it is for, as `parse_principal` takes it; a placeholder if it is not said. Not for `IAM`.
        reads_only: Only what reads: any namespace, and writes none.

    Raises:
        InvalidInput: The principal cannot be used.
    """
    statements = [*_reading(place)] if reads_only else [*_own(place), *_reading(place)]
    if kind is PolicyFormat.IAM:
        if principal is not None:
            raise InvalidInput(
                "a policy of format `iam` is attached to a user or role and names none",
                hint="leave --principal out, or: --format s3-bucket",
            )
    else:
        named = parse_principal(principal, kind, partition=place.partition)
        for statement in statements:
            statement["Principal"] = {"AWS": [named]}
    # A bucket has one policy for all repos, in which no two statements may have one name.
    whose = "".join(part.capitalize() for part in re.split("[-_]", place.layout.namespace.name))
    for statement in statements:
        statement["Sid"] = f"Swampsync{whose}{statement['Sid']}"
    ordered = ("Sid", "Effect", "Principal", "Action", "Resource", "Condition")
    return {
        "Version": "2012-10-17",
        "Statement": [{key: s[key] for key in ordered if key in s} for s in statements],
    }


def parse_principal(text: str | None, kind: PolicyFormat, *, partition: str) -> str:
    """Make the ARN of whom a bucket's policy is for.

    Args:
        text: An ARN; an account's number (AWS); `USER` or `TENANT$USER` (Ceph); nothing for a placeholder.
        kind: The format of the policy.
        partition: Of the ARN.

    Raises:
        InvalidInput: It is none of these.
    """
    if text is not None and text.startswith("arn:"):
        return text
    if kind is PolicyFormat.CEPH:
        user = _CEPH_USER.fullmatch(text if text is not None else "USER")
        if user is None:
            raise InvalidInput("a principal of Ceph is an ARN, `USER` or `TENANT$USER`", hint="radosgw-admin user list")
        return f"arn:aws:iam::{user['tenant'] or ''}:user/{user['user']}"
    if text is None:
        return f"arn:{partition}:iam::ACCOUNT:role/ROLE"
    if _ACCOUNT.fullmatch(text) is None:
        raise InvalidInput(
            "a principal is an ARN (`arn:aws:iam::123456789012:role/infra`) or an account's number of 12 digits",
            hint="aws sts get-caller-identity",
        )
    return f"arn:{partition}:iam::{text}:root"


def _own(place: PolicyPlace) -> list[Statement]:
    """What a repo needs in its own namespace, and to find and claim it."""
    layout = place.layout
    lock = layout.structural_lock_key()
    if layout.namespace.is_solo:
        patterns = [*(f"{name}/*" for name in _SOLO_DIRECTORIES), layout.members_key().text, lock]
        listed = [_allow("ListOwn", "s3:ListBucket", [place.bucket_arn], _below_root(place))]
    else:
        patterns = [f"{layout.prefix_of('')}*", lock]
        locks = f"{lock.rpartition('/')[0]}/"  # to tell a lock that is free from one that may not be seen
        listed = [
            _allow(
                "ListOwn",
                "s3:ListBucket",
                [place.bucket_arn],
                {"StringLike": {"s3:prefix": [place.pattern(f"{layout.prefix_of('')}*"), place.pattern(locks)]}},
            ),
            _allow("ListNamespaces", "s3:ListBucket", [place.bucket_arn], _directories_of_root(place)),
        ]
    return [
        _allow(
            "WriteOwn",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [place.object_arn(pattern) for pattern in patterns],
        ),
        *listed,
        _allow("ReadManifests", "s3:GetObject", [place.object_arn(f"*/{MANIFEST_NAME}")]),
        _allow("ReadLifecycleRules", "s3:GetLifecycleConfiguration", [place.bucket_arn]),
    ]


def _reading(place: PolicyPlace) -> list[Statement]:
    """What reads any namespace, other people's too."""
    return [
        _allow("ReadOthers", "s3:GetObject", [place.object_arn("*")]),
        _allow("ListOthers", "s3:ListBucket", [place.bucket_arn], _below_root(place)),
    ]


def _below_root(place: PolicyPlace) -> Statement | None:
    return {"StringLike": {"s3:prefix": [place.pattern("*")]}} if place.prefix else None


def _directories_of_root(place: PolicyPlace) -> Statement:
    delimited = {"StringEquals": {"s3:delimiter": "/"}}
    if place.prefix:
        # A comparison for equality knows no wildcards, so the prefix stands as it is.
        return {"StringEquals": {"s3:prefix": f"{place.prefix}/", "s3:delimiter": "/"}}
    # The root has no prefix in the request, or an empty one.
    return {"StringEqualsIfExists": {"s3:prefix": ""}, **delimited}


def _allow(
    sid: str, action: str | Sequence[str], resources: Sequence[str], condition: Statement | None = None
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": action if isinstance(action, str) else list(action),
        "Resource": list(resources),
    }
    return statement if condition is None else statement | {"Condition": condition}
