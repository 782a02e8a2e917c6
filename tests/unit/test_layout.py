from __future__ import annotations

import posixpath

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from swampsync.errors import InvalidInput
from swampsync.layout import Layout, ObjectKey, find_key_problem
from swampsync.namespace import ALWAYS_LOCAL_SUBDIRS, DATASTORE_SUBDIRS, SOLO, Namespace

SHARED = Layout("/repo", "/ds", Namespace.parse("infra"))
ALONE = Layout("/repo", "/ds")
SEGMENTS = st.text(alphabet="abc019._-@ é", min_size=1, max_size=8).filter(lambda s: s not in {".", ".."})
RELATIVE = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join).filter(lambda r: find_key_problem(r) is None)
HOSTILE = st.lists(
    st.sampled_from(["..", ".", "", "/", "/etc", "a", "../x", "a/..", "\0", "~", "//", "..a", "a\\..\\b"]),
    min_size=1,
    max_size=4,
)


@pytest.mark.holds("I9")
@settings(max_examples=200, deadline=None)
@given(RELATIVE)
def test_solo_is_the_plain_path(relative: str) -> None:
    """Without a namespace, paths and keys are what they were before there were namespaces."""
    assert ALONE.datastore_path(relative) == f"/ds/{relative}"
    assert ALONE.key(relative) == ObjectKey(relative)
    assert ALONE.prefix_of(relative) == f"{relative}/"
    assert ALONE.resolve("data", relative) == f"/ds/data/{relative}"


@pytest.mark.holds("I9")
def test_solo_has_nothing_of_ours_in_its_tree() -> None:
    """The root is the base, the lock is swamp's, the listing prefix is empty."""
    assert (ALONE.root, ALONE.structural_lock_key(), ALONE.prefix_of("")) == ("/ds", ".datastore.lock", "")
    assert ALONE.model_lock_key("command/shell", "m") == "data/command/shell/m/.lock"
    assert Layout("/repo", "/ds", SOLO) == ALONE


@settings(max_examples=200, deadline=None)
@given(RELATIVE)
def test_keys_and_paths_cannot_drift(relative: str) -> None:
    """In every namespace a path is the base and the key, and a namespace is exactly its prefix."""
    for layout in (ALONE, SHARED):
        assert layout.datastore_path(relative) == f"{layout.base}/{layout.key(relative)}"
        assert f"{layout.base}/{layout.prefix_of(relative)}" == layout.datastore_path(relative) + "/"
        assert layout.key(relative).text.startswith(layout.prefix_of(""))
    assert SHARED.key(relative).text == f"infra/{relative}"


@settings(max_examples=300, deadline=None)
@given(HOSTILE, st.sampled_from([ALONE, SHARED]))
def test_hostile_parts_lead_nowhere_else(parts: list[str], layout: Layout) -> None:
    """Whatever the parts: a path lies below its root, or is refused; so does a key."""
    for make, root in ((layout.datastore_path, layout.root), (layout.local_path, "/repo/.swamp")):
        try:
            path = make(*parts)
        except InvalidInput:
            continue
        assert posixpath.normpath(path) == path
        assert path.startswith(root + "/")
        assert "\0" not in path
    try:
        key = layout.key("/".join(parts))
    except InvalidInput:
        return
    assert key.text.startswith(layout.prefix_of(""))
    assert ".." not in key.text.split("/")


@pytest.mark.parametrize(
    "parts", [("data", "/etc/passwd"), ("data", "..", "x"), ("data", ""), ("..",), ("data", "a\0")]
)
def test_resolve_refuses_what_leads_out(parts: tuple[str, ...]) -> None:
    """An absolute part does not replace what stands before it."""
    with pytest.raises(InvalidInput):
        SHARED.resolve(*parts)
    with pytest.raises(InvalidInput):
        SHARED.lock_path("/".join(parts[1:]) or "..")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"), ("/a", "empty segment"), ("a/", "empty segment"), ("a//b", "empty segment"), ("a/../b", "`..`"),
        ("./a", "`.`"), ("a\\b", "backslash"), ("a\nb", "control"), ("a\x7fb", "control"), ("a\x85b", "control"),
        ("e\u0301", "normal form C"), ("\ud800", "Unicode"), ("é" * 513, "1024 bytes"),
    ],
)  # fmt: skip
def test_key_that_not_every_store_can_hold_is_refused(text: str, problem: str) -> None:
    """The message says what is wrong, and can be printed."""
    with pytest.raises(InvalidInput, match=problem) as caught:
        ObjectKey.parse(text)
    assert caught.value.message.isprintable()


