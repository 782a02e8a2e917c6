"""Full metadata of versions, as the log says it, and the highest number that each artifact ever used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from swampsync.catalog.database import Database
from swampsync.catalog.rows import ArtifactKey

_ARTIFACT: Final = "namespace = ? AND type_normalized = ? AND model_id = ? AND data_name = ?"


class MetadataRow(NamedTuple):
    """The metadata of one version."""

    namespace: str
    type_normalized: str
    model_id: str
    data_name: str
    version: int
    json: str  # every field, keys as in JSON
    yaml: bytes | None  # the exact bytes of `metadata.yaml` where our own rendering would differ


class MetadataRows:
    """The metadata of all versions that a log told of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, rows: Iterable[MetadataRow]) -> None:
        """Write metadata, replacing that of the same version."""
        with self._database.atomic() as connection:
            connection.executemany("INSERT OR REPLACE INTO metadata VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def find(self, key: ArtifactKey, version: int) -> MetadataRow | None:
        """Find the metadata of one version, or `None`."""
        sql = f"SELECT * FROM metadata WHERE {_ARTIFACT} AND version = ?"
        with self._database.read() as connection:
            row = connection.execute(sql, (*key, version)).fetchone()
        return None if row is None else MetadataRow._make(row)

    def find_many(self, versions: Iterable[tuple[ArtifactKey, int]]) -> dict[tuple[ArtifactKey, int], MetadataRow]:
        """Find the metadata of many versions; those that are not known are missing from the result."""
        sql = f"SELECT * FROM metadata WHERE {_ARTIFACT} AND version = ?"
        found: dict[tuple[ArtifactKey, int], MetadataRow] = {}
        with self._database.read() as connection:
            for key, version in versions:
                row = connection.execute(sql, (*key, version)).fetchone()
                if row is not None:
                    found[key, version] = MetadataRow(*row)
        return found

    def of_artifacts(self, keys: Iterable[ArtifactKey]) -> list[tuple[ArtifactKey, list[MetadataRow]]]:
        """List artifacts, each with the metadata of all its versions, the lowest first."""
        sql = f"SELECT * FROM metadata WHERE {_ARTIFACT} ORDER BY version"
        with self._database.read() as connection:
            return [(key, [MetadataRow(*row) for row in connection.execute(sql, key)]) for key in keys]

    def of_artifact(self, key: ArtifactKey) -> list[MetadataRow]:
        """List the metadata of all versions of an artifact, the lowest first."""
        ((_, rows),) = self.of_artifacts([key])
        return rows

    def models(self, namespace: str) -> list[tuple[str, str]]:
        """List the models of a namespace: type and id."""
        sql = "SELECT DISTINCT type_normalized, model_id FROM metadata WHERE namespace = ?"
        with self._database.read() as connection:
            return [(kind, identifier) for kind, identifier in connection.execute(sql, (namespace,))]

    def remove(self, versions: Iterable[tuple[ArtifactKey, int]]) -> None:
        """Forget versions."""
        with self._database.atomic() as connection:
            sql = f"DELETE FROM metadata WHERE {_ARTIFACT} AND version = ?"
            connection.executemany(sql, [(*key, version) for key, version in versions])

    def remove_namespace(self, namespace: str) -> None:
        """Forget a whole namespace."""
        with self._database.atomic() as connection:
            connection.execute("DELETE FROM metadata WHERE namespace = ?", (namespace,))


class HighestVersions:
    """The highest number that each artifact ever used; it never goes down, so that a number is not given twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: ArtifactKey) -> int:
        """Return the highest number known, 0 for none."""
        sql = f"SELECT version FROM highest_versions WHERE {_ARTIFACT}"
        with self._database.read() as connection:
            row = connection.execute(sql, key).fetchone()
        return 0 if row is None else int(row[0])

    def raise_to(self, versions: Iterable[tuple[ArtifactKey, int]]) -> None:
        """Note numbers that were seen; lower ones than known change nothing."""
        with self._database.atomic() as connection:
            connection.executemany(
                "INSERT INTO highest_versions VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET version = excluded.version WHERE excluded.version > version",
                [(*key, version) for key, version in versions],
            )
