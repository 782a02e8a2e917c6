"""Data as it was at a commit: the answers of a reader, from a state of the log instead of the catalog."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.model import Model
from swampsync.backends.base import ObjectNotFound
from swampsync.catalog.reading import ModelSummary
from swampsync.catalog.rows import ArtifactKey, CatalogRow
from swampsync.errors import Conflict, DataError, NotFound
from swampsync.log.paths import RAW_FILE
from swampsync.log.state import NamespaceState
from swampsync.namespace import Namespace, parse_scoped_name
from swampsync.repo.parts import Parts
from swampsync.repo.values import ModelListing, Version
from swampsync.sync.cataloguing import catalog_rows_of, metadata_of, metadata_row_of

Artifacts = dict[ArtifactKey, list[Metadata]]
Summaries = list[ModelSummary]  # inside the class, `list` is the method
Listings = list[ModelListing]
History = list[Metadata]
Rows = list[CatalogRow]


class Past:
    """Lists and gets what a namespace had at one commit; takes nothing in, and writes nothing.

    Args:
        parts: Of the repo.
        namespace: Whose state it is.
        state: Replayed up to the commit.
    """

    def __init__(self, parts: Parts, namespace: Namespace, state: NamespaceState) -> None:
        self._parts = parts
        self._namespace = namespace
        self._state = state
        self._artifacts: defaultdict[ArtifactKey, list[Metadata]] = defaultdict(list)
        self._rows: dict[ArtifactKey, list[CatalogRow]] = {}
        found = defaultdict(list)
        for row in state.artifacts():
            found[ArtifactKey(namespace.name, row.model_type, row.model_id, row.name)].append(row)
        for key, rows in sorted(found.items()):
            of_artifact = [metadata_row_of(namespace.name, row) for row in sorted(rows, key=lambda row: row.version)]
            self._rows[key] = catalog_rows_of(of_artifact)
            for metadata_row in of_artifact:
                try:
                    self._artifacts[key].append(metadata_of(metadata_row))
                except DataError:  # left out of the catalog too, which said so
                    continue

    @property
    def seq(self) -> int:
        """The number of the commit."""
        return self._state.seq

    # --- models ------------------------------------------------------------------------------------

    def find_model(self, text: str) -> Model:
        """Find a model that had data then, by name or id.

        Raises:
            NotFound: There was none.
            Conflict: Two went by that name.
        """
        _, name = parse_scoped_name(text)
        names = self._names()
        found = [model for model in names.values() if model.name == name] or [m for m in names.values() if m.id == name]
        if not found:
            defined = self._parts.find_definition(self._namespace, name)
            found = [model for model in names.values() if defined is not None and model.id == defined.id]
        if not found:
            raise NotFound(
                f"Model not found at commit {self.seq}: {text}", hint=f"swamp data list --as-of {self.seq}", key=text
            )
        if len(found) > 1:
            shown = ", ".join(f"`{model.type}/{model.id}`" for model in found)
            raise Conflict(
                f"several models were called `{name}`: {shown}", hint="use the model's id instead of its name", key=name
            )
        return found[0]

    def _names(self) -> dict[tuple[str, str], Model]:
        models: dict[tuple[str, str], Model] = {}
        for key, versions in self._artifacts.items():
            identity = key.type_normalized, key.model_id
            known = models.get(identity)
            if known is None or not known.name:
                name = next((m.tags["modelName"] for m in reversed(versions) if m.tags.get("modelName")), "")
                models[identity] = Model(*identity, name)
        return models

    def list_models(self) -> Summaries:
        """Sum up every model that had data."""
        summaries: Summaries = []
        for (model_type, model_id), model in self._names().items():
            rows = [r for k, r in self._rows.items() if (k.type_normalized, k.model_id) == (model_type, model_id) and r]
            if rows:
                sizes = (row.size for of_artifact in rows for row in of_artifact)
                counts = (len(rows), sum(len(of_artifact) for of_artifact in rows), sum(sizes))
                summaries.append(ModelSummary(self._namespace.name, model_type, model_id, model.name, *counts))
        return sorted(summaries, key=lambda s: (s.model_name, s.type_normalized, s.model_id))

    # --- artifacts ---------------------------------------------------------------------------------

    def list(self, model: str, *, data_type: str | None = None) -> Listings:
        """List the version that was the latest of each artifact of a model.

        Raises:
            NotFound: No such model had data.
        """
        owner = self.find_model(model)
        latest = [max(rows, key=lambda row: row.version) for key, rows in self._of_model(owner) if rows]
        kept = tuple(row for row in latest if data_type is None or row.data_type == data_type)
        return [ModelListing(self._namespace, owner, kept)]

    def _of_model(self, model: Model) -> Iterable[tuple[ArtifactKey, Rows]]:
        for key, rows in self._rows.items():
            if (key.type_normalized, key.model_id) == (model.type, model.id):
                yield key, rows

    def versions(self, model: str, name: str) -> tuple[Model, History]:
        """List the versions that an artifact had, newest first.

        Raises:
            NotFound: There was no such model or artifact.
        """
        owner = self.find_model(model)
        found = self._artifacts.get(ArtifactKey(self._namespace.name, owner.type, owner.id, name))
        if not found:
            raise self._missing(model, name)
        return owner, found[::-1]

    def get(self, model: str, name: str, *, version: int | None = None) -> Version:
        """Find one version of an artifact, by default the one that was the latest.

        Raises:
            NotFound: There was no such model, artifact or version.
        """
        owner, found = self.versions(model, name)
        chosen = next((m for m in found if version in (None, m.version)), None)
        if chosen is None or (version is None and chosen.is_deleted):
            forward = chosen.renamed_to if chosen is not None else None
            raise self._missing(
                model, name, version, hint=None if forward is None else f"it was renamed to {forward} by then"
            )
        path = self._parts.store_of(self._namespace).content_path(owner, name, version=chosen.version)
        return Version(self._namespace, owner, chosen, path)

    def _missing(self, model: str, name: str, version: int | None = None, *, hint: str | None = None) -> NotFound:
        which = f" (version {version})" if version is not None else ""
        return NotFound(
            f'Data not found at commit {self.seq}: "{name}" for model "{model}"{which}',
            hint=hint or f"swamp data list {model} --as-of {self.seq}",
            key=name,
        )

    def read(self, version: Version) -> Iterator[bytes]:
        """Stream the content of a version from the bucket; its digest is verified at the end.

        Raises:
            NotFound: The content was vacuumed.
            DataError: It is not what the log names.
        """
        directory = f"data/{version.model.type}/{version.model.id}/{version.metadata.name}/{version.metadata.version}"
        path = f"{directory}/{RAW_FILE}"
        file = self._state.files.get(path)
        log = self._parts.syncing.syncer_of(self._namespace).clone.log
        if file is None:
            raise DataError(f"the log has no content of `{directory}`", hint="swamp datastore verify", key=path)
        digest, size = hashlib.sha256(), 0
        try:
            with log.store.open(log.layout.key(file.key or path)) as (_, chunks):
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except ObjectNotFound as error:
            raise NotFound(
                f"the content of `{version.metadata.name}` v{version.metadata.version} is gone: it was removed and"
                " then vacuumed",
                hint=f"swamp datastore log --path {directory}",
                key=error.key,
            ) from error
        if (digest.hexdigest(), size) != (file.sha256, file.size):
            raise DataError(
                f"the object of `{path}` does not hold the content that the log names",
                hint="swamp datastore verify --content",
                key=path,
            )
