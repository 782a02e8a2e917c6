from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from swampsync.disk import LocalDisk
from swampsync.locks.identity import ProcessState, find_process_state, is_same_machine, make_holder
from swampsync.locks.lease import LockRecord, make_record
from swampsync.locks.process_table import LinuxProcessTable, make_process_table, parse_lstart
from swampsync.testing.lease_bench import FakeProcesses


def record_of(processes: FakeProcesses, pid: int) -> LockRecord:
    holder = make_holder("ana", pid=pid, processes=processes)
    return make_record(holder, nonce="n", command="data gc", acquired_at="2026-01-01T00:00:00.000Z", ttl_seconds=30)


def test_holder_is_named_as_swamp_names_it() -> None:
    """`user@host`, and `unknown` where there is no user."""
    processes = FakeProcesses({7: 100})
    assert make_holder("ana", pid=7, processes=processes).name == "ana@build-7"
    assert make_holder("", pid=7, processes=processes).name == "unknown@build-7"


def test_running_process_is_running() -> None:
    """Same machine, same pid, same start."""
    processes = FakeProcesses({7: 100})
    assert find_process_state(record_of(processes, 7), processes) is ProcessState.RUNNING


def test_missing_process_is_gone() -> None:
    """Same machine, and the pid is free."""
    processes = FakeProcesses({7: 100})
    record = record_of(processes, 7)
    processes.starts.clear()
    assert find_process_state(record, processes) is ProcessState.GONE


def test_pid_that_was_used_again_is_gone() -> None:
    """A process that started later is another one."""
    processes = FakeProcesses({7: 100})
    record = record_of(processes, 7)
    processes.starts[7] = 101
    assert find_process_state(record, processes) is ProcessState.GONE


def test_unknown_start_is_unknown() -> None:
    """A pid that exists without a start time proves nothing either way."""
    processes = FakeProcesses({7: None})
    assert find_process_state(record_of(processes, 7), processes) is ProcessState.UNKNOWN
    processes.starts[7] = 5
    assert find_process_state(replace(record_of(processes, 7), process_start=None), processes) is ProcessState.UNKNOWN


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"hostname": "build-8"},
        {"boot_id": "boot-2"},
        {"pid_namespace": "pid:[2]"},
        {"boot_id": ""},
    ],
)
def test_process_of_another_machine_is_unknown(elsewhere: dict[str, str]) -> None:
    """A pid counts only with its host, its boot and its pid namespace: without any one of them nobody is dead."""
    processes = FakeProcesses({7: 100})
    record = replace(record_of(processes, 7), **elsewhere)  # type: ignore[arg-type]
    processes.starts.clear()
    assert not is_same_machine(record, processes)
    assert find_process_state(record, processes) is ProcessState.UNKNOWN


def test_machine_without_boot_id_never_finds_anybody_dead() -> None:
    """Where the system tells no boot, two empty texts are not taken for equal."""
    processes = FakeProcesses({7: 100}, boot_id="")
    record = record_of(processes, 7)
    processes.starts.clear()
    assert find_process_state(record, processes) is ProcessState.UNKNOWN


def test_system_tells_our_own_process() -> None:
    """The real process table knows this process, its boot and its start."""
    processes = make_process_table(LocalDisk())
    holder = make_holder("ana", pid=os.getpid(), processes=processes)
    assert holder.hostname == os.uname().nodename
    assert holder.boot_id
    assert holder.process_start is not None
    assert processes.is_running(os.getpid())
    record = make_record(holder, nonce="n", command="", acquired_at="2026-01-01T00:00:00.000Z", ttl_seconds=30)
    assert find_process_state(record, processes) is ProcessState.RUNNING


def test_system_tells_that_a_child_has_ended() -> None:
    """A zombie will never act again, though its pid is still taken; a reaped child is gone as well."""
    processes = make_process_table(LocalDisk())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert processes.is_running(child.pid)
        start = processes.start_of(child.pid)
        assert start is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not processes.is_running(child.pid)
    assert not processes.is_running(child.pid)
    assert processes.start_of(child.pid) is None


@pytest.mark.parametrize("pid", [0, -1, 2**40])
def test_impossible_pid_hurts_nobody(pid: int) -> None:
    """A pid from a file is never used to signal a group, and no number breaks the look-up."""
    assert make_process_table(LocalDisk()).is_running(pid) is (pid > 0)


def test_program_name_with_parentheses_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may call itself anything, also `a) S 1 (`."""
    disk = LocalDisk()
    tail = " ".join(["S", *[str(n) for n in range(4, 53)]])
    monkeypatch.setattr(disk, "read_bytes", lambda path: f"42 (a) Z 1 () {tail}\n".encode())
    processes = LinuxProcessTable(disk)
    assert processes.is_running(42)
    assert processes.start_of(42) == 22


def test_lstart_of_macos_is_parsed() -> None:
    """`ps -o lstart=` in the C locale, UTC, is seconds since 1970; anything else is unknown."""
    assert parse_lstart("Thu Jan  1 00:01:00 1970") == 60
    assert parse_lstart("Sat Nov 21 11:47:30 2026") == 1795261650
    assert parse_lstart("") is None
    assert parse_lstart("Sam Nov. 21 11:47:30 2026") is None
