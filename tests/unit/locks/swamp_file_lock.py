"""swamp's own lock algorithm, as its behaviour was observed: the other side of every test of mutual exclusion.

Not a copy of its code: a model of what it does to files, mistakes included. It looks at the wall clock, takes any pid
for one of this machine, writes in place, and unlinks without looking.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from swampsync.clock import Clock, format_timestamp, parse_timestamp
from swampsync.layout import Layout
from swampsync.locks.identity import ProcessTable

TTL_MS = 30_000


@dataclass
class SwampFileLock:
    """One lock of one swamp process.

    Args:
        path: Of the lock file.
        clock: Its wall clock.
        processes: What its pid probe sees.
        pid: Its own.
        nonce: Of all its attempts.
    """

    path: str
    clock: Clock
    processes: ProcessTable
    pid: int
    nonce: str = "swamp-nonce-1"
    is_held: bool = field(default=False, init=False)

    def try_acquire(self) -> bool:
        """Take the lock, clearing a stale one away first."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        for _ in range(10):
            try:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                info = self.read()
                if info is None or not self.is_stale(info):
                    return False
                os.unlink(self.path)
                continue
            os.close(descriptor)
            self._write()
            self.is_held = True
            return True
        return False

    def read(self) -> dict[str, Any] | None:
        """Read the file; what cannot be read counts as nothing."""
        try:
            with open(self.path, encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def is_stale(self, info: dict[str, Any]) -> bool:
        """Whether the pid is dead here, whatever the host, or the time is over by our own wall clock."""
        return not self.processes.is_running(info["pid"]) or self.is_expired(info)

    def is_expired(self, info: dict[str, Any]) -> bool:
        """Whether the time is over by our own wall clock."""
        age = self.clock.now() - parse_timestamp(info["acquiredAt"])
        return bool(age.total_seconds() * 1000 > info["ttlMs"])

    def heartbeat(self) -> None:
        """Rewrite the file in place, or silently stop believing in the lock."""
        info = self.read()
        if info is None or info.get("nonce") != self.nonce:
            self.is_held = False
            return
        self._write()

    def release(self) -> None:
        """Unlink the file without looking whose it is, unless the lock is known to be lost."""
        if self.is_held:
            self.is_held = False
            with suppress(FileNotFoundError):
                os.unlink(self.path)

    def _write(self) -> None:
        document = {
            "holder": f"ana@{self.processes.hostname}",
            "hostname": self.processes.hostname,
            "pid": self.pid,
            "acquiredAt": format_timestamp(self.clock.now()),
            "ttlMs": TTL_MS,
            "nonce": self.nonce,
        }
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2))


class SwampRepo:
    """What swamp's commands do with the locks of a namespace; each method is one try, without waiting."""

    def __init__(self, layout: Layout, clock: Clock, processes: ProcessTable, *, pid: int) -> None:
        self.layout = layout
        self.clock = clock
        self.processes = processes
        self.pid = pid

    def lock(self, key: str) -> SwampFileLock:
        """Make the lock of a key."""
        return SwampFileLock(self.layout.lock_path(key), self.clock, self.processes, self.pid)

    def try_model_lock(self, model_type: str, model_id: str) -> SwampFileLock | None:
        """Take a model's lock as a writer does: look at the structural lock before and after."""
        structural = self.lock(self.layout.structural_lock_key())
        if self._is_in_the_way(structural):
            return None
        lock = self.lock(self.layout.model_lock_key(model_type, model_id))
        if not lock.try_acquire():
            return None
        if self._is_in_the_way(structural):
            lock.release()
            return None
        return lock

    def try_structural_lock(self) -> SwampFileLock | None:
        """Take the structural lock as `data gc` does: drain, take, drain again."""
        if self.find_model_locks():
            return None
        lock = self.lock(self.layout.structural_lock_key())
        if not lock.try_acquire():
            return None
        if self.find_model_locks():
            lock.release()
            return None
        return lock

    def find_model_locks(self) -> list[str]:
        """Find the model locks that a drain waits for: every `*.lock` below the base that parses and is young."""
        found = []
        prefix = "" if self.layout.namespace.is_solo else f"{self.layout.namespace}/"
        for directory, _, names in os.walk(self.layout.base):
            for name in names:
                path = os.path.join(directory, name)
                relative = os.path.relpath(path, self.layout.base).removeprefix(prefix)
                parts = relative.split("/")
                if not name.endswith(".lock") or len(parts) < 4 or parts[0] != "data" or parts[-1] != ".lock":
                    continue
                info = SwampFileLock(path, self.clock, self.processes, self.pid).read()
                if info is not None and not self._is_expired(info):
                    found.append(relative)
        return found

    def _is_in_the_way(self, structural: SwampFileLock) -> bool:
        info = structural.read()
        if info is None:
            return False
        if self._is_expired(info):
            os.unlink(structural.path)
            return False
        return True

    def _is_expired(self, info: dict[str, Any]) -> bool:
        return SwampFileLock("", self.clock, self.processes, self.pid).is_expired(info)
