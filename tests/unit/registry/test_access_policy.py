from __future__ import annotations

import fnmatch
from typing import Any

import pytest

from swampsync.errors import InvalidInput
from swampsync.layout import Layout
from swampsync.namespace import SOLO, Namespace
from swampsync.registry.access_policy import PolicyFormat, PolicyPlace, make_policy, parse_principal, partition_of

INFRA = Namespace.parse("infra")
BUCKET = "arn:aws:s3:::team"


def place(namespace: Namespace = INFRA, prefix: str = "", partition: str = "aws") -> PolicyPlace:
    layout = Layout(repo_dir="", base="", namespace=namespace)
    return PolicyPlace(bucket="team", prefix=prefix, layout=layout, partition=partition)


def statements(
    where: PolicyPlace, kind: PolicyFormat = PolicyFormat.IAM, *, principal: str | None = None, reads_only: bool = False
) -> dict[str, dict[str, Any]]:
    document = make_policy(where, kind, principal=principal, reads_only=reads_only)
    assert document["Version"] == "2012-10-17"
    return {s["Sid"]: s for s in document["Statement"]}


def writes(found: dict[str, dict[str, Any]], key: str) -> bool:
    """Whether any statement allows to write a key, by the patterns of its resources."""
    return any(
        fnmatch.fnmatchcase(f"{BUCKET}/{key}", resource)
        for s in found.values()
        if "s3:PutObject" in s["Action"]
        for resource in s["Resource"]
    )


