"""How a server wants ETags in `If-Match`: found out by asking it."""

from __future__ import annotations

from swampsync.backends.base import IfMatch, Overwrite, PreconditionFailed
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_settings import ETagQuoting
from swampsync.layout import ObjectKey


def detect_etag_quoting(store: S3Store, scratch_key: ObjectKey) -> ETagQuoting:
    """Find out how the server wants ETags in `If-Match`, by swapping a scratch object.

    Args:
        store: A store; its own quoting is not changed.
        scratch_key: A key that nobody else uses; it is removed afterwards.

    Raises:
        PreconditionFailed: The server refuses both ways.
    """
    probes = [store.with_quoting(q) for q in (ETagQuoting.QUOTED, ETagQuoting.BARE)]
    try:
        etag = store.put(scratch_key, b"0", Overwrite()).etag
        try:
            probes[0].put(scratch_key, b"1", IfMatch(etag))
        except PreconditionFailed:
            probes[1].put(scratch_key, b"2", IfMatch(etag))
            return ETagQuoting.BARE
        return ETagQuoting.QUOTED
    finally:
        store.delete(scratch_key)
