"""A stream written in parts, and written again where the first answer says in which way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from swampsync.backends.base import ETag
from swampsync.backends.s3_answers import ChecksumWanted, CompletionUntold, Operation
from swampsync.backends.s3_requests import S3Requests
from swampsync.backends.s3_settings import Checksum
from swampsync.backends.s3_sharing import Sharing
from swampsync.backends.s3_upload import PARTS_AT_A_TIME, read_parts, read_whole_parts
from swampsync.layout import ObjectKey


def put_stream(
    requests: S3Requests,
    sharing: Sharing,
    key: ObjectKey,
    body: BinaryIO,
    *,
    put_by_boto: Callable[[Iterator[bytes]], ETag | None],
) -> ETag | None:
    """Write a large object in parts, a small one in one request; return its ETag, if the server tells it.

    Args:
        requests: Sends them.
        sharing: Among all large transfers under way: how many parts may be on their way.
        key: The object.
        body: Its content, from where it stands; it is read again from there, if it can be.
        put_by_boto: Writes the object's parts in the slower way that is told why a server does not put them together.
    """
    begin = body.tell() if body.seekable() else None
    sent = requests.checksum
    try:
        return _put_once(requests, sharing, key, body)
    except ChecksumWanted:
        if begin is None or sent is Checksum.SHA256:
            raise
        requests.checksum = Checksum.SHA256
    except CompletionUntold:
        if begin is None:
            raise
        body.seek(begin)
        return put_by_boto(read_whole_parts(body))
    body.seek(begin)
    return _put_once(requests, sharing, key, body)


def _put_once(requests: S3Requests, sharing: Sharing, key: ObjectKey, body: BinaryIO) -> ETag | None:
    first, parts = read_parts(body)
    if parts is None:
        return requests.put(Operation.PUT, key, first, mode=None).etag
    with sharing.joined():
        return requests.put_parts(key, parts, at_a_time=sharing.share_of(PARTS_AT_A_TIME))
