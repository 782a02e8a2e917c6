"""The repo of a set-up, opened twice: as `.swamp.yaml` says, and as it is to be."""

from __future__ import annotations

from swampsync.config.document import ConfigDocument
from swampsync.config.environment import DATASTORE, NAMESPACE
from swampsync.config.settings import Flags, RepoConfig, make_config
from swampsync.repo.parts import Parts
from swampsync.repo.place_check import watch_place


def own_environ(parts: Parts) -> dict[str, str]:
    """Return the environment without what would stand in for the file: what is written has to be right by itself."""
    return {name: value for name, value in parts.environ.items() if name not in {DATASTORE, NAMESPACE}}


def open_written(parts: Parts) -> Parts:
    """Open a repo as its file says, whatever `SWAMP_DATASTORE` says today: that is what will be replaced."""
    return watch_place(open_by(parts, parts.config.document), own_environ(parts))


def open_by(parts: Parts, document: ConfigDocument) -> Parts:
    """Open a repo as another configuration says.

    Raises:
        InvalidInput: A value in it cannot be used.
    """
    return with_config(
        parts, make_config(document, repo_dir=parts.config.repo_dir, environ=own_environ(parts), flags=Flags())
    )


def with_config(parts: Parts, config: RepoConfig) -> Parts:
    """Open a repo with another configuration and everything else as it is."""
    opened = Parts(config, parts.world, parts.environ, parts.command, cache_dir=parts.cache_dir)
    opened.on_notice, opened.on_wait = parts.on_notice, parts.on_wait
    return opened
