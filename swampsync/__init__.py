"""swampsync: many git repos, one team datastore.

The front door is `Repo`:

    from swampsync import Repo

    with Repo.open(".") as repo:
        repo.data.put("vpc", "state", io.BytesIO(b"{}"), content_type="application/json")
        with repo.query('tags.env == "prod"', select="name") as names:
            print(list(names))

Nothing here prints, exits or looks at the environment; the command line (`swampsync.cli`) does that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from swampsync._version import __version__

if TYPE_CHECKING:
    from swampsync.artifacts.metadata import Metadata, Owner
    from swampsync.artifacts.model import Model
    from swampsync.errors import (
        AccessDenied,
        Conflict,
        DataError,
        InvalidInput,
        LeaseLost,
        LockError,
        LockHeld,
        LockTimeout,
        NotFound,
        PlaceChanged,
        QueryError,
        Refused,
        SwampsyncError,
        SyncIncomplete,
        Unavailable,
    )
    from swampsync.namespace import SOLO, Namespace
    from swampsync.repo import Repo, Version, World

# Where each public name lives; a module is imported when one of its names is first asked for.
_HOMES: Final = {
    "AccessDenied": "errors",
    "Conflict": "errors",
    "DataError": "errors",
    "InvalidInput": "errors",
    "LeaseLost": "errors",
    "LockError": "errors",
    "LockHeld": "errors",
    "LockTimeout": "errors",
    "Metadata": "artifacts.metadata",
    "Model": "artifacts.model",
    "Namespace": "namespace",
    "NotFound": "errors",
    "Owner": "artifacts.metadata",
    "PlaceChanged": "errors",
    "QueryError": "errors",
    "Refused": "errors",
    "Repo": "repo",
    "SOLO": "namespace",
    "SwampsyncError": "errors",
    "SyncIncomplete": "errors",
    "Unavailable": "errors",
    "Version": "repo",
    "World": "repo",
}

__all__ = [
    "SOLO",
    "AccessDenied",
    "Conflict",
    "DataError",
    "InvalidInput",
    "LeaseLost",
    "LockError",
    "LockHeld",
    "LockTimeout",
    "Metadata",
    "Model",
    "Namespace",
    "NotFound",
    "Owner",
    "PlaceChanged",
    "QueryError",
    "Refused",
    "Repo",
    "SwampsyncError",
    "SyncIncomplete",
    "Unavailable",
    "Version",
    "World",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"swampsync.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
