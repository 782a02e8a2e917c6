"""Changing a setting of a YAML text, and proving that nothing else has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from swampsync.config.document import NewValue
from swampsync.config.yaml_edit import Editor, NotEditable, Splice, apply_splices
from swampsync.config.yaml_tree import (
    BOOL_TAG,
    INT_TAG,
    STRING_TAG,
    AliasNode,
    ListNode,
    MapNode,
    Node,
    find_position,
    invalid_at,
    parse_tree,
)
from swampsync.errors import InvalidInput

# The shape of a tree is what it means without where it stands: by it an edit is checked.
_Shape = tuple[str, str] | list["_Shape"] | dict[str, "_Shape"]


def set_in_text(text: str, tree: MapNode, keys: Sequence[str], value: NewValue, *, path: str) -> tuple[str, MapNode]:
    """Return the text with a setting changed or added, and its tree; both as they are if the value is there.

    Raises:
        InvalidInput: More than this setting would change.
    """
    before = _shape_of(tree)
    expected = _set_shape(before, keys, _shape_of_value(value))
    if expected == before:
        return text, tree
    return _edit(text, tree, keys, lambda editor: editor.set(keys, value), expected, path=path)


def unset_in_text(text: str, tree: MapNode, keys: Sequence[str], *, path: str) -> tuple[str, MapNode]:
    """Return the text without a setting, and its tree.

    Raises:
        InvalidInput: More than this setting would change.
    """
    expected = _unset_shape(_shape_of(tree), keys)
    return _edit(text, tree, keys, lambda editor: editor.unset(keys), expected, path=path)


def _edit(
    text: str,
    tree: MapNode,
    keys: Sequence[str],
    edit: Callable[[Editor], list[Splice]],
    expected: _Shape,
    *,
    path: str,
) -> tuple[str, MapNode]:
    name = ".".join(keys)
    try:
        splices = edit(Editor(text, tree))
    except NotEditable as error:
        raise invalid_at(path, error.position, f"{error.problem}, so that `{name}` cannot be changed") from error
    changed = apply_splices(text, splices)
    try:
        new = parse_tree(changed, path=path)
    except InvalidInput:
        new = None
    if new is None or _shape_of(new) != expected:
        problem = f"is written in a way in which `{name}` cannot be changed in place"
        failure = invalid_at(path, find_position(tree, keys), problem)
        failure.hint = f"edit `{path}` by hand; nothing was written"
        raise failure
    return changed, new


def _shape_of(node: Node) -> _Shape:
    if isinstance(node, AliasNode):
        return _shape_of(node.target)
    if isinstance(node, MapNode):
        return {entry.key.text: _shape_of(entry.value) for entry in node.entries}
    if isinstance(node, ListNode):
        return [_shape_of(item) for item in node.items]
    return (node.tag, "" if node.is_null else node.text)


def _shape_of_value(value: NewValue) -> _Shape:
    if isinstance(value, str):
        return (STRING_TAG, value)
    if isinstance(value, bool):
        return (BOOL_TAG, "true" if value else "false")
    if isinstance(value, int):
        return (INT_TAG, str(value))
    if isinstance(value, Mapping):
        return {key: _shape_of_value(item) for key, item in value.items()}
    return [_shape_of_value(item) for item in value]


def _set_shape(shape: _Shape, keys: Sequence[str], value: _Shape) -> _Shape:
    if not keys:
        return value
    base = shape if isinstance(shape, dict) else {}
    return {**base, keys[0]: _set_shape(base.get(keys[0], {}), keys[1:], value)}


def _unset_shape(shape: _Shape, keys: Sequence[str]) -> _Shape:
    if not isinstance(shape, dict) or keys[0] not in shape:
        return shape
    if len(keys) == 1:
        return {key: item for key, item in shape.items() if key != keys[0]}
    return {**shape, keys[0]: _unset_shape(shape[keys[0]], keys[1:])}
