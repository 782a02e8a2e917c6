"""The one place where PyYAML is spoken to: YAML text to a tree of nodes that know where they stand.

PyYAML takes about 45 ms to import, so it is imported when a text really has to be parsed. The tree is built from
the parser's events, not by `yaml.compose`, because only events tell where an alias stands and let us refuse a
key that is given twice. The loader written in Python is used: its marks are exact, and the files are small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from swampsync.config.document import ConfigValue
from swampsync.errors import InvalidInput

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS: Final = 1 << 20
MAX_DEPTH: Final = 64
_MAX_NODES: Final = 100_000

_TAG: Final = "tag:yaml.org,2002:"
STRING_TAG: Final = _TAG + "str"
NULL_TAG: Final = _TAG + "null"
BOOL_TAG: Final = _TAG + "bool"
INT_TAG: Final = _TAG + "int"

_HINT: Final = "correct the file; nothing was written"


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in a text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text, with the span it takes and the type that YAML would guess."""

    start: int
    end: int
    position: Position
    text: str
    tag: str
    style: str

    @property
    def is_null(self) -> bool:
        """Whether YAML reads nothing here: `~`, `null` or no text at all."""
        return self.tag == NULL_TAG


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    start: int
    end: int
    position: Position
    items: tuple[Node, ...]
    is_flow: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: ScalarNode
    value: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping with distinct keys, in the file's order."""

    start: int
    end: int
    position: Position
    entries: tuple[Entry, ...]
    is_flow: bool

    def find(self, key: str) -> Entry | None:
        """Return the entry of `key`."""
        return next((entry for entry in self.entries if entry.key.text == key), None)


@dataclass(frozen=True, slots=True)
class AliasNode:
    """`*name`, standing for a node that was given an anchor further up."""

    start: int
    end: int
    position: Position
    target: Node


Node = ScalarNode | ListNode | MapNode | AliasNode


def parse_tree(text: str, *, path: str) -> MapNode:
    """Parse one YAML document whose top level is a mapping; an empty text is an empty one.

    Args:
        text: The whole file.
        path: Named in errors.

    Raises:
        InvalidInput: Not YAML, not one document, not a mapping, or something that cannot be meant: a key given
            twice, a key that is no text, `<<`, an alias to itself. Line and column are in the message.
    """
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"`{path}` is longer than {MAX_CHARACTERS} characters", hint=_HINT, key=path)
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        return _Builder(loader, path=path).build()
    except yaml.reader.ReaderError as error:
        position = locate(text, int(error.position))
        raise invalid_at(path, position, "holds a character that YAML does not allow") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark is not None else Position(1, 1)
        raise invalid_at(path, position, f"is not valid YAML: {error.problem or error.context}") from error
    except RecursionError as error:
        raise invalid_at(path, Position(1, 1), "is nested too deeply") from error
    finally:
        if loader is not None:
            loader.dispose()


def locate(text: str, index: int) -> Position:
    """Turn an index into line and column."""
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def invalid_at(path: str, position: Position, problem: str) -> InvalidInput:
    """Make the error for something wrong at a place of a file."""
    return InvalidInput(f"`{path}:{position.line}:{position.column}` {problem}", hint=_HINT, key=path)


def find_position(root: MapNode, keys: Sequence[str]) -> Position:
    """Find where the setting at `keys` stands, or what is there of the way to it."""
    node: Node = root
    position = Position(1, 1)
    for key in keys:
        while isinstance(node, AliasNode):
            node = node.target
        entry = node.find(key) if isinstance(node, MapNode) else None
        if entry is None:
            break
        position, node = entry.key.position, entry.value
    return position


def read_map(root: MapNode) -> dict[str, ConfigValue]:
    """Turn a tree into values.

    Raises:
        InvalidInput: Its aliases expand to too much.
    """
    return _Reader().read_map(root)


