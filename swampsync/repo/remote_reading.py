"""Reading data in a bucket: from the catalog as the last sync left it, with content fetched when it is read."""

from __future__ import annotations

from dataclasses import replace

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.errors import AccessDenied, DataError, NotFound, SwampsyncError, Unavailable
from swampsync.layout import Layout
from swampsync.namespace import Namespace
from swampsync.repo.reading import DataReader
from swampsync.repo.values import ModelListing

Namespaces = list[Namespace]  # inside the classes, `list` is the method


class RemoteReader(DataReader):
    """Looks data up in the catalog as the last sync left it; content comes when it is read."""

    def find_model(self, text: str, *, is_cached: bool = False) -> tuple[Namespace, Model]:
        """Find a model by name or id; the log of another namespace that is named is looked at first."""
        namespace = self._namespace_of(text)
        if not is_cached:
            self._parts.syncing.follow(namespace, is_asked_for=True)
        return super().find_model(text, is_cached=is_cached)

    def _advise(self, namespace: Namespace, model: Model, name: str, error: SwampsyncError) -> str:
        """Say what to do about data that cannot be read: what is wrong with it, and who may put it back."""
        if isinstance(error, NotFound):  # not damaged: somebody removed it
            return f"swamp datastore log {self._scoped(namespace, model)} {name}"
        return f"swamp datastore verify --content{self._where(namespace)}"

    def list(
        self, model: str, *, data_type: str | None = None, all_namespaces: bool = False, is_cached: bool = False
    ) -> list[ModelListing]:
        """List the latest version of each artifact of a model, and which of them are not published yet."""
        listings = super().list(model, data_type=data_type, all_namespaces=all_namespaces, is_cached=is_cached)
        return [self._mark_pending(listing) for listing in listings]

    def _mark_pending(self, listing: ModelListing) -> ModelListing:
        paths = self._parts.syncing.pending_puts(listing.namespace)
        prefix = f"{Layout.model_path(listing.model.type, listing.model.id)}/"
        pending = frozenset(path[len(prefix) :] for path in paths if path.startswith(prefix))
        return replace(listing, pending=pending) if pending else listing

    def _namespaces(self, *, all_namespaces: bool) -> Namespaces:
        """Name what a command looks at; whoever asks for all is shown those too whose log was never looked at."""
        found = super()._namespaces(all_namespaces=all_namespaces)
        if not all_namespaces:
            return found
        try:
            registered = [manifest.namespace for manifest in self._parts.registry.list_namespaces()]
        except (Unavailable, AccessDenied) as error:
            self._parts.on_notice(f"only namespaces that were looked at before are shown: {error.message}")
            return found
        return sorted({*found, *filter(self._can_follow, map(Namespace.parse, registered))})

    def _can_follow(self, namespace: Namespace) -> bool:
        """Look at a log that was never looked at; one that cannot be read hides no other."""
        try:
            self._parts.syncing.follow(namespace)
        except (AccessDenied, DataError) as error:
            self._parts.on_notice(f"namespace `{namespace}` is left out: {error.message}")
            return False
        return True

    def _report_damage(self, namespace: Namespace, model: Model, found: Metadata) -> None:
        """Say nothing: the log has only whole versions."""
