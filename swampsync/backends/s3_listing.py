"""How a listing by string prefix and inclusive start is asked of obstore.

obstore lists whole directories (`a/b` finds `a/b/c`, not `a/bc`) after an exclusive offset. So the directory of
the prefix is listed from just before the first wanted key, and what comes before or after is dropped. Keys come
in the order of their UTF-8 bytes, which is the order in which Python compares strings.
"""

from __future__ import annotations

from dataclasses import dataclass

from swampsync.layout import find_key_problem


@dataclass(frozen=True, slots=True)
class ListRange:
    """What to ask for, and what to keep.

    Args:
        directory: Without its slash; `None` for the whole bucket.
        offset: List only what comes after this; `None` for everything.
        prefix: What every wanted key begins with.
        first: No wanted key comes before this.
    """

    directory: str | None
    offset: str | None
    prefix: str
    first: str


def list_range(root: str, prefix: str, start: str | None) -> ListRange | None:
    """Turn a string prefix and an inclusive start, relative to `root`, into what obstore can list.

    Returns:
        `None` if no key can begin with the prefix.
    """
    full = root + prefix
    first = full if start is None else max(full, root + start)
    directory = full[: full.rfind("/") + 1]
    if directory and find_key_problem(directory[:-1]):
        return None
    offset = _just_before(first) if first > directory else None
    if offset is not None and offset <= directory:
        offset = None
    return ListRange(directory.rstrip("/") or None, offset, full, first)


def _just_before(text: str) -> str | None:
    """Make a valid key before `text` with as few keys in between as possible."""
    head, last = text[:-1], text[-1]
    # `0041.json` is preceded by `0041.jsom~`; there, and after it up to `n`, nothing lies.
    below = chr(ord(last) - 1)
    offset = f"{head}{below}~" if "!" < last <= "~" and below != "/" else head
    while offset and offset.rpartition("/")[2] in {"", ".", ".."}:
        offset = offset[:-1]
    # Without an offset the listing only takes longer.
    return offset if offset and find_key_problem(offset) is None else None
