from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swampsync.artifacts.lifetimes import (
    ExpiryReason,
    Lifetime,
    LifetimeKind,
    find_expiry,
    find_surplus,
    is_expired,
    parse_duration,
    parse_lifetime,
)
from swampsync.artifacts.metadata import Metadata, Owner
from swampsync.errors import InvalidInput

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RUN = {"workflow_id": "w", "workflow_run_id": "r"}


def version(number: int = 1, *, age: timedelta = timedelta(0), step: str | None = None, **changes: Any) -> Metadata:
    """Make metadata of a version of some age."""
    owner = changes.pop("owner", {})
    fields: dict[str, Any] = {
        "id": "i",
        "name": "n",
        "version": number,
        "content_type": "text/plain",
        "lifetime": "infinite",
        "garbage_collection": 2,
        "streaming": False,
        "tags": {"type": "file"},
        "owner": Owner("manual", "me", step_name=step, **owner),
        "created_at": f"{NOW - age:%Y-%m-%dT%H:%M:%S}.000Z",
        "size": 1,
        "checksum": "c",
    }
    return Metadata(**{**fields, **changes})


def never(_workflow: str, _run: str) -> bool:
    """Say that no run exists."""
    return False


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(days=14)),
        ("6mo", timedelta(days=180)),
        ("1y", timedelta(days=365)),
        ("99999999999999y", timedelta.max),
    ],
)
def test_durations_have_swamps_units(text: str, duration: timedelta) -> None:
    """`m` is a minute, `mo` 30 days, `y` 365; what is too long never ends."""
    assert parse_duration(text) == duration
    assert parse_lifetime(text) == Lifetime(LifetimeKind.DURATION, duration)


@pytest.mark.parametrize("text", ["0h", "00w", "0mo"])
def test_duration_of_zero_is_workflow(text: str) -> None:
    """Zero durations mean `workflow`, as in swamp."""
    assert parse_lifetime(text) == Lifetime(LifetimeKind.WORKFLOW)


@pytest.mark.parametrize("text", ["", "d", "3 d", "-1d", "3s", "forever", "Infinite", "3d\n"])
def test_other_texts_are_no_lifetime(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidInput, match="is no lifetime"):
        parse_lifetime(text)
    with pytest.raises(InvalidInput, match="is no duration"):
        parse_duration(text)


def test_duration_expires_after_its_time_only() -> None:
    """Not at the moment, but any time after it; `infinite` never, nor what lies in the future."""
    assert not is_expired(version(lifetime="1d", age=timedelta(days=1)), NOW, never)
    assert find_expiry(version(lifetime="1d", age=timedelta(days=1, seconds=1)), NOW, never) is ExpiryReason.DURATION
    assert not is_expired(version(lifetime="infinite", age=timedelta(days=9_999)), NOW, never)
    assert not is_expired(version(lifetime="1m", age=timedelta(days=-1)), NOW, never)


@pytest.mark.parametrize(
    ("lifetime", "reason"),
    [("workflow", ExpiryReason.WORKFLOW), ("job", ExpiryReason.JOB), ("0d", ExpiryReason.WORKFLOW)],
)
def test_workflow_lifetime_ends_with_its_run(lifetime: str, reason: ExpiryReason) -> None:
    """Gone with the run; kept while it exists, and for ever where no run is named."""
    data = version(lifetime=lifetime, owner=RUN)
    assert find_expiry(data, NOW, never) is reason
    assert find_expiry(data, NOW, lambda workflow, run: (workflow, run) == ("w", "r")) is None
    for missing in ("workflow_id", "workflow_run_id"):
        assert not is_expired(version(lifetime=lifetime, owner={**RUN, missing: None}), NOW, never)


def test_markers_never_expire() -> None:
    """Deletion markers and tombstones are passed over."""
    marker = version(lifetime="1m", age=timedelta(days=9), lifecycle="deleted")
    assert not is_expired(marker, NOW, never)


def test_cap_keeps_the_newest() -> None:
    """A cap of N leaves the N highest numbers, whatever the order they come in."""
    assert find_surplus([version(3), version(1), version(4), version(2)], NOW) == (1, 2)
    assert find_surplus([version(1), version(9)], NOW) == ()
    assert find_surplus([], NOW) == ()
    assert find_surplus([version(1, garbage_collection=1)], NOW) == ()


def test_policy_of_the_newest_version_rules() -> None:
    """The cap that was written last is the one that counts; without one, nothing is removed."""
    versions = [version(1, garbage_collection=1), version(2, garbage_collection=1), version(3, garbage_collection=3)]
    assert find_surplus(versions, NOW) == ()
    assert find_surplus([*versions, version(4, garbage_collection=None)], NOW) == ()


def test_steps_are_counted_by_themselves() -> None:
    """Cap 2, step A once and step B twice: A's only version stays, as no step has more than two."""
    a, b = version(1, step="a"), [version(2, step="b"), version(3, step="b")]
    assert find_surplus([a, *b], NOW) == ()
    assert find_surplus([a, *b, version(4, step="b")], NOW) == (2,)
    assert find_surplus([a, *b, version(4, step="b"), version(5)], NOW) == (2,)


def test_age_never_takes_the_newest_of_a_step() -> None:
    """Versions older than the limit go, but the newest of each step stays however old it is."""
    old = timedelta(days=9)
    versions = [
        version(number, age=old, step=step, garbage_collection="5d") for number, step in ((1, "a"), (2, "a"), (3, "b"))
    ]
    assert find_surplus(versions, NOW) == (1,)
    assert find_surplus([*versions, version(4, garbage_collection="5d", step="b")], NOW) == (1, 3)


def test_deletion_markers_use_up_no_cap() -> None:
    """A marker on top stays and leaves N versions with content; an old one goes with what surrounds it."""
    top = version(4, lifecycle="deleted")
    assert find_surplus([version(1), version(2), version(3), top], NOW) == (1,)
    assert find_surplus([version(1, lifecycle="deleted"), version(2), version(3)], NOW) == (1,)
    assert find_surplus([version(1), version(2, lifecycle="deleted"), version(3)], NOW) == ()


def test_history_under_a_tombstone_is_collected() -> None:
    """What a rename left behind obeys its cap and its lifetime; the tombstone itself always stays."""
    old = timedelta(days=40)
    tombstone = version(4, age=timedelta(days=35), lifecycle="deleted", renamed_to="new", lifetime="30d")
    history = [version(number, age=old, lifetime="30d", step="s") for number in (1, 2, 3)]
    assert find_surplus([*history, tombstone], NOW) == (1, 2, 3)
    young = [version(number, lifetime="30d") for number in (1, 2, 3)]
    assert find_surplus([*young, tombstone], NOW) == (1,)
    forever = [version(number, age=old) for number in (1, 2, 3)]
    assert find_surplus([*forever, version(4, age=old, lifecycle="deleted", renamed_to="new")], NOW) == (1,)
