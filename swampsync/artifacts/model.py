"""What data belongs to: a model, known by its type, id and name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swampsync.errors import InvalidInput, printable

_SEPARATORS = re.compile(r"(?:::|\s|[./])+")


@dataclass(frozen=True, order=True, slots=True)
class Model:
    """A model as its definition names it.

    Args:
        type: The normalised type (`command/shell`).
        id: The definition's id, the last directory above the artifacts.
        name: The name that people use.
    """

    type: str
    id: str
    name: str


def normalise_type(text: str) -> str:
    """Normalise a model type as swamp does: `@Acme/Widget.Foo::Bar baz` becomes `@acme/widget/foo/bar/baz`.

    Lower case; `::`, white space and `.` separate segments like `/`; repeated and outer separators vanish.

    Raises:
        InvalidInput: Nothing is left, or the text holds a backslash or a control character.
    """
    normalised = _SEPARATORS.sub("/", text.lower()).strip("/")
    if not normalised:
        raise InvalidInput(f"model type `{text.strip()}` is empty once normalised", hint="for example: command/shell")
    if "\\" in normalised or not normalised.isprintable():
        shown = printable(text[:80])
        raise InvalidInput(f"model type `{shown}` holds a backslash or a character that cannot be printed")
    return normalised
