"""How errors in a predicate are shown: line, column, an excerpt with a caret, and the nearest names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swampsync.errors import QueryError

# What other languages write, and what CEL does.
_HABITS = {
    "=": "==", "&": "&&", "|": "||", "and": "&&", "or": "||", "not": "!", "is": "==",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'",  # noqa: RUF001  those of word processors
}  # fmt: skip
_WINDOW = 100  # columns of a long line that are shown on each side of the caret


def locate(source: str, offset: int) -> tuple[int, int]:
    """Return line and column, both from 1, of a code point offset."""
    head = source[:offset]
    return head.count("\n") + 1, len(head) - head.rfind("\n")


def excerpt(source: str, offset: int) -> str:
    """Return the line of the offset with a caret below the column."""
    line, column = locate(source, offset)
    lines = source.split("\n")
    text = lines[min(line, len(lines)) - 1]
    at = min(column - 1, len(text))
    first = max(0, at - _WINDOW)
    shown = text[first : at + _WINDOW]
    if first:
        shown = "…" + shown[1:]
    # What would move the cursor is replaced; the rest may be two columns wide, or none.
    shown = "".join(c if c.isprintable() else "·" for c in shown)
    margin = f">{line:5} | "
    return f"{margin}{shown}\n{' ' * (len(margin) + _columns(shown[: at - first]))}^"


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    import unicodedata  # noqa: PLC0415  large, and needed for errors in other scripts only

    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1 for c in text
    )


def syntax_error(source: str, offset: int, message: str, *, hint: str | None = None) -> QueryError:
    """Make the error for text that is no CEL, or not ours."""
    line, column = locate(source, offset)
    return QueryError(f"{message} at line {line}, column {column}\n\n{excerpt(source, offset)}", hint=hint)


def habit_hint(text: str) -> str | None:
    """Return a hint where a text looks as if written in another language, or by a word processor."""
    written = _HABITS.get(text.lower())
    return None if written is None else f"CEL writes `{written}`"


def nearest(name: str, known: Iterable[str], *, at_most: int = 3) -> list[str]:
    """Return the known names that a misspelt one may stand for, best first."""
    folded = name.lower()
    limit = max(1, len(name) // 3)
    scored = []
    for candidate in known:
        other = candidate.lower()
        distance = _distance(folded, other) if abs(len(folded) - len(other)) <= limit else limit + 1
        if distance > limit and len(folded) >= 3 and (other.startswith(folded) or other.endswith(folded)):
            distance = limit
        if distance <= limit:
            scored.append((distance, candidate))
    scored.sort()
    return [candidate for distance, candidate in scored[:at_most] if distance <= scored[0][0] + 1]


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the nearest known names, or nothing if none is near."""
    found = nearest(name, known)
    return f"did you mean {' or '.join(f'`{other}`' for other in found)}?" if found else None


def quoted(names: Sequence[str]) -> str:
    """Quote names as swamp's messages do: `"a", "b"`."""
    return ", ".join(f'"{name}"' for name in names)


def _distance(a: str, b: str) -> int:
    """Return the edit distance of two names, a swap of neighbours counted once."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
