"""Data of models whose definition is gone.

A model is an orphan only if every place that could define it was read and none does. What is not known is live: a
definition that cannot be read, a namespace whose members' definitions are not here, the types that need no definition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from swampsync.artifacts.core_schema import resolve_plain
from swampsync.artifacts.definitions import definition_sources, list_definitions
from swampsync.artifacts.scan import Problem, scan_model, walk_models
from swampsync.artifacts.tree import Tree
from swampsync.catalog.catalog import Catalog
from swampsync.catalog.compaction import Checkpoint, fold_log
from swampsync.catalog.state import SyncState
from swampsync.disk import Disk, DiskEntry, Kind
from swampsync.errors import SwampsyncError
from swampsync.layout import Layout
from swampsync.maintenance.removal import Remover
from swampsync.strict_yaml import parse_strict

LIVE_TYPES: Final = frozenset(
    {
        "swamp/enrollment-token",
        "swamp/worker",
        "swamp/step-lease",
        "swamp/pending-dispatch",
        "swamp/fleet-probe",
        "swamp/server-token",
        "swamp/grant",
        "swamp/group",
    }
)
"""Types whose models swamp keeps without a definition."""


class OrphanArtifact(NamedTuple):
    """An artifact of an orphan."""

    name: str
    versions: tuple[int, ...]
    sizes: tuple[int, ...]  # bytes of content, one for each version
    is_hidden: bool  # its latest version is renamed or deleted


class Orphan(NamedTuple):
    """A model without a definition, and what it holds."""

    type: str
    model_id: str
    model_name: str
    artifacts: tuple[OrphanArtifact, ...]

    @property
    def versions(self) -> int:
        """How many versions it holds."""
        return sum(len(artifact.versions) for artifact in self.artifacts)

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(sum(artifact.sizes) for artifact in self.artifacts)

    @property
    def data_names(self) -> tuple[str, ...]:
        """Names of the artifacts that people can see."""
        return tuple(artifact.name for artifact in self.artifacts if not artifact.is_hidden)

    def to_json(self) -> dict[str, Any]:
        """Make the JSON as swamp prints it."""
        return {
            "type": self.type,
            "modelId": self.model_id,
            "modelName": self.model_name,
            "dataNames": list(self.data_names),
            "versionCount": self.versions,
            "bytesReclaimed": self.size,
        }


class PrunePlan(NamedTuple):
    """What is to go from one namespace."""

    models: tuple[Orphan, ...]
    problems: tuple[Problem, ...]  # what could not be read; if it could have been a definition, nothing goes

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to go."""
        return not self.models

    @property
    def versions(self) -> int:
        """How many versions go."""
        return sum(orphan.versions for orphan in self.models)


class PruneResult(NamedTuple):
    """What was removed, or would be."""

    models: tuple[Orphan, ...]
    failed: tuple[tuple[str, str], ...]  # path and reason of what could not be removed
    versions_deleted: int
    bytes_reclaimed: int
    checkpoint: Checkpoint
    is_dry_run: bool
    problems: tuple[Problem, ...] = ()  # why nothing, or not more, is known to be an orphan

    @property
    def models_reclaimed(self) -> int:
        """How many models went."""
        return len(self.models)

    def to_json(self) -> dict[str, Any]:
        """Make the document as swamp prints it."""
        return {
            "modelsReclaimed": self.models_reclaimed,
            "dataEntriesReclaimed": sum(len(orphan.data_names) for orphan in self.models),
            "versionsDeleted": self.versions_deleted,
            "bytesReclaimed": self.bytes_reclaimed,
            "dryRun": self.is_dry_run,
            "reclaimedModels": [orphan.to_json() for orphan in self.models],
            "walPagesTotal": self.checkpoint.pages_total,
            "walPagesCheckpointed": self.checkpoint.pages_done,
        }


def plan_prune(disk: Disk, layout: Layout, *, is_home: bool, other_members: Collection[str] = ()) -> PrunePlan:
    """Decide which models of a namespace are orphans; writes nothing.

    Args:
        disk: Where everything lies.
        layout: Of the namespace.
        is_home: Whether it is the namespace that this repo's own `models/` and `workflows/` define; of any other
            nothing is known to be an orphan.
        other_members: Repos that share the namespace; with any, nothing is known to be an orphan either.
    """
    unknown = find_unknown(layout.root, is_home=is_home, other_members=other_members)
    if unknown is not None:
        return PrunePlan((), (unknown,))
    problems: list[Problem] = []
    live = find_live_ids(disk, layout, problems)
    if problems:
        return PrunePlan((), tuple(problems))
    orphans = []
    unread: list[Problem] = []
    for root in layout.data_roots():
        for model_type, model_id, path in walk_models(disk, root, on_problem=unread.append):
            if is_live(model_type, model_id, live):
                continue
            orphans.append(_describe(disk, model_type, model_id, path))
    return PrunePlan(tuple(orphans), tuple(unread))


def find_unknown(where: str, *, is_home: bool, other_members: Collection[str]) -> Problem | None:
    """Say why nothing of a namespace can be known to be an orphan; `None` if everything that defines models is here.

    Args:
        where: The namespace, for people.
        is_home: See `plan_prune`.
        other_members: See `plan_prune`.
    """
    if not is_home:
        return Problem(where, "belongs to another repo, whose definitions are not here")
    if other_members:
        names = ", ".join(sorted(other_members))
        return Problem(where, f"is shared with {names}, whose definitions are not here")
    return None


