"""Looking at a lock file once, so that what was read and whose inode it was belong together."""

from __future__ import annotations

import errno
from typing import Final

from swampsync.disk import Disk, Kind
from swampsync.locks.lease import Sight, TornRecord, parse_record

_ATTEMPTS: Final = 5


def look_at(disk: Disk, path: str) -> Sight | None:
    """Read a lock file; `None` if there is none."""
    inode = 0
    for _ in range(_ATTEMPTS):
        try:
            before = disk.stat(path)
            inode = before.inode
            if before.kind is not Kind.FILE:
                return Sight(path, TornRecord(b""), (inode, b""))
            body = disk.read_bytes(path)
            if disk.stat(path).inode == inode:
                return Sight(path, parse_record(body), (inode, body))
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.ESTALE:  # a file that another machine has just removed
                raise
    # It changes hands faster than we can look: something is there, and that is all we know.
    return Sight(path, TornRecord(b""), (inode, b""))
