"""The library's front door: `Repo` composes the rooms below."""

from swampsync.catalog.reading import ModelSummary
from swampsync.repo.repo import Repo
from swampsync.repo.values import (
    DeleteResult,
    ImportResult,
    ModelListing,
    RenameResult,
    SearchFilters,
    SearchHit,
    SearchResult,
    Version,
    WorkflowListing,
)
from swampsync.repo.world import World

__all__ = [
    "DeleteResult",
    "ImportResult",
    "ModelListing",
    "ModelSummary",
    "RenameResult",
    "Repo",
    "SearchFilters",
    "SearchHit",
    "SearchResult",
    "Version",
    "WorkflowListing",
    "World",
]
