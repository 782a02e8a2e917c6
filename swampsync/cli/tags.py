"""`--tag K=V` on the command line."""

from __future__ import annotations

from collections.abc import Iterable

from swampsync.errors import InvalidInput


def parse_tags(texts: Iterable[str]) -> dict[str, str]:
    """Parse `K=V` texts into tags.

    Raises:
        InvalidInput: A text has no `=`, an empty name, or names a tag twice with different values.
    """
    tags: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"tag `{text}` is not of the form K=V", hint="--tag env=prod")
        if tags.get(name, value) != value:
            raise InvalidInput(f"tag `{name}` is given twice, as `{tags[name]}` and as `{value}`")
        tags[name] = value
    return tags
