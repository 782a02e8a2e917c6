"""Whether the datastore still is where it was when a command read its configuration.

A command may wait for a lock while `datastore setup` or `namespace migrate` moves the data and writes the new place
into `.swamp.yaml`; the locks that it then gets are those of a place that nobody looks at any more. So the file is read
again under every lock that is taken: 20 µs where it is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from swampsync.config.document import ConfigDocument
from swampsync.errors import PlaceChanged

if TYPE_CHECKING:
    from swampsync.config.settings import RepoConfig
    from swampsync.disk import Disk
    from swampsync.locks.guard import HeldLocks, LockGuard
    from swampsync.locks.status import LockState, ReleaseOutcome
    from swampsync.repo.parts import Parts


def watch_place(parts: Parts, environ: Mapping[str, str]) -> Parts:
    """Let every lock of `parts` be given back once the configuration names another place; return them.

    Args:
        parts: Of a repo as its file says.
        environ: What its configuration was made with.
    """
    parts.check_place = lambda: check_place(parts.world.disk, parts.config, environ)
    return parts


def check_place(disk: Disk, config: RepoConfig, environ: Mapping[str, str]) -> None:
    """Make sure that a configuration that was read before names the place that the file names now.

    Raises:
        PlaceChanged: It does not.
        InvalidInput: The file cannot be parsed any more.
    """
    path = config.document.path
    try:
        data = disk.read_bytes(path)
    except FileNotFoundError:
        data = b""
    if data == config.document.to_bytes():
        return
    now = ConfigDocument.parse(data, path=path)
    # Not every change of the file is one of the place: `repoId`, `autoSync` and the like may change meanwhile.
    if data and _place_of(now, config, environ) == _place_of(config.document, config, environ):
        return
    raise PlaceChanged(
        f"`{path}` came to name another datastore or namespace while this command waited for a lock;"
        " it has written nothing there",
        hint="run the same command again: it will use the new place",
        key=path,
    )


def _place_of(document: ConfigDocument, config: RepoConfig, environ: Mapping[str, str]) -> tuple[object, ...]:
    from swampsync.config.datastore import choose_datastore
    from swampsync.config.schema import SettingReader
    from swampsync.config.tier import read_directories, read_exclude

    reader = SettingReader(document)
    settings = choose_datastore(document, repo_dir=config.repo_dir, environ=environ).settings
    return settings, reader.text("datastore", "namespace"), read_directories(reader), read_exclude(reader)


class CheckedGuard:
    """A `LockGuard` whose locks are of use only where the datastore still is.

    Args:
        guard: Whose locks.
        check: Called under each lock that was taken; raises to give it back.
    """

    def __init__(self, guard: LockGuard, check: Callable[[], None]) -> None:
        self._guard = guard
        self._check = check

    def model_lock(
        self, models: Iterable[tuple[str, str]], *, command: str, wait_seconds: float | None = None
    ) -> AbstractContextManager[HeldLocks]:
        """See `LockGuard`."""
        return self._checked(partial(self._guard.model_lock, models, command=command, wait_seconds=wait_seconds))

    def structural_lock(self, *, command: str, wait_seconds: float | None = None) -> AbstractContextManager[HeldLocks]:
        """See `LockGuard`."""
        return self._checked(partial(self._guard.structural_lock, command=command, wait_seconds=wait_seconds))

    def definition_lock(self, name: str, *, command: str) -> AbstractContextManager[HeldLocks]:
        """See `LockGuard`."""
        return self._checked(partial(self._guard.definition_lock, name, command=command))

    @contextmanager
    def _checked(self, take: Callable[[], AbstractContextManager[HeldLocks]]) -> Iterator[HeldLocks]:
        with take() as held:
            self._check()
            yield held

    def status(self) -> list[LockState]:
        """See `LockGuard`."""
        return self._guard.status()

    def release(
        self, model: tuple[str, str] | None = None, *, key: str | None = None, nonce: str | None = None
    ) -> ReleaseOutcome:
        """See `LockGuard`."""
        return self._guard.release(model, key=key, nonce=nonce)

    def child_environment(self) -> dict[str, str]:
        """See `LockGuard`."""
        return self._guard.child_environment()

    def sweep(self) -> int:
        """See `LockGuard`."""
        return self._guard.sweep()
