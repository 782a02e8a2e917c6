"""A stream written in parts, and written again where the first answer says in which way."""

from __future__ import annotations

from typing import BinaryIO

from swampsync.backends.base import ETag
from swampsync.backends.s3_answers import ChecksumWanted, Operation
from swampsync.backends.s3_requests import S3Requests
from swampsync.backends.s3_settings import Checksum
from swampsync.backends.s3_sharing import Sharing
from swampsync.backends.s3_upload import PARTS_AT_A_TIME, read_parts
from swampsync.layout import ObjectKey


def put_stream(requests: S3Requests, sharing: Sharing, key: ObjectKey, body: BinaryIO) -> ETag | None:
    """Write a large object in parts, a small one in one request; return its ETag, if the server tells it.

    Args:
        requests: Sends them.
        sharing: Among all large transfers under way: how many parts may be on their way.
        key: The object.
        body: Its content, from where it stands; it is read again from there, if it can be.
    """
    begin = body.tell() if body.seekable() else None
    sent = requests.checksum
    try:
        return _put_once(requests, sharing, key, body)
    except ChecksumWanted:
        if begin is None or sent is Checksum.SHA256:
            raise
        requests.checksum = Checksum.SHA256
    body.seek(begin)
    return _put_once(requests, sharing, key, body)


def _put_once(requests: S3Requests, sharing: Sharing, key: ObjectKey, body: BinaryIO) -> ETag | None:
    first, parts = read_parts(body)
    if parts is None:
        return requests.put(Operation.PUT, key, first, mode=None).etag
    with sharing.joined():
        return requests.put_parts(key, parts, at_a_time=sharing.share_of(PARTS_AT_A_TIME))
