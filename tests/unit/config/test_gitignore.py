from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.config.gitignore import BEGIN, END, GitignoreAction, remove_block, update_block
from swampsync.errors import Refused

LINES = st.lists(st.sampled_from(["", "*.pyc", "# note", "build/"]), max_size=4)


@settings(max_examples=100, deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n"]))
def test_update_is_idempotent_and_keeps_every_line(lines: list[str], eol: str) -> None:
    """The block is added once, every line stays in its order, and removing it gives them back."""
    text = eol.join([*lines, ""])
    once, _ = update_block(text)
    twice, action = update_block(once)
    assert (twice, action) == (once, GitignoreAction.UNCHANGED)
    assert [line for line in remove_block(once).splitlines() if line] == [line for line in lines if line]
    assert once.count(BEGIN) == once.count(END) == 1


def test_block_of_swamp_with_tools_is_unchanged() -> None:
    """Entries that swamp adds for AI tools are none of our business."""
    text = f"{BEGIN}\n\n.swamp/\n.swamp-sources.yaml\n.claude/settings.local.json\n{END}\n"
    assert update_block(text) == (text, GitignoreAction.UNCHANGED)


def test_legacy_header_is_replaced() -> None:
    """What swamp once wrote without an end becomes the block."""
    text, action = update_block("a\n# Swamp managed defaults\n.swamp/\n\nb\n")
    assert action is GitignoreAction.UPDATED
    assert text.startswith(f"a\n\nb\n\n{BEGIN}\n")
    assert "defaults" not in text


@pytest.mark.parametrize("change", [update_block, remove_block])
def test_block_without_an_end_is_refused(change: object) -> None:
    """Nobody can tell where it ends."""
    assert callable(change)
    with pytest.raises(Refused, match="line 2"):
        change(f"a\n{BEGIN}\n.swamp/\n")
