"""Whose content goes where: the repo's own into its local copy, that of others into the user's cache."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from swampsync.config.environment import NAMESPACE
from swampsync.errors import NotFound
from swampsync.namespace import Namespace

if TYPE_CHECKING:
    from swampsync.repo.parts import Parts
    from swampsync.sync.digest_cache import DigestCache
    from swampsync.sync.foreign_content import ForeignContent

CONTENT_DIRECTORY: Final = "content"


class Foreign:
    """Content of other namespaces, as one repo uses it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def includes(self, namespace: Namespace) -> bool:
        """Whether a namespace is another's: neither the configured one nor the one that the environment chose."""
        parts = self._parts
        is_chosen = parts.config.namespace_choice.source == NAMESPACE and namespace == parts.namespace
        return namespace != parts.home and not is_chosen

    @cached_property
    def cache(self) -> DigestCache:
        """The user's cache; without a directory for one, a cache in the repo."""
        from swampsync.sync.digest_cache import DigestCache

        parts, world = self._parts, self._parts.world
        root = parts.layout.local_path("cache") if parts.cache_dir is None else parts.cache_dir
        return DigestCache(
            f"{root}/{CONTENT_DIRECTORY}",
            limit=parts.config.cache_limit,
            disk=world.disk,
            clock=world.clock,
            new_id=world.new_id,
        )

    def content_of(self, namespace: Namespace) -> ForeignContent | None:
        """Return what reads a namespace's content; `None` for the repo's own."""
        if not self.includes(namespace):
            return None
        from swampsync.sync.foreign_content import ForeignContent

        return ForeignContent(self._parts.syncing.syncer_of(namespace), self.cache)

    def settle(self, namespace: Namespace, *, is_new: bool) -> None:
        """Move what the local copy holds of another namespace into the cache, what is pending aside.

        Args:
            namespace: Whose log was just looked at.
            is_new: Whether that was the first time, and nothing was there: the name may be a slip.

        Raises:
            NotFound: Nobody has claimed the namespace; it is forgotten again.
        """
        content = self.content_of(namespace)
        if content is None:
            return
        content.clear_copy()
        if is_new and self._parts.syncing.is_automatic and not namespace.is_solo:
            try:
                self._parts.registry.read_manifest(namespace)
            except NotFound:
                self._parts.state.positions.remove(namespace.name)
                raise
