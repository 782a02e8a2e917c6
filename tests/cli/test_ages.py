"""Ages as they stand on a command line and on a screen."""

from __future__ import annotations

import pytest

from swampsync.cli.ages import format_age, parse_age
from swampsync.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3_600),
        ("2d", 172_800),
        ("1w", 604_800),
        ("999999999w", 6.04799999e14),
    ],
)
def test_age_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    """Seconds, minutes, hours, days and weeks, however many."""
    assert parse_age(text, option="--max-age") == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "1", "h", "-1h", "1.5h", "1mo", "1H", "1h ", "1h30m", "1000000000s", "\u0661s"]
)
def test_anything_else_is_refused(text: str) -> None:
    """The message names what was given, the hint what is meant."""
    with pytest.raises(InvalidInput, match="is no age") as caught:
        parse_age(text, option="--max-age")
    assert caught.value.hint == "--max-age 30s, 5m, 1h or 2d"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5.0, "0 s"), (0.9, "0 s"), (119.9, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"),
        (172_799, "47 h"), (172_800, "2 days"), (86_400 * 4_000, "4,000 days"),
    ],
)  # fmt: skip
def test_age_is_shown_in_the_largest_unit_that_it_has_twice(seconds: float, text: str) -> None:
    """So that nothing is rounded away by more than half; a clock that is behind makes no negative age."""
    assert format_age(seconds) == text