class _Reader:
    """Turns a tree into values; bounded, since aliases can make a small file huge."""

    def __init__(self) -> None:
        self._count = 0

    def read_map(self, node: MapNode) -> dict[str, ConfigValue]:
        return {entry.key.text: self._read(entry.value) for entry in node.entries}

    def _read(self, node: Node) -> ConfigValue:
        self._count += 1
        if self._count > _MAX_NODES:
            raise InvalidInput("the configuration's aliases expand to too much", hint=_HINT)
        if isinstance(node, AliasNode):
            return self._read(node.target)
        if isinstance(node, MapNode):
            return self.read_map(node)
        if isinstance(node, ListNode):
            return [self._read(item) for item in node.items]
        return None if node.is_null else node.text


class _Builder:
    """Builds the tree of one document from PyYAML's events."""

    def __init__(self, loader: yaml.SafeLoader, *, path: str) -> None:
        self._loader: Any = loader  # PyYAML's stubs leave its parser untyped
        self._path = path
        self._anchors: dict[str, Node] = {}

    def build(self) -> MapNode:
        import yaml

        self._loader.get_event()  # stream start
        if self._loader.check_event(yaml.StreamEndEvent):
            return MapNode(0, 0, Position(1, 1), (), is_flow=False)
        self._loader.get_event()  # document start
        root = self._node(0)
        self._loader.get_event()  # document end
        if not self._loader.check_event(yaml.StreamEndEvent):
            raise self._refuse(self._loader.get_event(), "begins a second document; there may be only one")
        if isinstance(root, ScalarNode) and root.is_null and root.start == root.end:
            return MapNode(root.start, root.start, root.position, (), is_flow=False)
        if not isinstance(root, MapNode):
            raise invalid_at(self._path, root.position, "is not a map of settings (`key: value`)")
        return root

    def _node(self, depth: int) -> Node:
        import yaml

        event: Any = self._loader.get_event()
        if depth > MAX_DEPTH:
            raise self._refuse(event, "is nested too deeply")
        start, position = event.start_mark.index, _position(event)
        if _is(event, yaml.AliasEvent):
            target = self._anchors.get(event.anchor)
            if target is None:
                raise self._refuse(event, f"names `*{event.anchor}`, which is not complete further up")
            return AliasNode(start, event.end_mark.index, position, target)
        node: Node
        if _is(event, yaml.ScalarEvent):
            tag = event.tag
            if tag is None or tag == "!":
                tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
            node = ScalarNode(start, event.end_mark.index, position, event.value, tag, event.style or "")
        elif _is(event, yaml.SequenceStartEvent):
            is_flow = bool(event.flow_style)
            items = tuple(self._children(yaml.SequenceEndEvent, depth))
            end = self._loader.get_event().end_mark.index
            node = ListNode(start, end, position, items, is_flow=is_flow)
        else:
            is_flow = bool(event.flow_style)
            entries = self._entries(list(self._children(yaml.MappingEndEvent, depth)))
            end = self._loader.get_event().end_mark.index
            node = MapNode(start, end, position, entries, is_flow=is_flow)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _children(self, end_event: type[object], depth: int) -> Iterator[Node]:
        while not self._loader.check_event(end_event):
            yield self._node(depth + 1)

    def _entries(self, nodes: list[Node]) -> tuple[Entry, ...]:
        entries = []
        seen: dict[str, Position] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, ScalarNode):
                raise invalid_at(self._path, key.position, "has a key that is no plain text")
            if key.text == "<<" and not key.style:
                raise invalid_at(self._path, key.position, "merges another map (`<<`), which is not supported")
            if key.text in seen:
                first = seen[key.text].line
                problem = f"gives the key `{key.text}` a second time; the first is in line {first}"
                raise invalid_at(self._path, key.position, problem)
            seen[key.text] = key.position
            entries.append(Entry(key, value))
        return tuple(entries)

    def _refuse(self, event: Any, problem: str) -> InvalidInput:
        return invalid_at(self._path, _position(event), problem)


def _is(event: Any, kind: type[object]) -> bool:
    # The stubs say that an event may lack its marks; those of a parser never do, so they are not narrowed to.
    return isinstance(event, kind)


def _position(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)
