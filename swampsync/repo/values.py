"""What the library's calls return."""

from __future__ import annotations

from dataclasses import dataclass

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.catalog.rows import CatalogRow
from swampsync.namespace import Namespace


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an artifact, and where it lies.

    Args:
        namespace: Whose it is; `SOLO` for none.
        model: What it belongs to.
        metadata: Everything swamp's `metadata.yaml` says of it.
        content_path: The file that holds its content.
    """

    namespace: Namespace
    model: Model
    metadata: Metadata
    content_path: str


@dataclass(frozen=True, slots=True)
class ModelListing:
    """The artifacts of one model: the latest version of each.

    Args:
        namespace: Whose.
        model: Which.
        rows: The latest versions, by name.
        pending: Versions that a bucket does not have yet, as `name/N`.
    """

    namespace: Namespace
    model: Model
    rows: tuple[CatalogRow, ...]
    pending: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WorkflowListing:
    """What one run of a workflow wrote."""

    workflow_id: str
    workflow_name: str
    run_id: str
    run_status: str
    rows: tuple[CatalogRow, ...]
    model_names: dict[str, str]


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """What `data search` narrows by; `None` or empty means: do not."""

    query: str = ""
    data_type: str | None = None
    lifetime: str | None = None
    owner_type: str | None = None
    workflow: str | None = None
    model: str | None = None
    content_type: str | None = None
    since: str | None = None
    output: str | None = None
    run: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    is_streaming: bool = False


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row that a search found, with the name of its model."""

    row: CatalogRow
    model_name: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a search, newest first."""

    hits: tuple[SearchHit, ...]
    is_limited: bool


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """What a deletion removed, and what it could not."""

    model: Model
    artifacts: int
    versions: int
    failed: tuple[tuple[str, str], ...] = ()
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class RenameResult:
    """What a rename copied."""

    model: Model
    old_name: str
    new_name: str
    copied_version: int
    new_version: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import put."""

    model: Model
    versions: tuple[Metadata, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of content that were put."""
        return sum(m.size or 0 for m in self.versions)
