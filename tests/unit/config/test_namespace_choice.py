from __future__ import annotations

from itertools import product

import pytest

from swampsync.config.namespace_choice import derive_from_repo, resolve_namespace
from swampsync.errors import InvalidInput
from swampsync.namespace import SOLO

FLAGS = [None, "flag"]
VARIABLES = [None, "", "variable"]
FILES = [None, "", "file"]


@pytest.mark.parametrize(("flag", "variable", "file_value"), list(product(FLAGS, VARIABLES, FILES)))
def test_resolution_matrix(flag: str | None, variable: str | None, file_value: str | None) -> None:
    """`-n`, then `SWAMP_NAMESPACE`, then the file, then solo; what is empty counts as not set."""
    environ = {} if variable is None else {"SWAMP_NAMESPACE": variable}
    choice = resolve_namespace(flag=flag, environ=environ, file_value=file_value)
    assert choice.namespace.name == (flag or variable or file_value or "")
    expected = "flag" if flag else "SWAMP_NAMESPACE" if variable else ".swamp.yaml" if file_value else "default"
    assert choice.source == expected
    chosen = [line for line in choice.explanation if line.endswith("chosen")]
    assert len(chosen) == 1
    assert len(choice.explanation) == (4 if choice.source == "default" else 3)


def test_solo_is_chosen_by_nobody_saying_anything() -> None:
    """Without any setting there is no namespace."""
    assert resolve_namespace(flag=None, environ={}, file_value=None).namespace is SOLO


def test_explanation_names_each_place_in_order() -> None:
    """People see what was looked at, and why it did not count."""
    choice = resolve_namespace(flag=None, environ={"SWAMP_NAMESPACE": ""}, file_value="infra")
    assert choice.explanation == (
        "flag `-n`: not set",
        "`SWAMP_NAMESPACE`: empty, which counts as not set",
        "`datastore.namespace` of `.swamp.yaml`: `infra`, chosen",
    )


def test_empty_flag_is_refused() -> None:
    """`-n "$UNSET"` must not write into solo."""
    with pytest.raises(InvalidInput, match="flag `-n`: a namespace cannot be empty"):
        resolve_namespace(flag="", environ={}, file_value="infra")


@pytest.mark.parametrize("name", ["../x", "data", "a/b", "Ä", "a" * 65, "a-"])
@pytest.mark.parametrize("place", ["flag", "variable", "file"])
def test_invalid_name_is_refused_wherever_it_comes_from(name: str, place: str) -> None:
    """The error names the place, so that people know what to correct."""
    with pytest.raises(InvalidInput, match={"flag": "-n", "variable": "SWAMP_NAMESPACE", "file": "swamp.yaml"}[place]):
        resolve_namespace(
            flag=name if place == "flag" else None,
            environ={"SWAMP_NAMESPACE": name} if place == "variable" else {},
            file_value=name if place == "file" else None,
        )


def test_what_is_not_chosen_need_not_be_valid() -> None:
    """`-n` gets people out of a configuration with a name that is refused."""
    choice = resolve_namespace(flag="infra", environ={}, file_value="data")
    assert choice.namespace.name == "infra"
    assert "`data`, not needed" in choice.explanation[2]


@pytest.mark.parametrize(
    ("repo_dir", "name"), [("/x/My Repo", "my-repo"), ("/x/data/", "data-repo"), ("/a/b_c", "b_c")]
)
def test_name_is_derived_from_the_directory(repo_dir: str, name: str) -> None:
    """`namespace set` without a name takes the directory's, made valid."""
    assert derive_from_repo(repo_dir).name == name


def test_nothing_is_derived_from_the_root() -> None:
    """The root directory has no name."""
    with pytest.raises(InvalidInput):
        derive_from_repo("/")
