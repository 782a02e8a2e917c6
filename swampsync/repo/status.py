"""What a repo is, where its data lies and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from swampsync.repo.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoStatus:
    """A repo at a glance, from the catalog as it stands."""

    path: str
    repo_id: str | None
    version: str
    datastore_type: str
    datastore_path: str
    namespace: str
    namespace_source: str
    models: int
    artifacts: int
    versions: int
    size: int

    def to_json(self) -> dict[str, Any]:
        """Make the document that `repo status` prints."""
        return {
            "path": self.path,
            "repoId": self.repo_id,
            "swampVersion": self.version,
            "datastore": {"type": self.datastore_type, "path": self.datastore_path},
            "namespace": self.namespace,
            "namespaceSource": self.namespace_source,
            "models": self.models,
            "artifacts": self.artifacts,
            "versions": self.versions,
            "size": self.size,
        }

    def lines(self) -> list[tuple[str, str]]:
        """Make the lines that a person reads."""
        return [
            ("Repo", self.path),
            ("Repo id", self.repo_id or "none yet"),
            ("Datastore", f"{self.datastore_path} ({self.datastore_type})"),
            ("Namespace", f"{self.namespace or '(solo)'} (source: {self.namespace_source})"),
            ("Holds", f"{self.models:,} models, {self.artifacts:,} artifacts, {self.versions:,} versions"),
        ]


def read_status(parts: Parts) -> RepoStatus:
    """Read a repo's status; looks at the catalog only."""
    config = parts.config
    summaries = parts.catalog.model_summaries(config.namespace.name)
    return RepoStatus(
        path=config.repo_dir,
        repo_id=config.repo_id,
        version=config.swamp_version,
        datastore_type=config.datastore.type,
        datastore_path=parts.datastore_place,
        namespace=config.namespace.name,
        namespace_source=config.namespace_choice.source,
        models=len(summaries),
        artifacts=sum(s.artifacts for s in summaries),
        versions=sum(s.versions for s in summaries),
        size=sum(s.size for s in summaries),
    )
