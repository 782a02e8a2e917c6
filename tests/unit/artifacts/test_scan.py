from __future__ import annotations

import os
from typing import Any

import pytest

from swampsync.artifacts.model import Model
from swampsync.artifacts.scan import Problem, parse_version, scan_artifact, scan_model, walk_artifacts, walk_models
from swampsync.disk import Disk, DiskEntry, LocalDisk
from swampsync.layout import Layout

FIXTURES = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "fixtures"))
DATA = "/base/infra/data"


def walk(kit: Any) -> tuple[list[tuple[str, str, str]], list[Problem]]:
    """Walk a kit's tree; return what was found and what was reported."""
    problems: list[Problem] = []
    return list(walk_models(kit.disk, DATA, on_problem=problems.append)), problems


def test_fixture_tree_is_walked_whole() -> None:
    """Both namespaces of the tree that swamp wrote give their models, artifacts and versions, without a problem."""
    problems: list[Problem] = []
    for namespace, versions in (("infra", 12), ("app", 12)):
        root = f"{FIXTURES}/swamp-shared/datastore/{namespace}/data"
        models = list(walk_models(LocalDisk(), root, on_problem=problems.append))
        assert {model_type for model_type, _, _ in models} == {"command/shell"}
        assert len(models) == 2
        scans = [scan for _, _, path in models for scan in scan_model(LocalDisk(), path)]
        assert sum(len(scan.versions) for scan in scans) == versions
        assert all(scan.latest == scan.marker == scan.versions[-1].version and not scan.incomplete for scan in scans)
        problems += [problem for scan in scans for problem in scan.problems]
    assert problems == []


def test_numeric_artifact_names_are_not_versions(kit: Any) -> None:
    """Core fact 10.1.3: a directory is a version's only if it holds metadata, so `207333` is an artifact."""
    kit.put("207333", b"x")
    kit.put("7", b"y")
    assert walk(kit) == ([("command/shell", kit.model.id, f"{DATA}/command/shell/{kit.model.id}")], [])
    scans = list(scan_model(kit.disk, f"{DATA}/command/shell/{kit.model.id}"))
    assert [(scan.name, scan.latest) for scan in scans] == [("207333", 1), ("7", 1)]


def test_nested_and_scoped_types_are_walked(kit: Any) -> None:
    """Core fact 10.1.4: types of one, two and more segments are all found by the one walk."""
    types = ["plain", "command/shell", "@acme/widget/foo/bar"]
    for model_type in types:
        kit.model = Model(model_type, f"id-of-{model_type.count('/')}", "m")
        kit.put("out", b"x")
    assert sorted((found[0], found[1]) for found in walk(kit)[0]) == sorted(
        (model_type, f"id-of-{model_type.count('/')}") for model_type in types
    )


def test_walk_reports_what_it_does_not_follow(kit: Any) -> None:
    """Links and types that swamp would not write are problems; files and dotted directories are passed over."""
    kit.put("out", b"x")
    kit.disk.symlink(f"{DATA}/command", f"{DATA}/loop")
    kit.write(f"{DATA}/Upper/id/out/1/metadata.yaml", b"")
    kit.write(f"{DATA}/_catalog.db", b"")
    kit.write(f"{DATA}/.trash/a/b/out/1/metadata.yaml", b"")
    kit.write(f"{DATA}/shallow/1/metadata.yaml", b"")
    models, problems = walk(kit)
    assert [found[0] for found in models] == ["command/shell"]
    assert [(problem.path, problem.reason.partition(",")[0]) for problem in problems] == [
        (f"{DATA}/loop", "is a symbolic link"),
        (f"{DATA}/Upper/id", "`Upper` is no model type as swamp writes them"),
    ]


def test_walk_of_nothing_finds_nothing(kit: Any) -> None:
    """A data directory that does not exist is no error."""
    assert walk(kit) == ([], [])


class Unreadable(LocalDisk):
    """A disk on which some directories may not be listed."""

    def __init__(self, inner: Disk, *denied: str) -> None:
        self.inner = inner
        self.denied = denied

    def scandir(self, path: str) -> list[DiskEntry]:
        if path in self.denied:
            raise PermissionError(13, "Permission denied", path)
        return self.inner.scandir(path)

    def __getattribute__(self, name: str) -> Any:
        if name in {"inner", "denied", "scandir"}:
            return object.__getattribute__(self, name)
        return getattr(self.inner, name)


