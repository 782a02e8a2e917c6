"""Reading the version tree: which models, artifacts and whole versions there are.

A version is whole if its metadata is valid and `raw` has at least `size` bytes. What is not whole is reported beside
what is, so that one bad file hides nothing else. A scan costs few system calls a version: three to read the metadata
and one to look at `raw`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from swampsync.artifacts.metadata import Metadata
from swampsync.artifacts.metadata_yaml import parse_metadata
from swampsync.artifacts.model import normalise_type
from swampsync.disk import Disk, DiskEntry, Kind
from swampsync.errors import DataError, InvalidInput
from swampsync.layout import Layout

METADATA_NAME = "metadata.yaml"
RAW_NAME = "raw"
LATEST_NAME = "latest"

_LEADING_NUMBER = re.compile(r"\s*([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the tree that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ArtifactScan:
    """What one artifact's directory holds.

    Args:
        path: The artifact's directory.
        name: Its name.
        versions: Metadata of the whole versions, lowest first.
        incomplete: Numbers whose directories hold no whole version, lowest first.
        marker: What `latest` says, if anything.
        latest: The version that readers get: the marker's if it is whole, else the highest whole one.
        problems: What could not be used; an empty directory of a dead writer is none.
    """

    path: str
    name: str
    versions: tuple[Metadata, ...]
    incomplete: tuple[int, ...]
    marker: int | None
    latest: int | None
    problems: tuple[Problem, ...]

    @property
    def highest(self) -> int:
        """The highest number on disk, whole or not; 0 if there is none."""
        return max(self.versions[-1].version if self.versions else 0, self.incomplete[-1] if self.incomplete else 0)

    @property
    def latest_metadata(self) -> Metadata | None:
        """Metadata of the version that readers get."""
        return next((m for m in reversed(self.versions) if m.version == self.latest), None)


def parse_version(name: str) -> int | None:
    """Read a version directory's name: decimal, above zero, no leading zero."""
    return int(name) if name.isascii() and name.isdecimal() and name[0] != "0" and len(name) < 19 else None


def list_numbers(disk: Disk, path: str) -> list[int]:
    """List the numbers of an artifact's version directories, lowest first; none if it does not exist."""
    try:
        entries = disk.scandir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    numbers = (parse_version(entry.name) for entry in entries if entry.kind is Kind.DIRECTORY)
    return sorted(number for number in numbers if number is not None)


def read_marker(disk: Disk, path: str) -> int | None:
    """Read what an artifact's `latest` says, a legacy symbolic link included."""
    marker = f"{path}/{LATEST_NAME}"
    try:
        text = disk.read_bytes(marker).decode("ascii", "replace")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        try:
            text = disk.readlink(marker).rpartition("/")[2]
        except OSError:
            return None
    match = _LEADING_NUMBER.match(text)
    return int(match[1]) if match is not None and int(match[1]) > 0 else None


