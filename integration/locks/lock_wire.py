"""A lock in a bucket as one process reaches it over a wire that misbehaves, and as another one sees it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from swampsync.backends.base import ObjectStore
from swampsync.backends.patience import RetryPolicy
from swampsync.backends.prefixed import Prefixed
from swampsync.backends.retrying import Retrying
from swampsync.backends.s3 import S3Store
from swampsync.backends.s3_quoting import detect_etag_quoting
from swampsync.backends.s3_settings import ETagQuoting
from swampsync.clock import SystemClock, format_timestamp
from swampsync.disk import LocalDisk
from swampsync.layout import Layout, ObjectKey
from swampsync.locks.bucket_guard import BucketGuard
from swampsync.locks.lease import LockRecord
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.namespace import Namespace
from swampsync.testing.lease_bench import LeaseBench
from swampsync.testing.lossy_wire import Fault, LossyWire
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.s3_side_channel import S3Server

NAMESPACE = Namespace.parse("infra")
KEY = ".locks/infra.lock"


@dataclass
class Script:
    """What the wire does to each request, in order; and what happens elsewhere before one is passed on.

    Args:
        faults: One for each request; all later ones go well.
        meanwhile: What is done before a request is passed on, by the request's number.
    """

    faults: Sequence[Fault] = ()
    meanwhile: dict[int, Callable[[], object]] = field(default_factory=dict)
    number: int = 0

    def __call__(self, _method: str, _target: str) -> Fault:
        number, self.number = self.number, self.number + 1
        if number in self.meanwhile:
            self.meanwhile[number]()
        return self.faults[number] if number < len(self.faults) else Fault.NONE

    def begin(self, faults: Sequence[Fault] = (), **meanwhile: Callable[[], object]) -> None:
        """Start anew: `r1=…` is done before the second request."""
        self.faults, self.number = faults, 0
        self.meanwhile = {int(name[1:]): action for name, action in meanwhile.items()}


class LockWire:
    """One lock on a server.

    Args:
        server: The server.
        bucket: A bucket of it.
        wire: Before the server; `script` is its plan.
        script: See `Script`.
        prefix: In the bucket, nobody else's.
        quoting: What set-up would have found out about the server; `None` to find it out here.
    """

    def __init__(
        self,
        server: S3Server,
        bucket: str,
        wire: LossyWire,
        script: Script,
        *,
        prefix: str,
        quoting: ETagQuoting | None = None,
    ) -> None:
        self.server = server
        self.wire = wire
        self.script = script
        self.clock = ManualClock()
        self.bench = LeaseBench(self.clock)
        policy = RetryPolicy(deadline_seconds=30, first_delay_seconds=0.005, longest_delay_seconds=0.02)
        # As `swampsync.repo.remote` puts it together, but for the pauses.
        self.aside = server.store(bucket, prefix)
        quoting = quoting or detect_etag_quoting(self.aside, ObjectKey("scratch"))
        self.plain: S3Store = replace(server, endpoint=wire.endpoint).store(bucket, prefix, etag_quoting=quoting)
        patient = Retrying(self.plain, clock=SystemClock(), rng=random.Random(1), policy=policy)
        self.bucket: ObjectStore = Prefixed(patient, NAMESPACE)
        self.ours = ObjectLeaseStore(self.bucket)
        self.hasty = ObjectLeaseStore(self.plain)  # nobody repeats anything for it
        self.others = ObjectLeaseStore(self.aside)  # past the wire

    def now(self) -> str:
        """Tell the time as locks do."""
        return format_timestamp(self.clock.now())

    def record(self) -> LockRecord:
        """Read what the lock says, past the wire; also where it was released."""
        sight = self.others.inspect_all(KEY)
        assert sight is not None
        assert isinstance(sight.record, LockRecord)
        return sight.record

    def clear(self) -> None:
        """Remove the lock's object."""
        self.aside.delete(ObjectKey(KEY))

    def guard(self, copy: Path) -> BucketGuard:
        """Make the locks of one command, as it has them."""
        layout = Layout(str(copy), str(copy), NAMESPACE)
        return BucketGuard(layout, LocalDisk(), self.bucket, self.bench.parts())

    def sent(self) -> list[str]:
        """Name the methods of all requests since `script` began."""
        return [sent.method for sent in self.wire.sent[len(self.wire.sent) - self.script.number :]]
