"""The one place of this room that asks PyYAML; to be imported only where the strict reader had no answer."""

from __future__ import annotations

from typing import Any

import yaml  # noqa: TID253  this module is the seam

from swampsync.artifacts.core_schema import resolve_plain
from swampsync.errors import DataError


def load_yaml(text: str, path: str) -> dict[Any, Any]:
    """Read a mapping with PyYAML; unquoted scalars get their types, quoted ones are text.

    Args:
        text: The document.
        path: The file, for errors.

    Raises:
        DataError: The text is no YAML mapping, or has doubled keys or unknown tags.
    """
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "malformed"
        raise DataError(f"`{path}`: not readable as YAML{place}: {problem}", key=path) from error
    if not isinstance(node, yaml.MappingNode):
        raise DataError(f"`{path}`: {'empty' if node is None else 'no YAML mapping'}", key=path)

    known: dict[int, Any] = {}

    def value_of(node: yaml.Node) -> Any:
        if id(node) in known:
            return known[id(node)]
        known[id(node)] = None  # what an alias finds that points at its own parent
        value: Any
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise DataError(f"`{path}`: unknown YAML tag `{node.tag}`", key=path)
        if isinstance(node, yaml.ScalarNode):
            value = node.value if node.style else resolve_plain(node.value)
        elif isinstance(node, yaml.MappingNode):
            value = {}
            for key, item in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.value in value:
                    line = key.start_mark.line + 1
                    raise DataError(f"`{path}`: a key that is doubled or no text at line {line}", key=path)
                value[key.value] = value_of(item)
        else:
            value = [value_of(item) for item in node.value]
        known[id(node)] = value
        return value

    values: dict[Any, Any] = value_of(node)
    return values
