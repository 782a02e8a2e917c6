"""`doctor backend`: is what was written seen, listed, ordered and kept under its name?"""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Final

from swampsync.backends.base import Create, ObjectNotFound, Overwrite
from swampsync.errors import SwampsyncError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.maintenance.doctor_report import Finding, Result
from swampsync.maintenance.doctor_scratch import Scratch
from swampsync.maintenance.racing import race

# Orders that differ from that of UTF-8 bytes: by directory, by locale, ignoring case, by UTF-16 unit.
_ORDERED: Final = ("B", "a!", "a-b", "a.b", "a/b", "a/b-c", "a0", "aa", "b", "\u00e4", "\uff5e", "\U0001f40a")
_HOSTILE: Final = (
    "a b  c",
    "plus+and%2Fpercent%",
    "hash#question?x=1&y",
    "quotes'and\"back`tick",
    "<angle>&amp;",
    ".hidden/.lock",
    "dots..",
    "~tilde",
    "\u65e5\u672c\u8a9e/\u00e4",
    "\U0001f40a",
    "n" * 200,
)
_TOLERATED_SKEW: Final = timedelta(minutes=5)
_FILLERS: Final = 16


def check_read_after_write(scratch: Scratch) -> Finding:
    """Read at once what was put, put over, and removed."""
    key = scratch.fresh_key("read")
    for _ in range(scratch.effort.rounds):
        for _ in range(2):
            body = scratch.nonce().encode()
            scratch.store.put(key, body, Overwrite())
            if scratch.store.get(key).body != body or scratch.store.head(key).size != len(body):
                return Finding(Result.BROKEN, "a read after a put gives an older state: a push may be missed")
        scratch.store.delete(key)
        if scratch.exists(key):
            return Finding(Result.BROKEN, "a removed object is still read: what was deleted comes back")
    return Finding(Result.KEPT, "what a push acknowledged is read by everybody")


def check_list_after_write(scratch: Scratch) -> Finding:
    """List at once what was put and removed."""
    place = scratch.fresh_place("list")
    expected: list[str] = []
    for number in range(scratch.effort.rounds):
        key = scratch.key(f"{place}{number:04d}")
        scratch.store.put(key, b"x", Overwrite())
        expected.append(key.text)
        if _names(scratch, place) != expected:
            return Finding(Result.BROKEN, "a listing misses what was just put: a commit may go unseen")
    for text in list(expected):
        scratch.store.delete(ObjectKey(text))
        expected.remove(text)
        if _names(scratch, place) != expected:
            return Finding(Result.BROKEN, "a listing shows what was just removed")
    return Finding(Result.KEPT, "one listing shows every commit that was acknowledged")


def check_list_order(scratch: Scratch) -> Finding:
    """List keys whose order is easily mistaken, from each of them on."""
    place = scratch.fresh_place("order")
    expected = sorted((f"{scratch.prefix}{place}{name}" for name in _ORDERED), key=str.encode)
    for text in reversed(expected):
        scratch.store.put(ObjectKey(text), b"x", Overwrite())
    if _names(scratch, place) != expected:
        return Finding(Result.BROKEN, "listings are not in the order of the keys' bytes: commits may be missed")
    for at, text in enumerate(expected):
        if _names(scratch, place, start=text) != expected[at:]:
            return Finding(Result.BROKEN, "a listing from a key on is wrong: commits may be missed")
    return Finding(Result.KEPT, "the commits after the last known one come with one listing")


def check_list_pages(scratch: Scratch) -> Finding:
    """List more objects than fit one page."""
    count = scratch.effort.page_keys
    if not count:
        return Finding(Result.NOT_CHECKED, "the quick probe does not list more than one page")
    place = scratch.fresh_place("pages")
    expected = [f"{scratch.prefix}{place}{number:06d}" for number in range(count)]

    def fill(filler: int) -> None:
        for text in expected[filler::_FILLERS]:
            scratch.store.put(ObjectKey(text), b"x", Overwrite())

    for result in race(_FILLERS, fill, spawner=scratch.spawner):
        if isinstance(result, BaseException):
            raise result
    if _names(scratch, place) != expected or _names(scratch, place, start=expected[-5]) != expected[-5:]:
        return Finding(Result.BROKEN, f"a listing of {count} objects is incomplete or out of order")
    return Finding(Result.KEPT, f"a listing of {count} objects is complete and in order")


