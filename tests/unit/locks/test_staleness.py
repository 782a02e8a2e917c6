from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.locks.identity import ProcessState
from swampsync.locks.lease import LockRecord, Sight, TornRecord
from swampsync.locks.staleness import Standing, Watch, Watcher, continue_watch, find_ttl, judge
from swampsync.testing.lease_bench import FakeProcesses

RECORD = LockRecord("ana@build-8", "build-8", 7, "2026-01-01T00:00:00.000Z", 30_000, "nonce")


def sight_of(record: LockRecord | TornRecord = RECORD, *, body: bytes = b"one") -> Sight:
    return Sight("/locks/infra.lock", record, (7, body))


def watch_for(seconds: float, sight: Sight | None = None) -> Watch:
    return Watch((sight or sight_of()).mark, seconds, 1_000.0)


@pytest.mark.parametrize(
    ("record", "process", "seconds", "standing"),
    [
        (RECORD, ProcessState.UNKNOWN, 0.0, Standing.LIVE),
        (RECORD, ProcessState.UNKNOWN, 29.9, Standing.LIVE),
        (RECORD, ProcessState.UNKNOWN, 30.0, Standing.EXPIRED),
        (RECORD, ProcessState.RUNNING, 29.9, Standing.LIVE),
        (RECORD, ProcessState.RUNNING, 30.0, Standing.EXPIRED),
        (RECORD, ProcessState.GONE, 0.0, Standing.DEAD),
        (replace(RECORD, ttl_ms=600_000), ProcessState.UNKNOWN, 599.0, Standing.LIVE),
        (replace(RECORD, ttl_ms=600_000), ProcessState.UNKNOWN, 600.0, Standing.EXPIRED),
        (replace(RECORD, ttl_ms=0), ProcessState.UNKNOWN, 29.9, Standing.LIVE),
        (replace(RECORD, ttl_ms=-5), ProcessState.UNKNOWN, 30.0, Standing.EXPIRED),
        (replace(RECORD, is_released=True, ttl_ms=0), ProcessState.UNKNOWN, 0.0, Standing.RELEASED),
        (replace(RECORD, acquired_at="1999-01-01T00:00:00.000Z"), ProcessState.UNKNOWN, 0.0, Standing.LIVE),
        (replace(RECORD, acquired_at="2099-01-01T00:00:00.000Z"), ProcessState.UNKNOWN, 30.0, Standing.EXPIRED),
        (TornRecord(b""), ProcessState.UNKNOWN, 0.0, Standing.TORN),
        (TornRecord(b""), ProcessState.UNKNOWN, 29.9, Standing.TORN),
        (TornRecord(b"{"), ProcessState.UNKNOWN, 30.0, Standing.EXPIRED),
    ],
)
def test_judgement_of_what_was_watched(
    record: LockRecord | TornRecord, process: ProcessState, seconds: float, standing: Standing
) -> None:
    """The whole decision: what the record says, whether its process runs, how long it did not change."""
    sight = sight_of(record)
    assert judge(sight, watch_for(seconds, sight), process=process, default_ttl_seconds=30) is standing


@pytest.mark.parametrize("standing", Standing)
def test_only_the_dead_are_taken_over(standing: Standing) -> None:
    """Live and torn locks are waited for."""
    assert standing.is_takeable is (standing not in {Standing.LIVE, Standing.TORN})


def test_ttl_of_the_lock_counts_not_ours() -> None:
    """A lock that promises a longer silence gets it."""
    assert find_ttl(sight_of(replace(RECORD, ttl_ms=600_000)), 30) == 600
    assert find_ttl(sight_of(TornRecord(b"")), 30) == 30


def test_watch_begins_anew_with_every_change() -> None:
    """A heartbeat, or another holder, makes the lock young again."""
    first = continue_watch(None, sight_of(), uptime=0, process=ProcessState.UNKNOWN, max_gap_seconds=10)
    later = continue_watch(first, sight_of(), uptime=29, process=ProcessState.UNKNOWN, max_gap_seconds=10)
    assert later.seconds == 29
    changed = continue_watch(later, sight_of(body=b"two"), uptime=30, process=ProcessState.UNKNOWN, max_gap_seconds=10)
    assert changed.seconds == 0


def test_suspend_counts_against_another_host() -> None:
    """A holder elsewhere went on while we slept: what has not changed since is silent."""
    first = continue_watch(None, sight_of(), uptime=0, process=ProcessState.UNKNOWN, max_gap_seconds=10)
    after = continue_watch(first, sight_of(), uptime=3_600, process=ProcessState.UNKNOWN, max_gap_seconds=10)
    assert judge(sight_of(), after, process=ProcessState.UNKNOWN, default_ttl_seconds=30) is Standing.EXPIRED


def test_suspend_does_not_count_against_our_own_host() -> None:
    """A holder that runs on our machine was suspended with us: it gets the time to wake up."""
    first = continue_watch(None, sight_of(), uptime=0, process=ProcessState.RUNNING, max_gap_seconds=10)
    after = continue_watch(first, sight_of(), uptime=3_600, process=ProcessState.RUNNING, max_gap_seconds=10)
    assert after.seconds == 10
    assert judge(sight_of(), after, process=ProcessState.RUNNING, default_ttl_seconds=30) is Standing.LIVE


@given(st.lists(st.floats(0, 9.9), max_size=30), st.sampled_from(ProcessState))
@settings(max_examples=100, deadline=None)
def test_unchanged_lock_expires_after_its_ttl_of_watching(gaps: list[float], process: ProcessState) -> None:
    """However often one looks, a lock that does not change is stale after one TTL and not before."""
    uptime, watch = 100.0, None
    for gap in [0.0, *gaps]:
        uptime += gap
        watch = continue_watch(watch, sight_of(), uptime=uptime, process=process, max_gap_seconds=10)
    assert watch is not None
    assert watch.seconds == pytest.approx(uptime - 100.0)


def test_watcher_keeps_locks_apart_and_forgets() -> None:
    """Each lock has its own watch; one that went away begins anew."""
    watcher = Watcher(FakeProcesses(), default_ttl_seconds=30, max_gap_seconds=10)
    other = Sight("/locks/other.lock", RECORD, (8, b"one"))
    assert watcher.look(sight_of(), uptime=0) is Standing.LIVE
    assert watcher.look(other, uptime=25) is Standing.LIVE
    assert watcher.look(sight_of(), uptime=30) is Standing.EXPIRED
    assert watcher.look(other, uptime=30) is Standing.LIVE
    watcher.forget("/locks/infra.lock")
    assert watcher.look(sight_of(), uptime=31) is Standing.LIVE


def test_swamps_file_of_our_host_waits_for_its_ttl() -> None:
    """swamp's files tell no boot: a pid that is missing here may live in a container of the same name."""
    processes = FakeProcesses(hostname=RECORD.hostname)
    watcher = Watcher(processes, default_ttl_seconds=30, max_gap_seconds=10)
    assert watcher.look(sight_of(), uptime=0) is Standing.LIVE
    assert watcher.look(sight_of(), uptime=29) is Standing.LIVE
    assert watcher.look(sight_of(), uptime=30) is Standing.EXPIRED
