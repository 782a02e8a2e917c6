"""`.swamp.yaml` as a document that is edited in place: what was not asked to change stays, byte for byte.

Loading a file and dumping it again would lose comments, order and quoting, and turn `yes` or a version like
`1:30` into something else. So values are read as text, and a change replaces only the spans it must; every change
is checked by reading the new text before anybody gets to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from swampsync.config.yaml_edit import Editor, NotEditable, Splice, apply_splices
from swampsync.config.yaml_scalars import NewValue
from swampsync.config.yaml_tree import (
    BOOL_TAG,
    INT_TAG,
    STRING_TAG,
    AliasNode,
    ListNode,
    MapNode,
    Node,
    Position,
    invalid_at,
    locate,
    parse_tree,
)
from swampsync.errors import InvalidInput
from swampsync.strict_yaml import parse_strict

__all__ = ["ConfigDocument", "ConfigValue", "NewValue"]

# What a setting reads as: text as it stands, `None` for YAML's nothing, lists and maps of these.
ConfigValue = str | None | list["ConfigValue"] | dict[str, "ConfigValue"]

_BOM: Final = "\ufeff"
_NULL_WORDS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_MAX_NODES: Final = 100_000


class ConfigDocument:
    """A parsed configuration; immutable, an edit returns a new one."""

    __slots__ = ("_bom", "_text", "_tree", "_values", "path")

    def __init__(self, text: str, *, path: str, values: dict[str, ConfigValue] | None, tree: MapNode | None) -> None:
        self.path = path
        self._bom = _BOM if text.startswith(_BOM) else ""
        self._text = text.removeprefix(_BOM)
        self._tree = tree
        self._values = values if values is not None else _read_map(self._parsed())

    @classmethod
    def parse(cls, data: bytes, *, path: str) -> ConfigDocument:
        """Parse the bytes of a file.

        Args:
            data: UTF-8; a byte order mark stays.
            path: Named in errors.

        Raises:
            InvalidInput: Not a map of settings; line and column are in the message.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            position = locate(data[: error.start].decode(errors="replace"), len(data))
            raise invalid_at(path, position, "is not UTF-8") from error
        return cls(text, path=path, values=_read_fast(text), tree=None)

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return (self._bom + self._text).encode()

    def get(self, keys: Sequence[str]) -> ConfigValue:
        """Return the setting at `keys`; `None` if it is not there, or nothing."""
        value: ConfigValue = self._values
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def has(self, keys: Sequence[str]) -> bool:
        """Say whether the setting at `keys` is written down, be it nothing."""
        above = self.get(keys[:-1])
        return isinstance(above, dict) and keys[-1] in above

    def position_of(self, keys: Sequence[str]) -> Position:
        """Find where the setting at `keys` stands, or what is there of the way to it."""
        node: Node = self._parsed()
        position = Position(1, 1)
        for key in keys:
            while isinstance(node, AliasNode):
                node = node.target
            entry = node.find(key) if isinstance(node, MapNode) else None
            if entry is None:
                break
            position, node = entry.key.position, entry.value
        return position

    def error_at(self, keys: Sequence[str], problem: str, *, hint: str | None = None) -> InvalidInput:
        """Make the error for a setting that cannot be used, naming file, line and column."""
        error = invalid_at(self.path, self.position_of(keys), problem)
        if hint is not None:
            error.hint = hint
        return error

    def set(self, keys: Sequence[str], value: NewValue) -> ConfigDocument:
        """Return the document with a setting changed or added; maps on the way are made.

        Raises:
            InvalidInput: The file is shaped in a way that cannot be edited without touching more than this.
        """
        tree = self._parsed()
        expected = _set_shape(_shape_of(tree), keys, _shape_of_value(value))
        if expected == _shape_of(tree):
            return self
        return self._edited(keys, expected, lambda editor: editor.set(keys, value), tree)

    def unset(self, keys: Sequence[str]) -> ConfigDocument:
        """Return the document without a setting; the same one if it is not there.

        Raises:
            InvalidInput: The file is shaped in a way that cannot be edited without touching more than this.
        """
        if not self.has(keys):
            return self
        tree = self._parsed()
        return self._edited(keys, _unset_shape(_shape_of(tree), keys), lambda editor: editor.unset(keys), tree)

    def _edited(
        self, keys: Sequence[str], expected: _Shape, edit: Callable[[Editor], list[Splice]], tree: MapNode
    ) -> ConfigDocument:
        name = ".".join(keys)
        try:
            splices = edit(Editor(self._text, tree))
        except NotEditable as error:
            problem = f"{error.problem}, so that `{name}` cannot be changed"
            raise invalid_at(self.path, error.position, problem) from error
        text = apply_splices(self._text, splices)
        try:
            new = parse_tree(text, path=self.path)
        except InvalidInput:
            new = None
        if new is None or _shape_of(new) != expected:
            problem = f"is written in a way in which `{name}` cannot be changed in place"
            raise self.error_at(keys, problem, hint=f"edit `{self.path}` by hand; nothing was written")
        return ConfigDocument(self._bom + text, path=self.path, values=None, tree=new)

    def _parsed(self) -> MapNode:
        if self._tree is None:
            self._tree = parse_tree(self._text, path=self.path)
        return self._tree


def _read_fast(text: str) -> dict[str, ConfigValue] | None:
    """Read the plain shape that swamp and we write without PyYAML; `None` for anything else."""
    return parse_strict(text, plain=lambda plain: None if plain in _NULL_WORDS else plain)


def _read_map(node: MapNode) -> dict[str, ConfigValue]:
    return _Reader().read_map(node)


class _Reader:
    """Turns a tree into values; bounded, since aliases can make a small file huge."""

    def __init__(self) -> None:
        self._count = 0

    def read_map(self, node: MapNode) -> dict[str, ConfigValue]:
        return {entry.key.text: self._read(entry.value) for entry in node.entries}

    def _read(self, node: Node) -> ConfigValue:
        self._count += 1
        if self._count > _MAX_NODES:
            raise InvalidInput("the configuration's aliases expand to too much")
        if isinstance(node, AliasNode):
            return self._read(node.target)
        if isinstance(node, MapNode):
            return self.read_map(node)
        if isinstance(node, ListNode):
            return [self._read(item) for item in node.items]
        return None if node.is_null else node.text


# The shape of a tree is what it means without where it stands: by it an edit is checked.
_Shape = tuple[str, str] | list["_Shape"] | dict[str, "_Shape"]


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
