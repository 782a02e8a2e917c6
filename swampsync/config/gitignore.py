"""The managed block of `.gitignore`: text in, text out."""

from __future__ import annotations

from enum import Enum
from typing import Final

from swampsync.errors import Refused

BEGIN: Final = "# BEGIN swamp managed section - DO NOT EDIT"
END: Final = "# END swamp managed section"
_BODY: Final = (
    "",
    "# Runtime data (not needed in version control)",
    ".swamp/",
    "",
    "# Local extension sources (developer-specific, not shared)",
    ".swamp-sources.yaml",
)
_LEGACY_HEADER: Final = "# Swamp managed defaults"


class GitignoreAction(Enum):
    """What was, or would be, done to `.gitignore`; the words are swamp's."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


def update_block(text: str | None) -> tuple[str, GitignoreAction]:
    """Put the managed block into the text of a `.gitignore`; what is around it stays, and so do further lines in it.

    Args:
        text: `None` if there is no file.

    Raises:
        Refused: A block begins and does not end.
    """
    if not text:
        return "\n".join((BEGIN, *_BODY, END, "")), GitignoreAction.CREATED
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(eol)
    block = _find_block(lines)
    if block is None:
        legacy = _find_legacy(lines)
        if legacy is not None:
            del lines[legacy[0] : legacy[1]]
        while lines and not lines[-1]:
            lines.pop()
        gap = [""] if lines else []
        return eol.join([*lines, *gap, BEGIN, *_BODY, END, ""]), GitignoreAction.UPDATED
    begin, end = block
    present = lines[begin + 1 : end]
    missing = [line for line in _BODY if line and not line.startswith("#") and line not in present]
    if not missing:
        return text, GitignoreAction.UNCHANGED
    # swamp keeps entries of AI tools in its block: they stay.
    extra = [line for line in present if line and line not in _BODY]
    added = ["", *extra] if extra else []
    return eol.join([*lines[: begin + 1], *_BODY, *added, *lines[end:]]), GitignoreAction.UPDATED


def remove_block(text: str) -> str:
    """Take the managed block, and the blank line before it, out of the text of a `.gitignore`.

    Raises:
        Refused: A block begins and does not end.
    """
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(eol)
    block = _find_block(lines)
    if block is None:
        return text
    begin, end = block
    if begin > 0 and not lines[begin - 1]:
        begin -= 1
    return eol.join([*lines[:begin], *lines[end + 1 :]])


def _find_block(lines: list[str]) -> tuple[int, int] | None:
    if BEGIN not in lines:
        return None
    begin = lines.index(BEGIN)
    if END not in lines[begin:]:
        raise Refused(
            f"the managed section of `.gitignore` begins in line {begin + 1} but does not end",
            hint=f"add the line: {END}",
        )
    return begin, lines.index(END, begin)


def _find_legacy(lines: list[str]) -> tuple[int, int] | None:
    if _LEGACY_HEADER not in lines:
        return None
    begin = end = lines.index(_LEGACY_HEADER)
    end += 1
    while end < len(lines) and lines[end] in _BODY and lines[end]:
        end += 1
    return begin, end