def is_live(model_type: str, model_id: str, live: Collection[str]) -> bool:
    """Say whether a model is none to prune: something defines it, or swamp keeps such models without a definition."""
    return model_type in LIVE_TYPES or model_id in live


def preview_prune(plan: PrunePlan) -> PruneResult:
    """Say what carrying out the plan would remove."""
    versions = sum(orphan.versions for orphan in plan.models)
    size = sum(orphan.size for orphan in plan.models)
    return PruneResult(plan.models, (), versions, size, Checkpoint(0, 0), is_dry_run=True, problems=plan.problems)


def apply_prune(
    plan: PrunePlan, *, tree: Tree, catalog: Catalog, state: SyncState, check: Callable[[], None]
) -> PruneResult:
    """Remove what the plan names and nothing else.

    Args:
        plan: Made under the same lock.
        tree: The namespace's tree.
        catalog: Loses the rows of what is gone.
        state: Remembers the highest numbers.
        check: Called before every destructive step.

    Raises:
        LeaseLost: `check` said so; rows of what is gone were removed, the rest stays.
    """
    done: list[Orphan] = []
    failed: list[tuple[str, str]] = []
    versions = size = 0
    with Remover(tree, tree.layout.namespace, catalog=catalog, state=state, check=check) as remover:
        for orphan in plan.models:
            before = len(failed)
            for artifact in orphan.artifacts:
                removed = remover.remove(
                    orphan.type, orphan.model_id, artifact.name, versions=artifact.versions, is_all=True
                )
                failed += removed.failed
                sizes = dict(zip(artifact.versions, artifact.sizes, strict=True))
                versions += len(removed.versions)
                size += sum(sizes[number] for number in removed.versions)
            if len(failed) == before:
                remover.remove_empty_model(orphan.type, orphan.model_id)
                done.append(orphan)
    folded = fold_log(catalog.database)
    return PruneResult(tuple(done), tuple(failed), versions, size, folded, is_dry_run=False, problems=plan.problems)


def _describe(disk: Disk, model_type: str, model_id: str, path: str) -> Orphan:
    artifacts = []
    model_name = ""
    for scan in scan_model(disk, path):
        if scan.path == path or not (scan.versions or scan.incomplete):
            continue
        sizes = {metadata.version: metadata.size or 0 for metadata in scan.versions}
        numbers = tuple(sorted((*sizes, *scan.incomplete)))
        latest = scan.latest_metadata
        model_name = model_name or ("" if latest is None else latest.tags.get("modelName", ""))
        is_hidden = latest is None or latest.is_deleted
        artifacts.append(OrphanArtifact(scan.name, numbers, tuple(sizes.get(n, 0) for n in numbers), is_hidden))
    return Orphan(model_type, model_id, model_name, tuple(artifacts))


def find_live_ids(disk: Disk, layout: Layout, problems: list[Problem]) -> set[str]:
    """Collect the ids that any definition or workflow defines; what cannot be read is a problem."""
    sources = [*definition_sources(layout)]
    for source in definition_sources(layout):
        sources += _linked_directories(disk, source, problems)
    live = {found.model.id for found in list_definitions(disk, tuple(sources), on_problem=problems.append)}
    workflows = f"{layout.repo_dir}/workflows"
    for directory in (workflows, *_linked_directories(disk, workflows, problems)):
        live.update(_workflow_ids(disk, directory, problems))
    return live


def _list(disk: Disk, directory: str, problems: list[Problem]) -> list[DiskEntry]:
    try:
        return disk.scandir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(Problem(directory, error.strerror or str(error)))
        return []


def _linked_directories(disk: Disk, directory: str, problems: list[Problem]) -> Iterator[str]:
    """List the directories that symbolic links below a directory lead to; a listing of definitions follows none."""
    for entry in _list(disk, directory, problems):
        path = f"{directory}/{entry.name}"
        if entry.kind is Kind.DIRECTORY and not entry.name.startswith("."):
            yield from _linked_directories(disk, path, problems)
        elif entry.kind is Kind.LINK and not entry.name.endswith(".yaml"):
            yield disk.realpath(path)


def _workflow_ids(disk: Disk, directory: str, problems: list[Problem]) -> Iterator[str]:
    for entry in _list(disk, directory, problems):
        path = f"{directory}/{entry.name}"
        if entry.kind is Kind.DIRECTORY:
            yield from _workflow_ids(disk, path, problems)
        elif entry.name.endswith(".yaml"):
            try:
                identifier = _read_id(disk, path)
            except (SwampsyncError, UnicodeDecodeError, OSError) as error:
                problems.append(Problem(path, str(error)))
                continue
            if isinstance(identifier, str):
                yield identifier
            else:
                problems.append(Problem(path, "has no `id`"))


def _read_id(disk: Disk, path: str) -> object:
    text = disk.read_bytes(path).decode()
    values = parse_strict(text, plain=resolve_plain)
    if values is None:
        from swampsync.artifacts.load_yaml import load_yaml  # noqa: PLC0415  brings PyYAML

        values = load_yaml(text, path)
    return values.get("id")
