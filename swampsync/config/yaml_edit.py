"""Changing one setting of a YAML text: which spans are replaced by what. Pure: text and tree in, splices out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from swampsync.config.document import NewValue
from swampsync.config.yaml_scalars import format_block, format_entry, format_flow, format_scalar, is_inline
from swampsync.config.yaml_tree import AliasNode, Entry, ListNode, MapNode, Node, Position, ScalarNode, locate

_BREAKS: Final = "\r\n"
_DEFAULT_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace `text[start:end]` by `text`."""

    start: int
    end: int
    text: str


class NotEditable(Exception):
    """The text is shaped in a way that these edits do not understand."""

    def __init__(self, position: Position, problem: str) -> None:
        super().__init__(problem)
        self.position = position
        self.problem = problem


def apply_splices(text: str, splices: Iterable[Splice]) -> str:
    """Apply splices that do not overlap."""
    for splice in sorted(splices, key=lambda s: (s.start, s.end), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


@dataclass(frozen=True, slots=True)
class Editor:
    """Makes the splices that change one setting.

    Args:
        text: The whole file.
        root: Its tree.
    """

    text: str
    root: MapNode

    def set(self, keys: Sequence[str], value: NewValue) -> list[Splice]:
        """Make the splices that give the setting at `keys` a value.

        Raises:
            NotEditable: Something on the way is no map, or shaped in an unusual way.
        """
        parent = self.root
        for depth, key in enumerate(keys):
            entry = parent.find(key)
            rest = keys[depth + 1 :]
            if entry is None:
                return self._insert(parent, key, _nest(rest, value))
            if not rest:
                return self._replace(parent, entry, value)
            if isinstance(entry.value, MapNode):
                parent = entry.value
            elif isinstance(entry.value, ScalarNode) and entry.value.is_null:
                return self._replace(parent, entry, _nest(rest, value))
            else:
                raise NotEditable(entry.value.position, f"gives `{key}` a value that holds no settings")
        raise AssertionError("no keys")

    def unset(self, keys: Sequence[str]) -> list[Splice]:
        """Make the splices that remove the setting at `keys`; none if it is not there.

        Raises:
            NotEditable: The setting is shaped in an unusual way.
        """
        parent = self.root
        above: tuple[MapNode, Entry] | None = None
        for key in keys[:-1]:
            entry = parent.find(key)
            if entry is None or not isinstance(entry.value, MapNode):
                return []
            above = (parent, entry)
            parent = entry.value
        found = parent.find(keys[-1])
        if found is None:
            return []
        if parent.is_flow:
            return [self._remove_from_flow(parent, found)]
        if len(parent.entries) == 1 and above is not None:
            return self._replace(above[0], above[1], {})
        return [self._remove_lines(found)]

    # --- replacing ---------------------------------------------------------------------------------

    def _replace(self, parent: MapNode, entry: Entry, value: NewValue) -> list[Splice]:
        old = entry.value
        if parent.is_flow or is_inline(value):
            return self._replace_inline(entry, format_flow(value))
        if _is_block(old) and old.start != old.end and not isinstance(old, ScalarNode):
            start = self._line_start(old.start)
            if self.text[start : old.start].strip(" "):
                raise NotEditable(old.position, "is written in a way that cannot be edited in place")
            column = max(old.start - start, parent.position.column - 1 + self._step())
            if isinstance(old, ListNode) and not isinstance(value, dict):
                column = old.start - start
            return [Splice(start, self._content_end(old), self._lines(format_block(value, step=self._step()), column))]
        column = parent.position.column - 1 + self._step()
        block = self._lines(format_block(value, step=self._step()), column)
        colon_end = self._colon_end(entry)
        content_end = self._content_end(old)
        line_end = self._line_end(content_end)
        return [Splice(colon_end, max(colon_end, content_end), ""), Splice(line_end, line_end, self._eol() + block)]

    def _replace_inline(self, entry: Entry, new: str) -> list[Splice]:
        old = entry.value
        if old.start == old.end:
            has_colon = self.text[old.start - 1 : old.start] == ":"
            return [Splice(old.start, old.end, f" {new}" if has_colon else f": {new}")]
        if not _is_block(old):
            return [Splice(old.start, old.end, new)]
        between = self.text[entry.key.end : old.start]
        if between.strip() == ":":
            return [Splice(entry.key.end, self._content_end(old), f": {new}")]
        # Comments stand between the colon and the block: the value goes before them.
        colon_end = self._colon_end(entry)
        comments_end = entry.key.end + len(between.rstrip())
        return [Splice(colon_end, colon_end, f" {new}"), Splice(comments_end, self._content_end(old), "")]

    # --- inserting ---------------------------------------------------------------------------------

    def _insert(self, parent: MapNode, key: str, value: NewValue) -> list[Splice]:
        if parent.is_flow:
            return [self._insert_into_flow(parent, f"{format_scalar(key)}: {format_flow(value)}")]
        lines = format_entry(key, value, step=self._step())
        if not parent.entries:
            end = len(self.text)
            gap = self._eol() if end and self.text[-1] not in _BREAKS else ""
            return [Splice(end, end, gap + self._lines(lines, 0) + self._eol())]
        column = parent.position.column - 1
        at = self._content_end(parent.entries[-1].value, parent.entries[-1])
        if at and self.text[at - 1] in _BREAKS:
            return [Splice(at, at, self._lines(lines, column) + self._eol())]
        at = self._line_end(at)
        return [Splice(at, at, self._eol() + self._lines(lines, column))]

    def _insert_into_flow(self, parent: MapNode, new: str) -> Splice:
        if not parent.entries:
            at = self.text.index("{", parent.start) + 1
            return Splice(at, at, new)
        last = parent.entries[-1]
        at = max(last.key.end, last.value.end)
        return Splice(at, at, f", {new}")

    # --- removing ----------------------------------------------------------------------------------

    def _remove_lines(self, entry: Entry) -> Splice:
        start = self._line_start(entry.key.start)
        if self.text[start : entry.key.start].strip(" "):
            raise NotEditable(entry.key.position, "is written in a way that cannot be edited in place")
        end = self._content_end(entry.value, entry)
        if self.text[end - 1] not in _BREAKS:
            end = self._line_end(end)
            if end == len(self.text):
                # The last line has no line break and shall have none afterwards.
                start = max(0, start - len(self._break_before(start)))
            else:
                end += len("\r\n") if self.text.startswith("\r\n", end) else 1
        return Splice(start, end, "")

    @staticmethod
    def _remove_from_flow(parent: MapNode, entry: Entry) -> Splice:
        index = parent.entries.index(entry)
        end = max(entry.key.end, entry.value.end)
        if index > 0:
            before = parent.entries[index - 1]
            return Splice(max(before.key.end, before.value.end), end, "")
        if len(parent.entries) > 1:
            return Splice(entry.key.start, parent.entries[1].key.start, "")
        return Splice(entry.key.start, end, "")

    # --- measuring ---------------------------------------------------------------------------------

    def _content_end(self, node: Node, entry: Entry | None = None) -> int:
        """Find where the last character of a node stands; PyYAML's own end runs on over blank lines and comments."""
        if isinstance(node, ScalarNode):
            if node.style in {"|", ">"}:
                span = self.text[node.start : node.end]
                header = span.partition("\n")[0].partition("#")[0]
                return node.end if "+" in header else node.start + len(span.rstrip(" \r\n"))
            return max(node.end, entry.key.end) if entry is not None else node.end
        if isinstance(node, AliasNode) or node.is_flow:
            return node.end
        if isinstance(node, MapNode):
            return self._content_end(node.entries[-1].value, node.entries[-1])
        last = self._content_end(node.items[-1])
        return max(last, node.start)

    def _colon_end(self, entry: Entry) -> int:
        return self.text.index(":", entry.key.end) + 1

    def _line_start(self, index: int) -> int:
        return max(self.text.rfind("\n", 0, index), self.text.rfind("\r", 0, index)) + 1

    def _line_end(self, index: int) -> int:
        found = [at for at in (self.text.find("\n", index), self.text.find("\r", index)) if at >= 0]
        return min(found, default=len(self.text))

    def _break_before(self, index: int) -> str:
        before = self.text[:index]
        return "\r\n" if before.endswith("\r\n") else before[-1:]

    def _eol(self) -> str:
        first = self._line_end(0)
        return "\r\n" if self.text.startswith("\r\n", first) else self.text[first : first + 1] or "\n"

    def _step(self) -> int:
        for entry in self.root.entries:
            value = entry.value
            if isinstance(value, MapNode) and not value.is_flow:
                return max(1, value.position.column - entry.key.position.column)
        return _DEFAULT_STEP

    def _lines(self, lines: list[str], column: int) -> str:
        return self._eol().join(" " * column + line for line in lines)

    def position(self, index: int) -> Position:
        """Turn an index of the text into line and column."""
        return locate(self.text, index)


def _is_block(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return node.style in {"|", ">"}
    return isinstance(node, MapNode | ListNode) and not node.is_flow


def _nest(keys: Sequence[str], value: NewValue) -> NewValue:
    for key in reversed(keys):
        value = {key: value}
    return value