def check_hostile_keys(scratch: Scratch) -> Finding:
    """Put, read and list keys with characters that servers and proxies mistake."""
    mangled, refused = [], []
    for name in _HOSTILE:
        place = scratch.fresh_place("hostile")
        key = scratch.key(f"{place}{name}")
        body = scratch.nonce().encode()
        try:
            scratch.store.put(key, body, Overwrite())
            if scratch.store.get(key).body != body or _names(scratch, place) != [key.text]:
                mangled.append(name)
        except Unavailable:
            raise
        except ObjectNotFound:
            mangled.append(name)
        except SwampsyncError:
            refused.append(name)
    if mangled:
        return Finding(Result.BROKEN, f"names like {_show(mangled)} are stored under another name: such data is lost")
    if refused:
        return Finding(Result.ABSENT, f"names like {_show(refused)} are refused: such data cannot be pushed")
    return Finding(Result.KEPT, "artifacts may have any name that swampsync accepts")


def check_case_sensitivity(scratch: Scratch) -> Finding:
    """Put two keys that differ by case only."""
    place = scratch.fresh_place("case")
    upper, lower = scratch.key(f"{place}Key"), scratch.key(f"{place}key")
    scratch.store.put(upper, b"upper", Overwrite())
    scratch.store.put(lower, b"lower", Overwrite())
    if scratch.store.get(upper).body != b"upper":
        return Finding(Result.BROKEN, "`Key` and `key` are one object: such names overwrite each other")
    return Finding(Result.KEPT, "names may differ by case only")


def check_clock_skew(scratch: Scratch) -> Finding:
    """Compare the time that the store gives to a fresh object with ours."""
    key = scratch.fresh_key("clock")
    before = scratch.clock.now()
    scratch.store.put(key, b"x", Create() if scratch.store.capabilities.create_only else Overwrite())
    after = scratch.clock.now()
    skew = scratch.store.head(key).modified_at - (before + (after - before) / 2)
    seconds = skew.total_seconds()
    where = "ahead of" if seconds >= 0 else "behind"
    shown = f"the store's clock is {abs(seconds):.1f} s {where} ours"
    if abs(skew) > _TOLERATED_SKEW:
        return Finding(Result.BROKEN, f"{shown}; beyond 15 minutes stores refuse requests: set this machine's clock")
    return Finding(Result.KEPT, f"{shown}; only its own clock decides what vacuum may remove")


def measure_latency(scratch: Scratch) -> Finding:
    """Measure puts and gets of 1 KiB, one after the other."""
    puts, gets = [], []
    for _ in range(scratch.effort.rounds):
        key = scratch.fresh_key("latency")
        begin = scratch.clock.uptime()
        scratch.store.put(key, b"x" * 1024, Overwrite())
        middle = scratch.clock.uptime()
        scratch.store.get(key)
        puts.append(middle - begin)
        gets.append(scratch.clock.uptime() - middle)
    put, get = sorted(puts)[len(puts) // 2] * 1000, sorted(gets)[len(gets) // 2] * 1000
    return Finding(Result.MEASURED, f"put {put:.1f} ms, get {get:.1f} ms for 1 KiB (median of {len(puts)})")


def measure_throughput(scratch: Scratch) -> Finding:
    """Measure one large object up and down."""
    size = scratch.effort.throughput_bytes
    if not size:
        return Finding(Result.NOT_CHECKED, "the quick probe does not measure it")
    key = scratch.fresh_key("throughput")
    body = io.BytesIO(scratch.rng.randbytes(size))
    begin = scratch.clock.uptime()
    scratch.store.put_stream(key, body)
    middle = scratch.clock.uptime()
    with scratch.store.open(key) as (_, chunks):
        received = sum(len(chunk) for chunk in chunks)
    end = scratch.clock.uptime()
    if received != size:
        return Finding(Result.BROKEN, f"an object of {size} bytes came back with {received}")
    up, down = (size / 1e6 / max(seconds, 1e-6) for seconds in (middle - begin, end - middle))
    return Finding(Result.MEASURED, f"{up:.0f} MB/s up, {down:.0f} MB/s down for one object of {size // 2**20} MiB")


def _names(scratch: Scratch, place: str, *, start: str | None = None) -> list[str]:
    return [info.key.text for info in scratch.store.list(f"{scratch.prefix}{place}", start=start)]


def _show(names: list[str]) -> str:
    return ", ".join(f"`{name if len(name) < 40 else name[:8] + '…'}`" for name in names[:4])
