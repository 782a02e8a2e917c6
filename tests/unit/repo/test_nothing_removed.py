"""Why there is nothing to undelete, for namespaces of any size."""

from __future__ import annotations

from swampsync.artifacts.model import Model
from swampsync.log.rows import FilePut
from swampsync.log.state import NamespaceState
from swampsync.repo.nothing_removed import explain_nothing, gather_names
from swampsync.repo.selecting import parse_selection


def test_near_name_is_found_among_very_many() -> None:
    """Names that begin and end alike are compared, however many there are."""
    state = NamespaceState()
    for number in range(2_500):
        state.highest[f"data/t/m/artifact-{number:05d}"] = 1
    known = gather_names(state, (), [Model("t", "m", "vpc")])
    wanted = parse_selection(["vpc", "artefact-02471"])
    error = explain_nothing(wanted, known, pending=(), seq=None, horizon="7 days")
    assert error.hint == "did you mean: swamp datastore undelete vpc artifact-02471"


def test_every_place_of_a_word_is_known() -> None:
    """A directory above, a version of it and its files are places that the namespace had."""
    state = NamespaceState()
    state.absorb(FilePut("files/a/b.txt", 1, "0" * 64, None, None))
    state.highest["data/t/m/x"] = 2
    known = gather_names(state, (), ())
    for word in ("files", "files/a/", "files/a/b.txt", "data/t", "data/t/m/x/1", "data/t/m/x/2/raw"):
        words = [word] if "/" in word else [f"{word}/a"]
        error = explain_nothing(parse_selection(words), known, pending=(), seq=None, horizon="7 days")
        assert "is known, but nothing of it was removed" in error.message, word


def test_names_of_another_namespace_are_suggested_with_it() -> None:
    """What is suggested can be pasted: the namespace stands before the model, the names after it."""
    state = NamespaceState()
    state.highest["data/t/m/state"] = 1
    known = gather_names(state, (), [Model("t", "m", "vpc")])
    for words, hint in (
        (["infra:vcp", "state"], "did you mean: swamp datastore undelete infra:vpc state"),
        (["infra:vpc", "stat"], "did you mean: swamp datastore undelete infra:vpc state"),
        (["infra:vpc", "unlike"], "swamp data list infra:vpc"),
    ):
        error = explain_nothing(parse_selection(words), known, pending=(), seq=None, horizon="7 days")
        assert error.hint == hint
