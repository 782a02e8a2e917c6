"""`.swamp.yaml` as a document that is edited in place: what was not asked to change stays, byte for byte.

Loading a file and dumping it again would lose comments, order and quoting, and turn `yes` or a version like
`1:30` into something else. So values are read as text, and a change replaces only the spans it must.

Reading the plain shape that swamp and we write takes the strict reader only; PyYAML and everything that knows of
spans is imported when something else has to be read, an error placed, or a setting changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from swampsync.errors import InvalidInput
from swampsync.strict_yaml import parse_strict

if TYPE_CHECKING:
    from swampsync.config.yaml_tree import MapNode, Position

# What a setting reads as: text as it stands, `None` for YAML's nothing, lists and maps of these.
ConfigValue = str | None | list["ConfigValue"] | dict[str, "ConfigValue"]

# What may be written. Types are the schema's matter, so reading gives all of them back as text, lists and maps.
NewValue = str | bool | int | Sequence[str] | Mapping[str, "NewValue"]

_BOM: Final = "\ufeff"
_NULL_WORDS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class ConfigDocument:
    """A parsed configuration; immutable, an edit returns a new one.

    Args:
        text: The whole file.
        path: Named in errors.
        values: What it reads as, where that is known.
        tree: Its tree, where that is known.
    """

    __slots__ = ("_bom", "_text", "_tree", "_values", "path")

    def __init__(
        self,
        text: str,
        *,
        path: str,
        values: dict[str, ConfigValue] | None = None,
        tree: MapNode | None = None,
    ) -> None:
        self.path = path
        self._bom = _BOM if text.startswith(_BOM) else ""
        self._text = text.removeprefix(_BOM)
        self._tree = tree
        self._values = self._read_values() if values is None else values

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
            from swampsync.config.yaml_tree import invalid_at, locate  # noqa: PLC0415  (for the error only)

            position = locate(data[: error.start].decode(errors="replace"), len(data))
            raise invalid_at(path, position, "is not UTF-8") from error
        return cls(text, path=path, values=_read_fast(text))

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
        from swampsync.config.yaml_tree import find_position  # noqa: PLC0415  (for errors and `config list` only)

        return find_position(self._parsed(), keys)

    def error_at(self, keys: Sequence[str], problem: str, *, hint: str | None = None) -> InvalidInput:
        """Make the error for a setting that cannot be used, naming file, line and column."""
        from swampsync.config.yaml_tree import invalid_at  # noqa: PLC0415  (for the error only)

        error = invalid_at(self.path, self.position_of(keys), problem)
        if hint is not None:
            error.hint = hint
        return error

    def set(self, keys: Sequence[str], value: NewValue) -> ConfigDocument:
        """Return the document with a setting changed or added; maps on the way are made.

        Raises:
            InvalidInput: The file is shaped in a way that cannot be edited without touching more than this.
        """
        from swampsync.config.yaml_change import set_in_text  # noqa: PLC0415  (reading commands never come here)

        return self._changed(*set_in_text(self._text, self._parsed(), keys, value, path=self.path))

    def unset(self, keys: Sequence[str]) -> ConfigDocument:
        """Return the document without a setting; the same one if it is not there.

        Raises:
            InvalidInput: The file is shaped in a way that cannot be edited without touching more than this.
        """
        from swampsync.config.yaml_change import unset_in_text  # noqa: PLC0415  (reading commands never come here)

        if not self.has(keys):
            return self
        return self._changed(*unset_in_text(self._text, self._parsed(), keys, path=self.path))

    def _changed(self, text: str, tree: MapNode) -> ConfigDocument:
        if text == self._text:
            return self
        return ConfigDocument(self._bom + text, path=self.path, tree=tree)

    def _parsed(self) -> MapNode:
        if self._tree is None:
            from swampsync.config.yaml_tree import parse_tree  # noqa: PLC0415  (it imports PyYAML)

            self._tree = parse_tree(self._text, path=self.path)
        return self._tree

    def _read_values(self) -> dict[str, ConfigValue]:
        from swampsync.config.yaml_tree import read_map  # noqa: PLC0415  (the strict reader was not sure)

        return read_map(self._parsed())


def _read_fast(text: str) -> dict[str, ConfigValue] | None:
    """Read the plain shape that swamp and we write without PyYAML; `None` for anything else."""
    return parse_strict(text, plain=lambda plain: None if plain in _NULL_WORDS else plain)