def read_version(disk: Disk, path: str, name: str, number: int) -> Metadata | Problem | None:
    """Read one version: its metadata if it is whole, a problem if it is damaged, `None` if nothing was published.

    Args:
        disk: Where it lies.
        path: The artifact's directory.
        name: The artifact's name, which the metadata must repeat.
        number: Which version.
    """
    metadata_path = f"{path}/{number}/{METADATA_NAME}"
    raw_path = f"{path}/{number}/{RAW_NAME}"
    try:
        metadata = parse_metadata(disk.read_bytes(metadata_path), path=metadata_path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DataError as error:
        return Problem(metadata_path, error.message)
    except OSError as error:
        return Problem(metadata_path, error.strerror or str(error))
    if metadata.version != number or metadata.name != name:
        return Problem(metadata_path, f"describes version {metadata.version} of `{metadata.name}`")
    try:
        raw = disk.stat(raw_path)
    except FileNotFoundError:
        return Problem(raw_path, "is missing")
    except OSError as error:
        return Problem(raw_path, error.strerror or str(error))
    if raw.kind is not Kind.FILE:
        return Problem(raw_path, "is no regular file")
    if metadata.size is not None and raw.size < metadata.size:
        return Problem(raw_path, f"has {raw.size} of {metadata.size} bytes")
    return metadata


def scan_artifact(disk: Disk, path: str) -> ArtifactScan:
    """Read every version of one artifact.

    Args:
        disk: Where it lies.
        path: The artifact's directory; one that does not exist has no versions.
    """
    name = path.rpartition("/")[2]
    versions: list[Metadata] = []
    incomplete: list[int] = []
    problems: list[Problem] = []
    numbers: list[int] = []
    has_marker = False
    for entry in _list_directory(disk, path, problems):
        number = parse_version(entry.name)
        if number is not None and entry.kind is Kind.DIRECTORY:
            numbers.append(number)
        elif number is not None:
            problems.append(Problem(f"{path}/{entry.name}", "is no directory, and links are not followed"))
        elif entry.name == LATEST_NAME:
            has_marker = True
    for number in sorted(numbers):
        found = read_version(disk, path, name, number)
        if isinstance(found, Metadata):
            versions.append(found)
        else:
            incomplete.append(number)
            if found is not None:
                problems.append(found)
    marker = read_marker(disk, path) if has_marker else None
    latest = versions[-1].version if versions else None
    if marker is not None and any(version.version == marker for version in versions):
        latest = marker
    elif marker is not None and latest is not None:
        problems.append(Problem(f"{path}/{LATEST_NAME}", f"names version {marker}, which is not whole"))
    return ArtifactScan(path, name, tuple(versions), tuple(incomplete), marker, latest, tuple(problems))


def scan_model(disk: Disk, path: str) -> Iterator[ArtifactScan]:
    """Scan every artifact of a model's directory, by name; what cannot be listed is a scan with a problem."""
    problems: list[Problem] = []
    for entry in sorted(_list_directory(disk, path, problems), key=lambda entry: entry.name):
        child = f"{path}/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.kind is Kind.DIRECTORY:
            yield scan_artifact(disk, child)
        elif entry.kind is Kind.LINK:
            yield _empty_scan(child, Problem(child, "is a symbolic link, which is not followed"))
    for problem in problems:
        yield _empty_scan(path, problem)


def walk_models(
    disk: Disk, data_root: str, *, on_problem: Callable[[Problem], None] | None = None
) -> Iterator[tuple[str, str, str]]:
    """Find every model that has published data: type, id and directory, in order of path.

    A directory is a model's if it lies at least two levels deep and one of its children holds a numeric directory with
    a `metadata.yaml` in it. Links to directories are not followed.

    Args:
        disk: Where it lies.
        data_root: The `data` directory; it need not exist.
        on_problem: Told of directories that cannot be read and of types that are not normalised.
    """

    def report(problem: Problem) -> None:
        if on_problem is not None:
            on_problem(problem)

    def visit(path: str, segments: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
        problems: list[Problem] = []
        entries = sorted(_list_directory(disk, path, problems), key=lambda entry: entry.name)
        for problem in problems:
            report(problem)
        names = [e.name for e in entries if e.kind is Kind.DIRECTORY and not e.name.startswith(".")]
        if len(segments) >= 2 and any(_is_artifact(disk, f"{path}/{name}") for name in names):
            model_type = "/".join(segments[:-1])
            if _is_normalised(model_type):
                yield model_type, segments[-1], path
            else:
                report(Problem(path, f"`{model_type}` is no model type as swamp writes them"))
            return
        for entry in entries:
            if entry.kind is Kind.LINK and entry.name != LATEST_NAME:
                report(Problem(f"{path}/{entry.name}", "is a symbolic link, which is not followed"))
        for name in names:
            yield from visit(f"{path}/{name}", (*segments, name))

    return visit(data_root, ())


def walk_artifacts(
    disk: Disk, layout: Layout, *, on_problem: Callable[[Problem], None] | None = None
) -> Iterator[tuple[str, str, ArtifactScan]]:
    """Scan every artifact of a namespace, wherever its layout puts it: type, model id and scan.

    Where patterns keep part of `data/` in the repo, an artifact counts only in the place that the layout names.
    """
    for root in layout.data_roots():
        for model_type, model_id, path in walk_models(disk, root, on_problem=on_problem):
            for scan in scan_model(disk, path):
                if scan.path == path or layout.resolve("data", model_type, model_id, scan.name) == scan.path:
                    yield model_type, model_id, scan


def _list_directory(disk: Disk, path: str, problems: list[Problem]) -> list[DiskEntry]:
    try:
        return disk.scandir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []  # removed since its parent was listed
    except OSError as error:
        problems.append(Problem(path, error.strerror or str(error)))
        return []


def _empty_scan(path: str, problem: Problem) -> ArtifactScan:
    return ArtifactScan(path, path.rpartition("/")[2], (), (), None, None, (problem,))


def _is_artifact(disk: Disk, path: str) -> bool:
    try:
        entries = disk.scandir(path)
    except OSError:
        return False  # visited, or scanned with its model, and reported there
    for entry in entries:
        if entry.kind is Kind.DIRECTORY and parse_version(entry.name) is not None:
            try:
                if disk.stat(f"{path}/{entry.name}/{METADATA_NAME}").kind is not Kind.DIRECTORY:
                    return True
            except OSError:
                continue
    return False


def _is_normalised(model_type: str) -> bool:
    try:
        return normalise_type(model_type) == model_type
    except InvalidInput:
        return False
