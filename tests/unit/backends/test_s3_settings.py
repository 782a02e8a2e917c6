"""Settings of a bucket are checked when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from swampsync.backends.s3_settings import S3Options
from swampsync.errors import InvalidInput


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bucket": ""}, "3 to 63"),
        ({"bucket": "ab"}, "3 to 63"),
        ({"bucket": "x" * 64}, "3 to 63"),
        ({"bucket": "Team"}, "no bucket has: `T`"),
        ({"bucket": "team/data"}, "`/`"),
        ({"bucket": "team data"}, "no bucket has"),
        ({"bucket": "-team"}, "begin and end"),
        ({"bucket": "team..data"}, "hold no"),
        ({"prefix": "a//b"}, "empty segment"),
        ({"prefix": "../x"}, "`..` segment"),
        ({"region": ""}, "region"),
        ({"region": "eu north"}, "region"),
        ({"endpoint": "minio:9000"}, "no URL"),
        ({"endpoint": "ftp://minio"}, "no URL"),
        ({"endpoint": "http://"}, "no URL"),
        ({"endpoint": "http://minio/?x=1"}, "no plain URL"),
        ({"concurrency": 0}, "between 1 and 256"),
        ({"concurrency": 257}, "between 1 and 256"),
        ({"request_timeout_seconds": 0}, "above 0"),
        ({"sse": "rot13"}, "no server-side encryption"),
        ({"sse_kms_key": "k"}, "not `aws:kms`"),
        ({"sse": "AES256", "sse_kms_key": "k"}, "not `aws:kms`"),
    ],
)
def test_value_that_cannot_be_used_is_refused(values: dict[str, Any], message: str) -> None:
    """A value that no server would take is refused before any request, with the reason."""
    with pytest.raises(InvalidInput, match=message):
        S3Options(**({"bucket": "team-data"} | values))


@pytest.mark.parametrize("scheme", ["https://", "ftp://", "https:/", ""])
def test_password_in_the_endpoint_is_refused_and_not_repeated(scheme: str) -> None:
    """An endpoint with a password is refused by a message that does not show it, whatever else is wrong with it."""
    with pytest.raises(InvalidInput) as caught:
        S3Options(bucket="team-data", endpoint=f"{scheme}key:hunter2@minio:9000")
    assert "hunter2" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"bucket": "team.data"}, True),
        ({"endpoint": "http://minio:9000"}, True),
        ({"endpoint": "http://minio:9000", "path_style": False}, False),
        ({"path_style": True}, True),
    ],
)
def test_bucket_goes_into_the_path_where_its_name_cannot_be_a_host(values: dict[str, Any], expected: object) -> None:
    """AWS is asked by host name but for names with dots; other servers by path, unless told otherwise."""
    assert S3Options(**({"bucket": "team-data"} | values)).uses_path_style is expected


def test_values_are_made_uniform() -> None:
    """Slashes around the prefix and after the endpoint do not matter."""
    options = S3Options(bucket="team-data", prefix="/a/b/", endpoint="http://minio:9000/")
    assert (options.prefix, options.root, options.endpoint) == ("a/b", "a/b/", "http://minio:9000")
    assert options.url == "s3://team-data/a/b"
    assert S3Options(bucket="team-data", prefix="/").root == ""


def test_buckets_of_other_servers_may_have_older_names() -> None:
    """Upper case and underscores, which AWS no longer allows, exist elsewhere."""
    assert S3Options(bucket="Team_Data", endpoint="http://minio:9000").bucket == "Team_Data"