def test_policy_of_a_namespace_is_exactly_this() -> None:
    """The document for a namespace below a prefix, word for word."""
    assert make_policy(place(prefix="P"), PolicyFormat.IAM, principal=None, reads_only=False)["Statement"] == [
        {
            "Sid": "SwampsyncInfraWriteOwn",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": [f"{BUCKET}/P/infra/*", f"{BUCKET}/P/.locks/infra.lock"],
        },
        {
            "Sid": "SwampsyncInfraListOwn",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": [BUCKET],
            "Condition": {"StringLike": {"s3:prefix": ["P/infra/*", "P/.locks/"]}},
        },
        {
            "Sid": "SwampsyncInfraListNamespaces",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": [BUCKET],
            "Condition": {"StringEquals": {"s3:prefix": "P/", "s3:delimiter": "/"}},
        },
        {
            "Sid": "SwampsyncInfraReadManifests",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{BUCKET}/P/*/.namespace.json"],
        },
        {
            "Sid": "SwampsyncInfraReadLifecycleRules",
            "Effect": "Allow",
            "Action": "s3:GetLifecycleConfiguration",
            "Resource": [BUCKET],
        },
        {
            "Sid": "SwampsyncInfraReadOthers",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{BUCKET}/P/*"],
        },
        {
            "Sid": "SwampsyncInfraListOthers",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": [BUCKET],
            "Condition": {"StringLike": {"s3:prefix": ["P/*"]}},
        },
    ]


@pytest.mark.holds("I4")
@pytest.mark.parametrize("prefix", ["", "P"])
def test_policy_allows_writing_in_the_own_namespace_only(prefix: str) -> None:
    """No namespace may write in another one, nor solo in any, nor any namespace where solo is."""
    below = f"{prefix}/" if prefix else ""
    own, solo = statements(place(prefix=prefix)), statements(place(SOLO, prefix=prefix))
    for key in ("infra/data/x", "infra/_log/1.json", "infra/.namespace.json", ".locks/infra.lock"):
        assert writes(own, below + key)
        assert not writes(solo, below + key)
    for key in ("data/x/raw", "_log/1.json", "_segments/x", ".swampsync.json", ".datastore.lock"):
        assert writes(solo, below + key)
        assert not writes(own, below + key)
    for key in ("infra2/data/x", "app/data/x", ".locks/app.lock", ".locks/infra.lock.x"):
        assert not writes(own, below + key)
        assert not writes(solo, below + key)
    assert not writes(own, "elsewhere/infra/data/x")


def test_root_of_a_bucket_is_listed_by_directories_only() -> None:
    """Without a prefix, only a listing with the delimiter shows the root; reading others needs no condition."""
    found = statements(place())
    assert found["SwampsyncInfraListNamespaces"]["Condition"] == {
        "StringEqualsIfExists": {"s3:prefix": ""},
        "StringEquals": {"s3:delimiter": "/"},
    }
    assert "Condition" not in found["SwampsyncInfraListOthers"]


def test_reader_gets_no_right_to_change_anything() -> None:
    """A reader's policy has the two statements that read, and no action that writes."""
    found = statements(place(SOLO), reads_only=True)
    assert list(found) == ["SwampsyncReadOthers", "SwampsyncListOthers"]
    assert {s["Action"] for s in found.values()} == {"s3:GetObject", "s3:ListBucket"}


def test_statements_of_several_namespaces_have_names_of_their_own() -> None:
    """The statements of two repos fit into one bucket's policy."""
    assert not statements(place()).keys() & statements(place(Namespace.parse("web-app"))).keys()


@pytest.mark.parametrize(
    ("text", "kind", "partition", "arn"),
    [
        (None, PolicyFormat.CEPH, "aws", "arn:aws:iam:::user/USER"),
        ("ann", PolicyFormat.CEPH, "aws", "arn:aws:iam:::user/ann"),
        ("dept$ann", PolicyFormat.CEPH, "aws", "arn:aws:iam::dept:user/ann"),
        (None, PolicyFormat.S3_BUCKET, "aws-cn", "arn:aws-cn:iam::ACCOUNT:role/ROLE"),
        ("123456789012", PolicyFormat.S3_BUCKET, "aws-us-gov", "arn:aws-us-gov:iam::123456789012:root"),
        ("arn:aws:iam::1:role/r", PolicyFormat.S3_BUCKET, "aws", "arn:aws:iam::1:role/r"),
    ],
)
def test_principal_is_named_as_the_server_wants_it(
    text: str | None, kind: PolicyFormat, partition: str, arn: str
) -> None:
    """An ARN stands for itself; accounts and Ceph's users become one."""
    assert parse_principal(text, kind, partition=partition) == arn


def test_principal_is_in_every_statement_of_a_buckets_policy_and_in_none_of_a_users() -> None:
    """A bucket's policy says for whom; one that is attached to a user does not, and refuses to."""
    found = statements(place(), PolicyFormat.CEPH, principal="ann")
    assert {tuple(s["Principal"]["AWS"]) for s in found.values()} == {("arn:aws:iam:::user/ann",)}
    assert not [s for s in statements(place()).values() if "Principal" in s]
    for kind, text in ((PolicyFormat.IAM, "ann"), (PolicyFormat.S3_BUCKET, "ann"), (PolicyFormat.CEPH, "a b")):
        with pytest.raises(InvalidInput):
            statements(place(), kind, principal=text)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"), ("us-isob-east-1", "aws-iso-b"),
    ],
)  # fmt: skip
def test_partition_follows_the_region(region: str, partition: str) -> None:
    """Regions outside the common partition have ARNs of their own."""
    assert partition_of(region) == partition
    found = statements(place(partition=partition))
    assert found["SwampsyncInfraReadLifecycleRules"]["Resource"] == [f"arn:{partition}:s3:::team"]


def test_wildcards_in_a_prefix_stand_for_themselves() -> None:
    """A prefix with `*` does not open other prefixes."""
    found = statements(place(prefix="a*b$"))
    assert found["SwampsyncInfraWriteOwn"]["Resource"][0] == f"{BUCKET}/a${{*}}b${{$}}/infra/*"
    assert found["SwampsyncInfraListNamespaces"]["Condition"]["StringEquals"]["s3:prefix"] == "a*b$/"
