"""Keeping the catalog equal to the tree on a directory, whoever writes there.

A refresh looks only as far as the command that asks for it: one artifact, one model or a whole namespace. It reads what
changed since the last look, by the stat signatures of directories, drops rows whose files are gone, and writes nothing
in the datastore. Directories that changed within the last two seconds, models under a lock and artifacts with
unfinished versions are looked at again next time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Final

from swampsync.catalog.catalog import Catalog
from swampsync.catalog.sqlite import CorruptDatabase
from swampsync.catalog.state import SyncState
from swampsync.clock import Clock
from swampsync.disk import Disk
from swampsync.layout import Layout
from swampsync.maintenance.refresh_run import RefreshReport, RefreshRun, Scope, World
from swampsync.namespace import Namespace

WHOLE: Final = Scope()
_FILLING: Final = " filling"

__all__ = ["WHOLE", "RefreshReport", "Refresher", "Scope"]


class Refresher:
    """Brings the catalog up to date with the tree.

    Args:
        disk: Where the tree lies.
        clock: Says what is too recent to be trusted, and dates signatures.
        layout: The repo's own layout; other namespaces' are derived from it.
        catalog: What is brought up to date.
        state: Remembers what directories looked like, keeps the feed and the highest numbers.
        progress: Called with the number of versions read since the last call.
    """

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        *,
        layout: Layout,
        catalog: Catalog,
        state: SyncState,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._world = World(disk, clock, layout, catalog, state, progress)
        self._layout = layout
        self._catalog = catalog
        self._state = state

    def refresh(self, namespace: Namespace, scope: Scope = WHOLE) -> RefreshReport:
        """Make the catalog's rows of a namespace, as far as `scope` reaches, equal to the tree.

        Takes no lock. Own rows are marked as complete after a refresh of the whole namespace in which every directory
        could be read.

        Raises:
            Unavailable: The datastore's directory is missing or empty although it held data (not mounted?); nothing
                was dropped.
        """
        try:
            return self._refresh(namespace, scope)
        except CorruptDatabase:
            # The file was set aside in the middle; what is there now is fresh and is filled from the start.
            return self._refresh(namespace, scope)

    def data_roots(self, namespace: Namespace) -> tuple[str, ...]:
        """Return where a namespace's artifacts lie: in the datastore, and for our own also what stays in the repo."""
        if namespace == self._layout.namespace:
            return self._layout.data_roots()
        return (self._layout.of(namespace).datastore_path("data"),)

    def forget(self, namespace: Namespace) -> None:
        """Forget what the directories of a namespace looked like, so that the next refresh reads all of it."""
        self._state.settings.put(f"catalogued:{namespace}", None)

    def _refresh(self, namespace: Namespace, scope: Scope) -> RefreshReport:
        is_filling = self._distrust(namespace)
        roots = self.data_roots(namespace)
        run = RefreshRun(self._world, namespace, roots=roots, scope=scope, is_rebuild=is_filling)
        with self._catalog.loading() if scope == WHOLE else nullcontext():
            report = run.go()
        if is_filling and scope == WHOLE and not report.is_partial:
            if namespace == self._layout.namespace:
                self._catalog.mark_populated()
            self._state.settings.put(f"catalogued:{namespace}", str(self._catalog.database.identity()))
        return report

    def _distrust(self, namespace: Namespace) -> bool:
        """Drop the record of a namespace if it does not belong to the rows in the catalog.

        It does not when the catalog's file is another one than when the record was made, when all rows are gone, or
        when the mark of complete own rows was taken away (swamp does that when it no longer knows).

        Returns:
            Whether the record is being filled: no refresh has gone through the whole namespace yet.
        """
        name = namespace.name
        identity = str(self._catalog.database.identity())
        mark = self._state.settings.find(f"catalogued:{name}")
        has_lost_rows = not self._catalog.has_rows(name) and self._state.signatures.has_rows(name)
        if not has_lost_rows:
            if mark == identity + _FILLING:
                return True
            if mark == identity and (namespace != self._layout.namespace or self._catalog.is_populated()):
                return False
        with self._state.atomic():
            self._state.signatures.remove_namespace(name)
            self._state.settings.put(f"catalogued:{name}", identity + _FILLING)
            self._state.feed.record_rebuild(name)
        return True
