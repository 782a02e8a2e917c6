"""Which names an artifact may bear. Names that differ are never unified: what is given is what is written."""

from __future__ import annotations

from swampsync.errors import InvalidInput, printable

MAX_NAME_BYTES = 255


def find_name_problem(name: str) -> str | None:
    """Say why an artifact cannot be written under `name` (`is blank`), or `None` if it can."""
    if not name.strip():
        return "is blank"
    if name.lower() == "latest":
        return "is reserved for the marker of the latest version"
    if name.startswith("."):
        return "begins with a dot, as internal files do"
    if ".." in name:
        return "holds `..`"
    if "/" in name or "\\" in name:
        return "holds a slash or a backslash"
    if any(c < " " or "\x7f" <= c < "\xa0" for c in name):
        return "holds a control character"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if length > MAX_NAME_BYTES:
        return f"has {length} bytes in UTF-8; at most {MAX_NAME_BYTES} fit a directory"
    return None


def check_name(name: str) -> None:
    """Refuse a name that collides with internal files or does not fit a directory.

    Raises:
        InvalidInput: The name cannot be used for an artifact.
    """
    problem = find_name_problem(name)
    if problem is not None:
        shown = printable(name[:80])
        raise InvalidInput(f"artifact name `{shown}` {problem}", key=shown)
