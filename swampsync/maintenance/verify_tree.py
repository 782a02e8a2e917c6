"""Verifying a directory: every version is read, its digest compared, and the catalog compared with the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.scan import RAW_NAME, ArtifactScan, read_version, walk_artifacts
from swampsync.artifacts.scan import Problem as TreeProblem
from swampsync.disk import Disk
from swampsync.layout import Layout
from swampsync.log.verify import Problem, ProblemKind
from swampsync.maintenance.reindex import ReindexResult

_CHUNK = 1 << 20

Progress = Callable[[int, int | None], None]


def _ignore(_done: int, _total: int | None) -> None:
    pass


@dataclass(slots=True)
class TreeVerification:
    """What was found.

    Attributes:
        problems: Everything that is wrong.
        versions: How many whole versions were read.
        size: Bytes of their content.
    """

    problems: list[Problem] = field(default_factory=list)
    versions: int = 0
    size: int = 0


def verify_tree(disk: Disk, layout: Layout, *, progress: Progress = _ignore) -> TreeVerification:
    """Read every version of a namespace and compare size and digest with its metadata; writes nothing, takes no lock.

    Args:
        disk: Where it lies.
        layout: Of the namespace.
        progress: Told how many versions were read.
    """
    found = TreeVerification()

    def report(problem: TreeProblem) -> None:
        found.problems.append(_of_tree(problem))

    for _type, _id, scan in walk_artifacts(disk, layout, on_problem=report):
        found.problems.extend(map(_of_tree, scan.problems))
        for metadata in scan.versions:
            found.versions += 1
            found.size += metadata.size or 0
            found.problems.extend(_find_wrong_content(disk, scan, metadata))
            progress(found.versions, None)
    found.problems.sort(key=lambda problem: problem.key)
    return found


def _of_tree(problem: TreeProblem) -> Problem:
    detail = problem.reason if problem.path in problem.reason else f"`{problem.path}` {problem.reason}"
    return Problem(ProblemKind.VERSION_DAMAGED, problem.path, detail)


def _find_wrong_content(disk: Disk, scan: ArtifactScan, metadata: Metadata) -> Iterator[Problem]:
    path = f"{scan.path}/{metadata.version}/{RAW_NAME}"
    try:
        if _is_right(disk, path, metadata):
            return
        # An append rewrites both files: what does not fit is looked at once more.
        again = read_version(disk, scan.path, scan.name, metadata.version)
        if isinstance(again, Metadata) and not _is_right(disk, path, again):
            detail = f"`{path}` does not hold the bytes whose digest its metadata names"
            yield Problem(ProblemKind.CONTENT_DIFFERS, path, detail)
    except FileNotFoundError:
        return  # deleted since it was scanned
    except OSError as error:
        yield Problem(ProblemKind.VERSION_DAMAGED, path, f"`{path}` cannot be read: {error.strerror or error}")


def _is_right(disk: Disk, path: str, metadata: Metadata) -> bool:
    if metadata.checksum is None:
        return True  # markers and what swamp writes without one
    digest, left = hashlib.sha256(), metadata.size
    with disk.open_read(path) as stream:
        while chunk := stream.read(_CHUNK if left is None else min(_CHUNK, left)):
            digest.update(chunk)
            left = None if left is None else left - len(chunk)
    return digest.hexdigest() == metadata.checksum


def find_wrong_rows(compared: ReindexResult, *, catalog_path: str) -> list[Problem]:
    """Say what is wrong with the catalog, if anything."""
    if compared.is_empty:
        return []
    detail = (
        f"the catalog lacks {compared.added:,} rows, has {compared.changed:,} that are wrong and"
        f" {compared.removed:,} too many"
    )
    return [Problem(ProblemKind.CATALOG_DIFFERS, catalog_path, detail)]
