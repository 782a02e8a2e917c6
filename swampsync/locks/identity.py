"""Telling processes apart: is the holder of a lock still running, as far as we can know?

A pid alone says nothing. It counts only together with its host, the host's boot, the pid namespace (a container has
its own) and the process's start time, because pids are used again.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from swampsync.locks.lease import Holder, LockRecord
from swampsync.locks.process_table import name_person


class ProcessTable(Protocol):
    """What the operating system tells of processes."""

    @property
    def hostname(self) -> str:
        """The host's name."""
        ...

    @property
    def boot_id(self) -> str:
        """A name of this boot of the kernel, empty if unknown."""
        ...

    @property
    def pid_namespace(self) -> str:
        """A name of the namespace in which pids are told, empty if there is but one."""
        ...

    def is_running(self, pid: int) -> bool:
        """Whether a process has this pid and has not ended; when in doubt, yes."""
        ...

    def start_of(self, pid: int) -> int | None:
        """When the process started, in a unit that only grows during one boot; `None` if unknown."""
        ...


class ProcessState(Enum):
    """What we know of a holder's process."""

    RUNNING = "running"
    GONE = "gone"
    UNKNOWN = "unknown"  # on another host or in another pid namespace, or the record does not say enough


def make_holder(user: str | None, *, pid: int, processes: ProcessTable) -> Holder:
    """Describe a process of this machine as a holder of locks."""
    return Holder(
        name=name_person(user, processes.hostname),
        hostname=processes.hostname,
        pid=pid,
        boot_id=processes.boot_id,
        pid_namespace=processes.pid_namespace,
        process_start=processes.start_of(pid),
    )


def is_same_machine(record: LockRecord, processes: ProcessTable) -> bool:
    """Whether the record's pid means something here: same host, same boot, same pid namespace.

    Files of swamp tell no boot. A host's name alone is not enough: containers and cloned machines share names.
    """
    return (
        record.boot_id != ""
        and record.boot_id == processes.boot_id
        and record.hostname == processes.hostname
        and record.pid_namespace == processes.pid_namespace
    )


def find_process_state(record: LockRecord, processes: ProcessTable) -> ProcessState:
    """Say whether the holder's process still runs."""
    if not is_same_machine(record, processes):
        return ProcessState.UNKNOWN
    if not processes.is_running(record.pid):
        return ProcessState.GONE
    start = processes.start_of(record.pid)
    if start is None or record.process_start is None:
        return ProcessState.UNKNOWN
    return ProcessState.GONE if start > record.process_start else ProcessState.RUNNING
