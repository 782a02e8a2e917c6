"""What a person gets when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Place, Swamp, run_script


def everything_below(directory: Path) -> dict[Path, bytes | None]:
    return {p: p.read_bytes() if p.is_file() else None for p in directory.rglob("*") if not p.name.startswith("_")}


BAD_NAMESPACES = ["../x", "data", "a/b", "Ä", "a" * 65, "x-", "", "con", "A", "-a", "a b", "a\n"]


@pytest.mark.parametrize("name", BAD_NAMESPACES, ids=ascii)
def test_bad_namespaces_create_nothing(swamp: Swamp, solo: Path, name: str) -> None:
    """A namespace that cannot be used is refused with exit 2 wherever it comes from, and leaves no file behind."""
    before = everything_below(solo.parent)
    for arguments in (
        ["-n", name, "data", "list"],
        ["data", "put", "m", "x", "-n", name],
        ["datastore", "namespace", "set", "--", name],
        ["-n", name, "data", "gc", "-y"],
    ):
        outcome = swamp(solo, *arguments, "--json") if "--" not in arguments else swamp(solo, "--json", *arguments)
        assert (outcome.status, outcome.out) == (2, b""), arguments
        assert json.loads(outcome.err)["code"] == "invalid_input"
    if name:
        outcome = swamp(solo, "data", "list", env={"SWAMP_NAMESPACE": name})
        assert outcome.status == 2
        assert "SWAMP_NAMESPACE" in outcome.err
    assert everything_below(solo.parent) == before


def test_an_empty_namespace_variable_counts_as_unset(swamp: Swamp, solo: Path) -> None:
    """SWAMP_NAMESPACE set to nothing leaves the repo in solo mode."""
    assert swamp(solo, "namespace", "resolve", env={"SWAMP_NAMESPACE": ""}).text == "(solo) (source: default)\n"


def test_a_namespace_in_the_file_that_we_refuse_is_an_error_with_a_way_out(swamp: Swamp, solo: Path) -> None:
    """A configuration that swamp accepted, with a namespace called data, is refused with line and hint."""
    path = solo / ".swamp.yaml"
    path.write_text(path.read_text() + "datastore:\n  type: filesystem\n  path: .swamp\n  namespace: data\n")
    outcome = swamp(solo, "data", "list")
    assert outcome.status == 2
    assert ".swamp.yaml:9" in outcome.err
    assert "hint: " in outcome.err


def test_malformed_configuration_names_line_and_column(swamp: Swamp, solo: Path) -> None:
    """A malformed .swamp.yaml is an error with line and column, and stays as it is."""
    path = solo / ".swamp.yaml"
    path.write_text("swampVersion: 1.2.3\n  tools: [\n")
    outcome = swamp(solo, "data", "put", "m", "x", stdin="1")
    assert outcome.status == 2
    assert ".swamp.yaml:2:" in outcome.err
    assert path.read_text() == "swampVersion: 1.2.3\n  tools: [\n"


def test_outside_a_repo_nothing_is_created(swamp: Swamp, tmp_path: Path) -> None:
    """A command outside a repo says how to make one, in swamp's words, and creates nothing."""
    outcome = swamp(tmp_path, "data", "list", "--json")
    assert outcome.status == 1
    assert outcome.error["error"].startswith(f"Not a swamp repository: {tmp_path}. To initialize a new repository")
    assert list(tmp_path.iterdir()) == []


def test_unknown_commands_suggest_the_nearest(swamp: Swamp, tmp_path: Path) -> None:
    """A mistyped command is a usage error that names the nearest one."""
    outcome = swamp(tmp_path, "data", "lst")
    assert (outcome.status, outcome.err) == (
        2,
        "Error: unknown command `data lst`\nhint: did you mean: swamp data list\n",
    )


def test_commands_of_the_original_name_the_other_program(tmp_path: Path) -> None:
    """For a command that only the original has, the error names the next swamp on PATH."""
    other = tmp_path / "bin" / "swamp"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    outcome = run_script(tmp_path, "workflow", "run", "x", env={"PATH": f"{other.parent}:/usr/bin:/bin"})
    assert outcome.status == 2
    assert f"hint: {other} workflow" in outcome.err


def test_unknown_options_are_usage_errors(swamp: Swamp, solo: Path) -> None:
    """An unknown option is a usage error, as text and as JSON."""
    outcome = swamp(solo, "data", "list", "--bogus")
    assert outcome.status == 2
    assert "Error: No such option: --bogus" in outcome.err
    outcome = swamp(solo, "data", "list", "--bogus", "--json")
    assert (outcome.status, outcome.error["code"]) == (2, "usage")


def test_a_group_alone_shows_its_help(swamp: Swamp, tmp_path: Path) -> None:
    """A group without a command prints its help; with --json it names its commands and fails, as in swamp."""
    outcome = swamp(tmp_path, "data")
    assert outcome.status == 0
    assert "Commands:" in outcome.text
    outcome = swamp(tmp_path, "datastore", "lock", "--json")
    assert outcome.status == 1
    assert outcome.error == {"error": "No subcommand specified", "availableCommands": ["release", "status"]}


def test_destructive_commands_ask_or_want_yes(swamp: Swamp, place: Place) -> None:
    """Without a terminal and without --yes nothing is destroyed, with --json neither."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    for extra in ([], ["--json"]):
        outcome = swamp(place.first, "data", "delete", "m", "x", *extra)
        assert outcome.status == 1
        assert "--yes" in outcome.err
    assert swamp(place.first, "data", "get", "m", "x", "-o", "-").text == "1"


def test_control_characters_are_never_printed_raw(swamp: Swamp, solo: Path) -> None:
    """A name with an escape sequence reaches the terminal escaped."""
    outcome = swamp(solo, "data", "get", "m\x1b[31m", "x")
    assert outcome.status == 1
    assert "\x1b" not in outcome.err
    assert "\\x1b[31m" in outcome.err


@pytest.mark.parametrize(
    "name", ["latest", "LATEST", ".lock", ".", "..", "a/b", "a\\b", " ", "a\x00b", "x" * 256], ids=ascii
)
def test_bad_artifact_names_are_refused(swamp: Swamp, place: Place, name: str) -> None:
    """An artifact name that collides with internal files is refused, and nothing is written."""
    before = everything_below(place.first.parent)
    outcome = swamp(place.first, "data", "put", "m", "--json", "--", name, stdin="1")
    assert (outcome.status, outcome.error["code"]) == (2, "invalid_input")
    assert everything_below(place.first.parent) == before


@pytest.mark.parametrize("name", ["207333", "ünï", "a b", "x.y", "-", "0"])
def test_unusual_artifact_names_work(swamp: Swamp, place: Place, name: str) -> None:
    """Numeric, non-ASCII and other unusual names are data like any other."""
    swamp(place.first, "data", "put", "m", "--", name, stdin=name).ok()
    assert swamp(place.first, "data", "get", "-o", "-", "--", "m", name).text == name
    document = swamp(place.first, "data", "list", "m", "--json").json
    assert [item["name"] for group in document["groups"] for item in group["items"]] == [name]
