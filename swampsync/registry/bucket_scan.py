"""All namespaces of a bucket: one listing of its directories, then their manifests side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

from swampsync.backends.base import ObjectNotFound, ObjectStore
from swampsync.backends.transfer import Failed, run_many
from swampsync.errors import DataError, InvalidInput, SwampsyncError, Unavailable
from swampsync.layout import Layout
from swampsync.registry.claims import checked
from swampsync.registry.manifest import NamespaceManifest, RegistryScan, parse_manifest

_AT_ONCE: Final = 16


def list_places(store: ObjectStore) -> list[str]:
    """List the directories at the root that may be namespaces: one listing.

    Raises:
        AccessDenied: The directories may not be listed.
    """
    return [name for name in store.list_dirs("") if not name.startswith((".", "_"))]


def scan_manifests(
    store: ObjectStore, layout: Layout, names: Sequence[str], *, make_pool: Callable[[int], Executor]
) -> RegistryScan:
    """Read the manifest of every one of some directories that has one; one that cannot be read hides no other.

    Raises:
        Unavailable: The store does not answer.
    """
    if not names:
        return RegistryScan((), ())

    def read(name: str) -> NamespaceManifest | None:
        try:
            key = layout.manifest_key_of(name)
            body = store.get(key).body
        except (ObjectNotFound, InvalidInput):
            # No manifest; or a name that no namespace of any version has.
            return None
        return checked(parse_manifest(body, path=key.text), name, path=key.text)

    manifests: list[NamespaceManifest] = []
    problems: list[DataError] = []
    width = min(_AT_ONCE, len(names))
    with make_pool(width) as pool:
        for outcome in run_many(names, read, pool=pool, concurrency=width):
            if isinstance(outcome, Failed):
                problems.append(_as_problem(outcome.item, outcome.error))
            elif outcome.result is not None:
                manifests.append(outcome.result)
    return RegistryScan(tuple(sorted(manifests)), tuple(sorted(problems, key=lambda problem: problem.key or "")))


def _as_problem(name: str, error: SwampsyncError | OSError) -> DataError:
    if isinstance(error, Unavailable):
        raise error
    if isinstance(error, DataError):
        return error
    return DataError(f"the manifest of `{name}` cannot be read: {error}", key=name)
