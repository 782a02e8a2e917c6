"""A listing by string prefix and inclusive start, asked of a lister of directories after an exclusive offset."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.backends.s3_listing import list_range
from swampsync.layout import find_key_problem

SEGMENTS = st.text(alphabet=st.sampled_from("ab./!~-0\u00e4\U0001f40a "), min_size=1, max_size=6)
KEYS = SEGMENTS.filter(lambda text: find_key_problem(text) is None)


def obstore_lists(keys: list[str], directory: str | None, offset: str | None) -> list[str]:
    """List as obstore does."""
    inside = [k for k in sorted(keys, key=str.encode) if directory is None or k.startswith(directory + "/")]
    return [k for k in inside if offset is None or k.encode() > offset.encode()]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(KEYS, unique=True, max_size=12),
    SEGMENTS | st.just(""),
    SEGMENTS | st.none(),
    st.sampled_from(["", "r/", "r/s/"]),
)
def test_range_finds_exactly_the_wanted_keys(keys: list[str], prefix: str, start: str | None, root: str) -> None:
    """Whatever the prefix and the start, listing the range and dropping its edges gives the wanted keys in order."""
    stored = [root + key for key in keys] + ["q/x", "r0", "s"]
    wanted = [k for k in sorted(stored, key=str.encode) if k.startswith(root + prefix)]
    wanted = [k for k in wanted if start is None or k.encode() >= (root + start).encode()]
    found = list_range(root, prefix, start)
    if found is None:
        assert wanted == []
        return
    assert found.offset is None or find_key_problem(found.offset) is None
    listed = obstore_lists(stored, found.directory, found.offset)
    assert [k for k in listed if k >= found.first and k.startswith(found.prefix)] == wanted


def test_log_is_listed_from_just_before_a_commit() -> None:
    """Nothing lies between the offset and the commit, nor between it and the commit before."""
    found = list_range("p/", "ns/_log/", "ns/_log/00000000000000000042.json")
    assert found is not None
    assert found.offset == "p/ns/_log/00000000000000000042.jsom~"
    assert "p/ns/_log/00000000000000000041.json" < found.offset < "p/ns/_log/00000000000000000042.json"
