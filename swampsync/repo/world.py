"""The real disk, clocks, randomness and threads, where a caller does not bring its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom

from swampsync.clock import Clock, Spawner, SystemClock, spawn_daemon
from swampsync.disk import Disk, LocalDisk


def _random_uuid() -> str:
    """Make a random UUID as text."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class World:
    """Everything that a repo needs of the machine; a test or a simulator replaces any of it.

    Args:
        disk: Files.
        clock: Time and waiting.
        rng: Jitter.
        spawn: Background threads.
        new_id: Makes a random UUID as text.
        pid: The process, as locks name it.
    """

    disk: Disk = field(default_factory=LocalDisk)
    clock: Clock = field(default_factory=SystemClock)
    rng: Random = field(default_factory=SystemRandom)
    spawn: Spawner = spawn_daemon
    new_id: Callable[[], str] = _random_uuid
    pid: int = field(default_factory=os.getpid)
