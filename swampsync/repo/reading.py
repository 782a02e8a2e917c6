"""Reading data: none of this takes a lock, or writes outside the two local databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.artifacts.names import find_name_problem
from swampsync.catalog.reading import ModelSummary
from swampsync.catalog.rows import CatalogRow
from swampsync.clock import format_timestamp
from swampsync.errors import Conflict, DataError, NotFound, SwampsyncError
from swampsync.maintenance.refresh import Scope
from swampsync.namespace import Namespace
from swampsync.repo.finding import ModelFinder
from swampsync.repo.mounted import require_mounted
from swampsync.repo.values import ModelListing, SearchFilters, SearchHit, SearchResult, Version, WorkflowListing

Progress = Callable[[int, int | None], None]
Summaries = list[ModelSummary]  # inside the class, `list` is the method
READ_BYTES = 1 << 20
UNKNOWN_WORKFLOW = "unknown"


class DataReader(ModelFinder):
    """Looks data up in the catalog, after making it follow the tree as far as the question reaches."""

    # --- one artifact ------------------------------------------------------------------------------

    def get(self, model: str, name: str, *, version: int | None = None, is_cached: bool = False) -> Version:
        """Find one version of an artifact, the latest by default; forwards of a rename are followed.

        Raises:
            NotFound: There is no such model, artifact or version.
            DataError: It is damaged.
            Unavailable: The datastore's directory is gone, although it held data.
        """
        namespace, owner = self.find_owner(model, name, is_cached=is_cached)
        missing = NotFound(
            f'Data not found: "{name}" for model "{model}"' + (f" (version {version})" if version is not None else ""),
            hint=f"swamp data list {model}",
            key=name,
        )
        if find_name_problem(name) is not None:
            raise missing
        try:
            found = self._parts.store_of(namespace).read(owner, name, version=version)
        except NotFound as error:
            require_mounted(self._parts, namespace)
            if version is not None and self._parts.store_of(namespace).list_versions(owner, name):
                missing.hint = f"swamp data versions {model} {name}"
            else:
                missing.hint = self._find_namesake(namespace, owner, name) or missing.hint
            raise missing from error
        except DataError as error:
            error.hint = error.hint or self._advise(namespace, owner, name, error)
            raise
        if version is None and found.is_deleted:
            raise missing
        if version is None:
            self._report_damage(namespace, owner, found)
        return self._version(namespace, owner, found)

    def _find_namesake(self, namespace: Namespace, model: Model, name: str) -> str | None:
        """Find the artifact under another model of the same name, as after defining a model anew; return a command."""
        for key in self._parts.catalog.models(namespace.name):
            if key.model_name == model.name and key.model_id != model.id:
                rows = self._parts.catalog.latest_of_model(namespace.name, key.type_normalized, model_id=key.model_id)
                if any(row.data_name == name for row in rows):
                    return f"swamp data get {key.model_id} {name}"
        return None

    def _report_damage(self, namespace: Namespace, model: Model, found: Metadata) -> None:
        """Say it when a newer version than the one that is shown cannot be read."""
        from swampsync.artifacts.scan import Problem, list_numbers, read_version

        disk = self._parts.world.disk
        path = self._parts.store_of(namespace).artifact_path(model, found.name)
        for number in list_numbers(disk, path):
            problem = read_version(disk, path, found.name, number) if number > found.version else None
            if isinstance(problem, Problem):
                where = "" if problem.path in problem.reason else f"`{problem.path}` "
                self._parts.on_notice(f"version {number} is damaged: {where}{problem.reason}; this is {found.version}")

    def _version(self, namespace: Namespace, model: Model, metadata: Metadata) -> Version:
        path = self._parts.store_of(namespace).content_path(model, metadata.name, version=metadata.version)
        return Version(namespace, model, metadata, path)

    def read(self, version: Version) -> Iterator[bytes]:
        """Stream a version's content in chunks; size and checksum are verified at the end.

        Raises:
            DataError: The content is shorter than it should be, or its checksum differs.
            NotFound: It is gone.
        """
        try:
            with self._parts.store_of(version.namespace).open_content(version.model, version.metadata) as stream:
                while chunk := stream.read(READ_BYTES):
                    yield chunk
        except (DataError, NotFound) as error:
            error.hint = self._advise(version.namespace, version.model, version.metadata.name, error)
            raise

    def _advise(self, namespace: Namespace, model: Model, name: str, _error: SwampsyncError) -> str:
        """Say what to do about data that cannot be read: on a directory nobody else has it."""
        rest = f"swamp data versions {self._scoped(namespace, model)} {name}"
        return f"swamp datastore verify{self._where(namespace)}, to see what else is damaged; what is left: {rest}"

    def _scoped(self, namespace: Namespace, model: Model) -> str:
        name = model.name or model.id
        return name if namespace == self._parts.namespace else f"{namespace}:{name}"

    def _where(self, namespace: Namespace) -> str:
        return "" if namespace == self._parts.namespace else f" -n {namespace}"

    def versions(self, model: str, name: str, *, follow: bool = False) -> tuple[Model, list[Metadata]]:
        """List the versions of an artifact, newest first; with `follow` those under its former names come after.

        Raises:
            NotFound: There is no such model or artifact.
        """
        namespace, owner = self.find_owner(model, name)
        found: list[Metadata] = []
        if find_name_problem(name) is None:
            found = list(self._parts.store_of(namespace).history(owner, name, follow=follow))
        if not found:
            require_mounted(self._parts, namespace)
            raise NotFound(f'Data not found: "{name}" for model "{model}"', hint=f"swamp data list {model}", key=name)
        return owner, found

    # --- listings ----------------------------------------------------------------------------------

    def list(
        self, model: str, *, data_type: str | None = None, all_namespaces: bool = False, is_cached: bool = False
    ) -> list[ModelListing]:
        """List the latest version of each artifact of a model, in one namespace or in all that know the model.

        Raises:
            NotFound: No namespace that was looked in has such a model.
        """
        found: list[tuple[Namespace, Model]] = []
        for namespace in self._namespaces(all_namespaces=all_namespaces):
            if all_namespaces:
                candidate = self._find_in(namespace, model, is_cached=is_cached)
                found += [(namespace, candidate)] if candidate else []
            else:
                found.append(self.find_model(model, is_cached=is_cached))
        if not found:
            raise NotFound(f"Model not found: {model}", hint="swamp data list --all-namespaces", key=model)
        listings = []
        for namespace, owner in found:
            if not is_cached:
                self._parts.refresh(namespace, Scope(owner.type, owner.id))
            rows = self._parts.catalog.latest_of_model(namespace.name, owner.type, model_id=owner.id)
            kept = tuple(row for row in rows if data_type is None or row.data_type == data_type)
            listings.append(ModelListing(namespace, owner, kept))
        return listings

    def list_models(
        self, *, all_namespaces: bool = False, is_cached: bool = False, progress: Progress | None = None
    ) -> Summaries:
        """Sum up every model that has data."""
        summaries: Summaries = []
        for namespace in self._namespaces(all_namespaces=all_namespaces):
            if not is_cached:
                self._parts.refresh(namespace, progress=progress)
            names = self._parts.name_models(namespace)
            summaries += [
                summary._replace(model_name=names.get(summary.model_id) or summary.model_name)
                for summary in self._parts.catalog.model_summaries(namespace.name)
            ]
        return sorted(summaries, key=lambda s: (s.namespace, s.model_name, s.type_normalized, s.model_id))

    def search(
        self, filters: SearchFilters, *, limit: int = 50, all_namespaces: bool = False, is_cached: bool = False
    ) -> SearchResult:
        """Find latest versions by text and filters, newest first.

        Raises:
            InvalidInput: `since` is no duration.
        """
        since = None
        if filters.since is not None:
            from swampsync.artifacts.lifetimes import parse_duration

            since = format_timestamp(self._parts.world.clock.now() - parse_duration(filters.since))
        from swampsync.catalog.search import SearchFilter

        names: dict[str, dict[str, str]] = {}
        namespaces = self._namespaces(all_namespaces=all_namespaces)
        for namespace in namespaces:
            if not is_cached:
                self._parts.refresh(namespace)
            names[namespace.name] = self._parts.name_models(namespace)
        by_name = {i: name for known in names.values() for i, name in known.items()}
        wanted = filters.query.lower()
        answer = self._parts.catalog.search(
            SearchFilter(
                text=filters.query,
                text_model_ids=tuple(i for i, name in by_name.items() if wanted and wanted in name.lower()),
                data_type=filters.data_type,
                lifetime=filters.lifetime,
                owner_type=filters.owner_type,
                workflow_name=filters.workflow,
                workflow_run_id=filters.run,
                model_ids=None
                if filters.model is None
                else tuple(i for i, name in by_name.items() if filters.model in (i, name)),
                content_type=filters.content_type,
                since=since,
                id=filters.output,
                tags=filters.tags,
                is_streaming=True if filters.is_streaming else None,
            ),
            namespaces=[namespace.name for namespace in namespaces],
            limit=limit,
        )
        hits = tuple(SearchHit(row, names[row.namespace].get(row.model_id) or row.model_name) for row in answer.rows)
        return SearchResult(hits, is_limited=answer.total > len(hits))

    # --- workflows ---------------------------------------------------------------------------------

    def list_workflow(self, workflow: str, *, run: str | None = None, data_type: str | None = None) -> WorkflowListing:
        """List what one run of a workflow wrote, its newest run by default.

        Raises:
            NotFound: The workflow wrote nothing here, or that run did not.
        """
        from swampsync.repo.workflows import read_run_status

        namespace = self._parts.namespace
        self._parts.refresh(namespace)
        rows = [
            r for r in self._parts.catalog.rows(namespace.name) if workflow in (r.workflow_name, _tag(r, "workflowId"))
        ]
        if not rows:
            raise NotFound(f"no data of a workflow `{workflow}` is here", hint="swamp data search --workflow NAME")
        chosen = run or max(rows, key=lambda row: row.created_at).workflow_run_id
        written = [row for row in rows if row.workflow_run_id == chosen]
        if not written:
            raise NotFound(f"run `{chosen}` of workflow `{workflow}` wrote no data here")
        latest: dict[tuple[str, str, str], CatalogRow] = {}
        for row in sorted(written, key=lambda row: row.version):
            latest[row.model_id, row.data_name, row.step_name] = row
        first = written[0]
        workflow_id = _tag(first, "workflowId") or UNKNOWN_WORKFLOW
        return WorkflowListing(
            workflow_id=workflow_id,
            workflow_name=first.workflow_name,
            run_id=chosen,
            run_status=read_run_status(self._parts.world.disk, self._parts.layout, workflow_id, run_id=chosen),
            rows=tuple(row for row in latest.values() if data_type is None or row.data_type == data_type),
            model_names=self._parts.name_models(namespace),
        )

    def get_of_workflow(self, workflow: str, name: str, *, run: str | None, version: int | None) -> Version:
        """Find an artifact by the workflow that wrote it.

        Raises:
            NotFound: The workflow wrote no such artifact.
            Conflict: It wrote it for several models.
        """
        listing = self.list_workflow(workflow, run=run)
        rows = [row for row in listing.rows if row.data_name == name]
        if not rows:
            raise NotFound(f'Data not found: "{name}" for workflow "{workflow}"', key=name)
        if len({row.model_id for row in rows}) > 1:
            names = ", ".join(sorted(listing.model_names.get(row.model_id, row.model_id) for row in rows))
            raise Conflict(f"workflow `{workflow}` wrote `{name}` for several models: {names}", hint="name the model")
        row = max(rows, key=lambda row: row.version)
        model = Model(row.type_normalized, row.model_id, listing.model_names.get(row.model_id, ""))
        found = self._parts.store.read(model, name, version=version or row.version)
        return self._version(self._parts.namespace, model, found)


def _tag(row: CatalogRow, name: str) -> str:
    import json

    value = json.loads(row.tags).get(name, "")
    return value if isinstance(value, str) else ""