def test_longest_key_counts_bytes_and_namespace() -> None:
    """1,024 bytes of UTF-8, the namespace among them."""
    assert ObjectKey.parse("é" * 512).text == "é" * 512
    assert SHARED.key("a" * 1018).text == "infra/" + "a" * 1018
    with pytest.raises(InvalidInput, match="longer"):
        SHARED.key("a" * 1019)


@pytest.mark.holds("I10")
@pytest.mark.parametrize("name", sorted(ALWAYS_LOCAL_SUBDIRS))
def test_secrets_and_bundles_are_local_whatever_is_configured(name: str) -> None:
    """Listing them in `directories` does not put them into the datastore."""
    layout = Layout("/repo", "/ds", SHARED.namespace, subdirs=(*DATASTORE_SUBDIRS, name))
    assert layout.resolve(name, "k") == f"/repo/.swamp/{name}/k"
    assert layout.is_local(f"{name}/k")


def test_unknown_subdirectories_are_local() -> None:
    """What nobody configured stays in the repo, without a namespace."""
    assert SHARED.resolve("cache", "x") == "/repo/.swamp/cache/x"
    assert SHARED.resolve("data", "x") == "/ds/infra/data/x"


def test_exclusions_move_paths_to_the_repo() -> None:
    """A path that is excluded is local; then artifacts may lie in two places."""
    layout = Layout("/repo", "/ds", SHARED.namespace, is_excluded=lambda path: path.startswith("data/private"))
    assert layout.resolve("data", "private", "x") == "/repo/.swamp/data/private/x"
    assert layout.resolve("data", "public") == "/ds/infra/data/public"
    assert layout.data_roots() == ("/ds/infra/data", "/repo/.swamp/data")
    assert SHARED.data_roots() == ("/ds/infra/data",)
    assert Layout("/repo", "/ds", subdirs=("outputs",)).data_roots() == ("/repo/.swamp/data",)


def test_paths_of_one_namespace() -> None:
    """Locks, manifests, commits and checkpoints of a namespace lie where the format says."""
    assert SHARED.structural_lock_key() == ".locks/infra.lock"
    assert SHARED.model_lock_key("@a/b", "m") == "infra/data/@a/b/m/.lock"
    assert SHARED.lock_path(SHARED.structural_lock_key()) == "/ds/.locks/infra.lock"
    assert SHARED.manifest_path() == SHARED.manifest_path_of("infra") == "/ds/infra/.namespace.json"
    assert SHARED.members_path() == "/ds/infra/.swampsync.json"
    assert SHARED.log_key(1).text == "infra/_log/00000000000000000001.json"
    assert SHARED.segment_key("u").text == "infra/_segments/u.jsonl.gz"
    assert SHARED.catalog_path() == "/repo/.swamp/data/_catalog.db"
    assert SHARED.state_path() == "/repo/.swamp/data/_sync.db"
    assert SHARED.of(SOLO) == ALONE


@given(st.integers(1, 10**18), st.integers(1, 10**18))
def test_newer_commits_sort_later_and_newer_checkpoints_first(one: int, other: int) -> None:
    """A listing reads commits in order, and finds the newest checkpoint first."""
    assume(one < other)
    assert SHARED.log_key(one) < SHARED.log_key(other)
    assert SHARED.checkpoint_key(one) > SHARED.checkpoint_key(other)


def test_base_at_the_root_of_the_file_system() -> None:
    """A base with a slash at its end gives no double slash."""
    assert Layout("/repo", "/", SHARED.namespace).datastore_path("data") == "/infra/data"
