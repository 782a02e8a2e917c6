"""Which part of the tree lies in the datastore, and which stays in the repo."""

from __future__ import annotations

from typing import Final

from swampsync.config.exclude import ExcludeRules
from swampsync.config.schema import SettingReader
from swampsync.errors import InvalidInput
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS

_KNOWN_DIRECTORIES: Final = frozenset(DATASTORE_SUBDIRS) | ALWAYS_LOCAL_SUBDIRS


def read_directories(reader: SettingReader) -> tuple[str, ...]:
    """Read `datastore.directories`; always-local ones are dropped, the default are swamp's ten.

    Raises:
        InvalidInput: No list, or a name that does not exist: `dta` would keep all data in the repo.
    """
    keys = ("datastore", "directories")
    named = reader.texts(*keys)
    if named is None:
        return tuple(s for s in DATASTORE_SUBDIRS if s not in ALWAYS_LOCAL_SUBDIRS)
    for name in named:
        if name not in _KNOWN_DIRECTORIES:
            raise reader.wrong(keys, f"names `{name[:80]}`, but only these exist: {', '.join(DATASTORE_SUBDIRS)}")
    return tuple(dict.fromkeys(s for s in named if s not in ALWAYS_LOCAL_SUBDIRS))


def read_exclude(reader: SettingReader) -> tuple[str, ...]:
    """Read `datastore.exclude`.

    Raises:
        InvalidInput: No list, or a malformed pattern.
    """
    keys = ("datastore", "exclude")
    patterns = reader.texts(*keys) or ()
    try:
        ExcludeRules(patterns)
    except InvalidInput as error:
        raise reader.wrong(keys, f"cannot be used: {error.message}") from error
    return patterns