def test_directory_that_cannot_be_listed_hides_no_other(kit: Any) -> None:
    """A type, a model or an artifact that may not be read is reported, and the rest is still found."""
    kit.put("out", b"x")
    kit.put("more", b"x")
    kit.write(f"{DATA}/denied/x", b"")
    model_path = f"{DATA}/command/shell/{kit.model.id}"
    disk = Unreadable(kit.disk, f"{DATA}/denied", f"{model_path}/more")
    problems: list[Problem] = []
    models = list(walk_models(disk, DATA, on_problem=problems.append))
    assert models == [("command/shell", kit.model.id, model_path)]
    assert problems == [Problem(f"{DATA}/denied", "Permission denied")]
    scans = {scan.name: scan for scan in scan_model(disk, model_path)}
    assert scans["out"].latest == 1
    assert (scans["more"].latest, scans["more"].problems) == (
        None,
        (Problem(f"{model_path}/more", "Permission denied"),),
    )
    denied = list(scan_model(Unreadable(kit.disk, model_path), model_path))
    assert [scan.problems for scan in denied] == [(Problem(model_path, "Permission denied"),)]


@pytest.mark.holds("I2")
def test_only_whole_versions_count(kit: Any) -> None:
    """Metadata missing, empty, foreign or wrong, content missing or short: reported, and the rest stays."""
    for number in range(1, 10):
        kit.put("out", b"content%d" % number)
    path = kit.path("out")
    kit.disk.unlink(f"{path}/1/metadata.yaml")
    kit.write(f"{path}/2/metadata.yaml", b"")
    kit.disk.unlink(f"{path}/3/raw")
    kit.write(f"{path}/4/raw", b"cont")
    kit.write(f"{path}/5/metadata.yaml", kit.disk.read_bytes(f"{path}/6/metadata.yaml"))
    kit.disk.unlink(f"{path}/7/raw")
    kit.disk.symlink(f"{path}/6/raw", f"{path}/7/raw")
    kit.write(f"{path}/8/raw", b"content8 and what is being appended")
    kit.disk.mkdir(f"{path}/10")
    kit.disk.symlink("6", f"{path}/11")
    kit.write(f"{path}/12abc/metadata.yaml", b"")
    scan = scan_artifact(kit.disk, path)
    assert [version.version for version in scan.versions] == [6, 8, 9]
    assert (scan.incomplete, scan.marker, scan.latest, scan.highest) == ((1, 2, 3, 4, 5, 7, 10), 9, 9, 10)
    assert {problem.path.removeprefix(path): problem.reason for problem in scan.problems} == {
        "/2/metadata.yaml": f"`{path}/2/metadata.yaml`: empty",
        "/3/raw": "is missing",
        "/4/raw": "has 4 of 8 bytes",
        "/5/metadata.yaml": "describes version 6 of `out`",
        "/7/raw": "is no regular file",
        "/11": "is no directory, and links are not followed",
    }


def test_bad_metadata_hides_no_other_artifact(kit: Any) -> None:
    """One unreadable file costs its own version only: neither the model nor another artifact."""
    kit.put("bad", b"x")
    kit.put("good", b"y")
    kit.write(f"{kit.path('bad')}/1/metadata.yaml", b"\xff")
    found = {scan.name: (scan.latest, len(scan.problems)) for _, _, scan in walk_artifacts(kit.disk, kit.layout)}
    assert found == {"bad": (None, 1), "good": (1, 0)}


def test_marker_that_names_no_whole_version_is_reported(kit: Any) -> None:
    """Readers get the highest whole version, and are told why."""
    kit.put("out", b"x")
    kit.write(f"{kit.path('out')}/latest", b"5")
    scan = scan_artifact(kit.disk, kit.path("out"))
    assert (scan.marker, scan.latest) == (5, 1)
    assert scan.problems == (Problem(f"{kit.path('out')}/latest", "names version 5, which is not whole"),)
    assert scan.latest_metadata == scan.versions[0]


def test_artifact_counts_where_the_layout_puts_it(kit: Any) -> None:
    """With part of `data/` kept in the repo, an artifact is found once, in the place that the layout names."""
    kit.put("secret", b"old copy in the datastore")
    layout = Layout("/repo", "/base", kit.layout.namespace, is_excluded=lambda path: path.endswith("/secret"))
    own = type(kit)(kit.disk, layout)
    own.put("secret", b"s")
    own.put("open", b"o")
    found = [(scan.name, scan.path.startswith("/repo")) for _, _, scan in walk_artifacts(kit.disk, layout)]
    assert sorted(found) == [("open", False), ("secret", True)]


@pytest.mark.parametrize(
    ("name", "number"),
    [("1", 1), ("10", 10), *((name, None) for name in ("0", "01", "-1", "1a", "", "\u0663", "9" * 19))],
)
def test_version_names_are_plain_numbers(name: str, number: int | None) -> None:
    """A version directory is a decimal above zero, without a leading zero or anything else."""
    assert parse_version(name) == number


def test_scan_costs_four_calls_a_version(kit: Any) -> None:
    """One read of the metadata and one look at `raw` for each version, whatever its size."""
    for _ in range(20):
        kit.put("out", b"x" * 100_000)
    before = kit.disk.operations
    scan_artifact(kit.disk, kit.path("out"))
    assert kit.disk.operations - before == 20 * 2 + 2
