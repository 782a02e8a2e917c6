"""Changing one setting of `.swamp.yaml` by its name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Final

from swampsync.config.config_file import write_config_file
from swampsync.config.document import NewValue
from swampsync.config.s3 import SETUP_S3
from swampsync.config.settings import Flags, RepoConfig, make_config
from swampsync.disk import Disk
from swampsync.errors import InvalidInput, Refused

# Settings that more than a line of configuration depends on, with the command that does all of it.
_OWN_COMMANDS: Final = {
    "repoId": "swamp repo init",
    "swampVersion": "swamp repo upgrade",
    "datastore.type": "swamp datastore setup filesystem --path DIR",
    "datastore.path": "swamp datastore setup filesystem --path DIR",
    "datastore.namespace": "swamp datastore namespace set NAME",
    "datastore.config.bucket": SETUP_S3,
    "datastore.config.prefix": f"{SETUP_S3} --prefix PREFIX",
}


def change_setting(disk: Disk, config: RepoConfig, *, name: str, value: str | None, environ: Mapping[str, str]) -> None:
    """Write one setting, or remove it with `None`; every other byte of the file stays.

    Raises:
        InvalidInput: There is no such setting, or the value cannot be used; nothing was written.
        Refused: The setting belongs to a command of its own.
        Conflict: Somebody changed the file in the meantime.
    """
    if name in _OWN_COMMANDS:
        raise Refused(f"`{name}` is not changed by itself: more depends on it", hint=_OWN_COMMANDS[name])
    parse = _PARSERS.get(name)
    if parse is None:
        near = difflib.get_close_matches(name, [*_PARSERS, *_OWN_COMMANDS], n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else "swamp config list"
        raise InvalidInput(f"`{name}` cannot be set in `.swamp.yaml`", hint=hint)
    keys = tuple(name.split("."))
    if value is None:
        document = config.document.unset(keys) if config.document.has(keys) else config.document
    else:
        document = config.document.set(keys, parse(name, value))
    # The new document has to make a configuration before a byte of it is written.
    make_config(document, repo_dir=config.repo_dir, environ=environ, flags=Flags())
    write_config_file(disk, document, replaces=config.document)


def _text(_name: str, value: str) -> str:
    return value


def _flag(name: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise InvalidInput(f"`{name}` must be `true` or `false`, not `{value}`")
    return value == "true"


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise InvalidInput(f"`{name}` must be a whole number above zero, not `{value}`")
    return int(value)


def _texts(_name: str, value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


_PARSERS: Final[dict[str, Callable[[str, str], NewValue]]] = {
    "autoGc": _flag,
    "logLevel": _text,
    "datastore.directories": _texts,
    "datastore.exclude": _texts,
    "datastore.hydrationStrategy": _text,
    "datastore.autoSync": _flag,
    "datastore.cacheLimit": _text,
    "datastore.syncTimeoutMs": _number,
    "datastore.config.region": _text,
    "datastore.config.endpoint": _text,
    "datastore.config.profile": _text,
    "datastore.config.forcePathStyle": _flag,
    "datastore.config.concurrency": _number,
    "datastore.config.pullConcurrency": _number,
    "datastore.config.pushConcurrency": _number,
    "datastore.config.requestTimeoutMs": _number,
    "datastore.config.sse": _text,
    "datastore.config.sseKmsKeyId": _text,
    "datastore.config.caFile": _text,
    "datastore.config.anonymous": _flag,
    "datastore.config.etagQuoting": _text,
    "datastore.config.checksum": _text,
}
