"""Values of locking: who holds a lock, what a lock's file says, and a lease.

A lock file is JSON exactly as swamp writes it, followed by keys of our own, which swamp ignores:

    holder, hostname, pid, acquiredAt, ttlMs, nonce,
    command, heldSince, bootId, pidNamespace, processStart, and in buckets beat, released
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from swampsync.disk import DiskFile

if TYPE_CHECKING:
    from swampsync.backends.base import ETag  # commands on a directory need not load it

_TIME_KEY: Final = b'\n  "acquiredAt": "'


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks for locks: a process, named so that nobody can mistake it for another one.

    Args:
        name: For people: `user@host`.
        hostname: As the system tells it.
        pid: The process.
        boot_id: Of the running kernel; empty if the system does not tell.
        pid_namespace: In which `pid` means something; empty where there is only one.
        process_start: When the process started, in a unit of the system that only grows; `None` if unknown.
    """

    name: str
    hostname: str
    pid: int
    boot_id: str = ""
    pid_namespace: str = ""
    process_start: int | None = None


@dataclass(frozen=True, slots=True)
class LockRecord:
    """What a whole lock file says.

    Args:
        holder: `user@host`.
        hostname: Where the holder runs.
        pid: The holder's process.
        acquired_at: The last heartbeat by the holder's wall clock, as text; only for people and for swamp.
        ttl_ms: How long the holder may be silent, in milliseconds.
        nonce: Identifies the acquisition; empty in files of old versions of swamp.
        command: What the holder is doing (`data gc`); empty in files of swamp.
        held_since: When the lock was taken, as text; `acquired_at` moves with each heartbeat.
        boot_id: See `Holder`.
        pid_namespace: See `Holder`.
        process_start: See `Holder`.
        beat: Counts heartbeats in a bucket, so that no two bodies are equal; `None` on a directory.
        is_released: Whether the holder let go; only in buckets, where the object stays.
    """

    holder: str
    hostname: str
    pid: int
    acquired_at: str
    ttl_ms: int
    nonce: str
    command: str = ""
    held_since: str = ""
    boot_id: str = ""
    pid_namespace: str = ""
    process_start: int | None = None
    beat: int | None = None
    is_released: bool = False

    def format(self) -> bytes:
        """Format as swamp does: two spaces, no newline at the end, no escapes but JSON's own."""
        document: dict[str, Any] = {
            "holder": self.holder,
            "hostname": self.hostname,
            "pid": self.pid,
            "acquiredAt": self.acquired_at,
            "ttlMs": self.ttl_ms,
        }
        ours = {
            "nonce": self.nonce,
            "command": self.command,
            "heldSince": self.held_since,
            "bootId": self.boot_id,
            "pidNamespace": self.pid_namespace,
        }
        document.update((key, text) for key, text in ours.items() if text)
        if self.process_start is not None:
            document["processStart"] = self.process_start
        if self.beat is not None:
            document["beat"] = self.beat
        if self.is_released:
            document["released"] = True
        return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class TornRecord:
    """What is left of a lock file whose writer died, or has not finished: empty or no valid JSON."""

    body: bytes


def parse_record(body: bytes) -> LockRecord | TornRecord:
    """Parse a lock file of ours or swamp's; whatever else it holds is a `TornRecord`, never an error."""
    try:
        document = json.loads(body)
        pid, ttl_ms = document["pid"], document["ttlMs"]
        holder, acquired_at = document["holder"], document["acquiredAt"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return TornRecord(body)
    if not (_is_number(pid) and _is_number(ttl_ms) and isinstance(holder, str) and isinstance(acquired_at, str)):
        return TornRecord(body)
    start, beat = document.get("processStart"), document.get("beat")
    return LockRecord(
        holder=holder,
        hostname=_text(document, "hostname"),
        pid=int(pid),
        acquired_at=acquired_at,
        ttl_ms=int(ttl_ms),
        nonce=_text(document, "nonce"),
        command=_text(document, "command"),
        held_since=_text(document, "heldSince"),
        boot_id=_text(document, "bootId"),
        pid_namespace=_text(document, "pidNamespace"),
        process_start=int(start) if _is_number(start) else None,
        beat=int(beat) if _is_number(beat) else None,
        is_released=document.get("released") is True,
    )


def find_time_offset(body: bytes) -> int:
    """Return where the text of `acquiredAt` begins in a formatted record; a heartbeat rewrites only that."""
    # A newline cannot occur inside a JSON string, so no holder's name can be mistaken for the key.
    return body.index(_TIME_KEY) + len(_TIME_KEY)


@dataclass(frozen=True, slots=True)
class Sight:
    """A lock as somebody saw it once.

    Args:
        key: Of the lock: a path on a directory, a key in a bucket.
        record: What it said.
        mark: Changes whenever the holder or a heartbeat does; `(inode, body)` on a directory.
        etag: Where the lock is an object.
    """

    key: str
    record: LockRecord | TornRecord
    mark: tuple[int, bytes]
    etag: ETag | None = None

    @property
    def nonce(self) -> str:
        """The holder's nonce; empty if there is none."""
        return self.record.nonce if isinstance(self.record, LockRecord) else ""

    @property
    def identifier(self) -> str:
        """A name for this acquisition that is safe as a part of a file's name."""
        if self.nonce and len(self.nonce) <= 64 and self.nonce.isascii() and self.nonce.replace("-", "").isalnum():
            return self.nonce
        inode, body = self.mark
        return sha256(b"%d:%b" % (inode, self.nonce.encode("utf-8", "replace") or body)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Lease:
    """A held, expiring claim, as a `LeaseStore` knows it; the keeper wraps it in a `KeptLease`.

    Args:
        key: Of the lock.
        record: What we wrote last.
        etag: Where the lock is an object.
        file: Where the lock is a file: open since its creation.
        is_weak: The store cannot compare and swap; two holders are possible when a lock is taken over.
    """

    key: str
    record: LockRecord
    etag: ETag | None = None
    file: DiskFile | None = None
    is_weak: bool = False

    @property
    def nonce(self) -> str:
        """What identifies this acquisition."""
        return self.record.nonce


def make_record(holder: Holder, *, nonce: str, command: str, acquired_at: str, ttl_seconds: float) -> LockRecord:
    """Make the record that `holder` writes when it takes a lock."""
    return LockRecord(
        holder=holder.name,
        hostname=holder.hostname,
        pid=holder.pid,
        acquired_at=acquired_at,
        ttl_ms=round(ttl_seconds * 1000),
        nonce=nonce,
        command=command,
        held_since=acquired_at,
        boot_id=holder.boot_id,
        pid_namespace=holder.pid_namespace,
        process_start=holder.process_start,
    )


def renew_record(record: LockRecord, acquired_at: str) -> LockRecord:
    """Return the record after one more heartbeat."""
    return replace(record, acquired_at=acquired_at, beat=None if record.beat is None else record.beat + 1)


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return value == value and abs(value) < 1e18  # noqa: PLR0124 -- not a number is unequal to itself
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e18
