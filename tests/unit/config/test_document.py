from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swampsync.config.document import ConfigDocument, NewValue
from swampsync.config.yaml_scalars import format_scalar
from swampsync.errors import InvalidInput

NAMESPACE = ("datastore", "namespace")
PATH = "/r/.swamp.yaml"


def parse(text: str | bytes) -> ConfigDocument:
    return ConfigDocument.parse(text if isinstance(text, bytes) else text.encode(), path=PATH)


SET_CASES = {
    "no block": ("a: 1\n", "a: 1\ndatastore:\n  namespace: infra\n"),
    "no final line break": ("a: 1", "a: 1\ndatastore:\n  namespace: infra"),
    "carriage returns": ("a: 1\r\nb: 2 # x\r\n", "a: 1\r\nb: 2 # x\r\ndatastore:\r\n  namespace: infra\r\n"),
    "empty file": ("", "datastore:\n  namespace: infra\n"),
    "comment only": ("# c", "# c\ndatastore:\n  namespace: infra\n"),
    "byte order mark": ("\ufeffa: 1\n", "\ufeffa: 1\ndatastore:\n  namespace: infra\n"),
    "empty block with comment": ("datastore: # hi\n\n# tail\n", "datastore: # hi\n  namespace: infra\n\n# tail\n"),
    "empty flow map": ("datastore: {}\n", "datastore: {namespace: infra}\n"),
    "flow map": ("datastore: {type: filesystem}\n", "datastore: {type: filesystem, namespace: infra}\n"),
    "flow map at the root": ("{a: 1, datastore: {namespace: x}}", "{a: 1, datastore: {namespace: infra}}"),
    "comment behind the value": (
        "datastore:\n    namespace: 'x' # keep\n    path: y\n",
        "datastore:\n    namespace: infra # keep\n    path: y\n",
    ),
    "deeper indent": (
        "datastore:\n    path: y # p\n\n# next\nz: 1\n",
        "datastore:\n    path: y # p\n    namespace: infra\n\n# next\nz: 1\n",
    ),
    "behind a list without indent": (
        "datastore:\n  directories:\n  - a\n  - b\n\n\nz: 1\n",
        "datastore:\n  directories:\n  - a\n  - b\n  namespace: infra\n\n\nz: 1\n",
    ),
    "behind a block scalar": (
        "datastore:\n  note: |\n    x\n    y\n\nz: 1\n",
        "datastore:\n  note: |\n    x\n    y\n  namespace: infra\n\nz: 1\n",
    ),
    "behind a value over two lines": (
        "datastore:\n  note: x\n    y\nz: 1\n",
        "datastore:\n  note: x\n    y\n  namespace: infra\nz: 1\n",
    ),
    "document marks": ("---\ndatastore:\n  a: x\n...\n", "---\ndatastore:\n  a: x\n  namespace: infra\n...\n"),
    "quoted keys": ('"datastore":\n  "namespace" : y\n', '"datastore":\n  "namespace" : infra\n'),
    "null": ("datastore:\n  namespace: ~ # none\n", "datastore:\n  namespace: infra # none\n"),
    "comment before a list": ("datastore:\n  namespace:  # c\n  - x\n", "datastore:\n  namespace: infra  # c\n"),
    "unrelated anchor": ("x: &a 1\ny: *a\n", "x: &a 1\ny: *a\ndatastore:\n  namespace: infra\n"),
}


@pytest.mark.parametrize(("before", "after"), SET_CASES.values(), ids=SET_CASES)
def test_set_changes_only_its_span(before: str, after: str) -> None:
    """Setting a value leaves comments, order, line breaks and everything else as they are."""
    assert parse(before).set(NAMESPACE, "infra").to_bytes() == after.encode()


UNSET_CASES = {
    "middle": ("a: 1\ndatastore:\n  a: x\n  namespace: y # c\n  b: z\n", "a: 1\ndatastore:\n  a: x\n  b: z\n"),
    "only one": ("datastore:\n  namespace: y\nb: 1\n", "datastore: {}\nb: 1\n"),
    "last without line break": ("datastore:\n  a: x\n  namespace: y", "datastore:\n  a: x"),
    "carriage returns": ("datastore:\r\n  namespace: y\r\n  a: x\r\n", "datastore:\r\n  a: x\r\n"),
    "flow, first": ("datastore: {namespace: x, a: 1}\n", "datastore: {a: 1}\n"),
    "flow, last": ("datastore: {a: 1, namespace: x}\n", "datastore: {a: 1}\n"),
    "flow, only": ("datastore: {namespace: x}\n", "datastore: {}\n"),
    "absent": ("datastore:\n  a: 1\n", "datastore:\n  a: 1\n"),
    "absent block": ("a: 1 # c", "a: 1 # c"),
}


@pytest.mark.parametrize(("before", "after"), UNSET_CASES.values(), ids=UNSET_CASES)
def test_unset_removes_only_its_lines(before: str, after: str) -> None:
    """Removing a setting leaves everything else as it is."""
    assert parse(before).unset(NAMESPACE).to_bytes() == after.encode()


def test_set_to_the_same_value_is_the_same_document() -> None:
    """A value that is there already is not written again, quotes and all."""
    document = parse("datastore: {namespace: 'infra'}\n")
    assert document.set(NAMESPACE, "infra") is document


def test_set_writes_lists_and_maps_as_blocks() -> None:
    """Lists and maps take lines of their own, as swamp writes them."""
    value: NewValue = {
        "type": "filesystem",
        "path": "../ds",
        "directories": ["data", "yes"],
        "exclude": [],
        "autoSync": False,
    }
    written = parse("a: 1\n").set(("datastore",), value).to_bytes().decode()
    assert written == (
        'a: 1\ndatastore:\n  type: filesystem\n  path: "../ds"\n  directories:\n    - data\n    - "yes"\n'
        "  exclude: []\n  autoSync: false\n"
    )


def test_set_replaces_a_list_at_its_own_indent() -> None:
    """A list keeps the indent it has."""
    document = parse("datastore:\n  directories:\n  - a\n  - b\n  path: x\n")
    after = document.set(("datastore", "directories"), ["c"])
    assert after.to_bytes() == b"datastore:\n  directories:\n  - c\n  path: x\n"


REFUSED = {
    "tab": ("datastore:\n\tnamespace: x\n", "2:1"),
    "unclosed": ("a: [1\n", "2:1"),
    "two documents": ("a: 1\n---\nb: 1\n", "2:1"),
    "key twice": ("a: 1\nb: 2\na: 3\n", "3:1"),
    "key twice, deep": ("d:\n  a: 1\n  a: 3\n", "3:3"),
    "merge": ("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3"),
    "list": ("- 1\n", "1:1"),
    "text": ("hello\n", "1:1"),
    "map as a key": ("{a: 1}: 2\n", "1:1"),
    "alias to nothing": ("a: *x\n", "1:4"),
    "alias to itself": ("a: &x\n  b: *x\n", "2:6"),
    "control character": ("a: 1\nb: \x01\n", "2:4"),
    "not UTF-8": (b"a: 1\nb: \xff\n", "2:4"),
    "too deep": ("a: " + "[" * 100 + "]" * 100, "1:68"),
    "colon in a plain text": ("a: b: c\n", "1:5"),
}


@pytest.mark.parametrize(("text", "where"), REFUSED.values(), ids=REFUSED)
def test_parse_refuses_with_line_and_column(text: str | bytes, where: str) -> None:
    """What cannot be read is an error that names file, line and column."""
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert f"`{PATH}:{where}`" in caught.value.message
    assert caught.value.hint


def test_parse_refuses_deep_nesting_without_recursing() -> None:
    """A hostile file is an error and not a crash."""
    with pytest.raises(InvalidInput, match="too deeply"):
        parse("a: " + "{a: " * 5_000)


def test_parse_refuses_aliases_that_explode() -> None:
    """A small file that expands to billions of values is an error."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(InvalidInput, match="expand to too much"):
        parse("\n".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        "x: &a {namespace: 1}\ndatastore: *a\n",
        "datastore: &a\n  namespace: q\nb: *a\n",
        "datastore: text\n",
        "datastore: |\n  text\n",
        "datastore: [namespace]\n",
    ],
)
def test_set_refuses_what_would_change_more(text: str) -> None:
    """Where more than the setting would change, nothing does, and the error says where."""
    with pytest.raises(InvalidInput, match=r"/r/\.swamp\.yaml:\d+:\d+"):
        parse(text).set(NAMESPACE, "infra")


def test_get_reads_text_as_it_stands() -> None:
    """No guessing: versions, dates, numbers and words like `yes` stay text; nothing is `None`."""
    document = parse("a: 1:30\nb: yes\nc: 2026-01-01\nd: 0o17\ne: ~\nf:\ng: 'null'\nh: [1, true]\ni: {j: 1.0}\nk: ''\n")
    assert [document.get((key,)) for key in "abcdefghik"] == [
        "1:30", "yes", "2026-01-01", "0o17", None, None, "null", ["1", "true"], {"j": "1.0"}, "",
    ]  # fmt: skip
    assert document.get(("i", "j")) == "1.0"
    assert document.get(("a", "b")) is None
    assert document.has(("f",))
    assert not document.has(("z",))
    assert document.position_of(("i", "j")).line == 9


def test_fast_and_full_reader_read_alike() -> None:
    """What the strict reader reads is what the full parser reads."""
    text = "v: 20260206.200442.0\nn: null\ne:\nq: '~'\nl:\n  - a\n  - \"yes\"\nm:\n  x: ~ # c\n  z: {}\n"
    fast = parse(text)
    full = ConfigDocument(text, path=PATH)
    assert fast.get(()) == full.get(()) == {
        "v": "20260206.200442.0", "n": None, "e": None, "q": "~", "l": ["a", "yes"], "m": {"x": None, "z": {}},
    }  # fmt: skip


# --- properties ------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "datastore", "namespace", "with space", "yes", "12", "é", "x:y", "#k"])
TEXTS = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["yes", "null", "~", "1:30", "0x1F", ".inf", "- a", "a: b", " lead", "trail ", "2026-01-01", "<<", "="]
    ),
)
VALUES = st.one_of(TEXTS, st.booleans(), st.integers(-9, 10**6), st.lists(TEXTS, max_size=3))
NESTED = st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)


def as_read(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_read(item) for item in value]
    return str(value)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw a document in block style with odd but legal spacing."""
    eol = draw(st.sampled_from(["\n", "\r\n"]))
    step = draw(st.integers(1, 4))

    def noise() -> list[str]:
        return draw(st.lists(st.sampled_from(["", "# note", "  # indented: note", "   "]), max_size=2))

    def block(depth: int) -> list[str]:
        lines = []
        for key in draw(st.lists(KEYS, min_size=1, max_size=3, unique=True)):
            head = " " * (step * depth) + format_scalar(key) + ":"
            comment = draw(st.sampled_from(["", "  # c", " #"]))
            shape = draw(st.sampled_from(["scalar", "null", "list", "flow", "literal", "map"]))
            if shape == "map" and depth < 2:
                lines += [head + comment, *noise(), *block(depth + 1)]
            elif shape == "list":
                indent = " " * (step * (depth + draw(st.integers(0, 1))))
                lines += [
                    head + comment,
                    *(f"{indent}- {format_scalar(t)}" for t in draw(st.lists(TEXTS, min_size=1, max_size=2))),
                ]
            elif shape == "flow":
                lines.append(f"{head} {{k: [v, w], l: x}}{comment}")
            elif shape == "literal":
                indent = " " * (step * (depth + 1))
                lines += [f"{head} |", f"{indent}text", "", f"{indent}more"]
            elif shape == "null":
                lines.append(head + comment)
            else:
                lines.append(f"{head} {format_scalar(draw(TEXTS))}{comment}")
            lines += noise()
        return lines

    text = eol.join([*noise(), *block(0)])
    return text + (eol if draw(st.booleans()) else "")


@settings(max_examples=60, deadline=None)
@given(documents())
def test_fast_and_full_reader_agree_on_any_document(document: str) -> None:
    """Whichever reader a file goes through, its settings are the same."""
    full = ConfigDocument(document, path=PATH)
    assert parse(document).get(()) == full.get(())


@settings(max_examples=60, deadline=None)
@given(documents(), st.lists(KEYS, min_size=1, max_size=3), NESTED)
def test_set_reads_back_and_touches_nothing_else(document: str, keys: list[str], value: Any) -> None:
    """Whatever is set reads back equal; every other setting, and every byte before and after, is the same."""
    before = parse(document)
    try:
        after = before.set(keys, value)
    except InvalidInput as error:
        assert "holds no settings" in error.message or "in place" in error.message  # noqa: PT017
        return
    data = after.to_bytes()
    again = parse(data)
    assert again.get(keys) == as_read(value)
    assert without(again.get(()), keys) == without(before.get(()), keys)
    assert comments(data) >= comments(before.to_bytes()) - comments_inside(before, keys)
    if b"\r\n" in before.to_bytes():
        assert b"\n" not in data.replace(b"\r\n", b"")


@settings(max_examples=60, deadline=None)
@given(documents(), st.lists(KEYS, min_size=1, max_size=3))
@example('a:\n a:  # c\n  a: ""\n b: ""\n datastore: ""', ["a", "a", "a"])
def test_unset_removes_one_span_of_whole_lines(document: str, keys: list[str]) -> None:
    """Removing a setting cuts one span out, and nothing else changes."""
    before = parse(document)
    try:
        after = before.unset(keys)
    except InvalidInput as error:
        assert "in place" in error.message  # noqa: PT017
        return
    assert not parse(after.to_bytes()).has(keys)
    assert without(after.get(()), keys) == without(before.get(()), keys)
    old, new = before.to_bytes(), after.to_bytes()
    at = common_prefix(old, new)
    # A map that became empty says so: with a space before the braces, or, before a comment, behind them.
    candidates = [new[:at] + new[at:].removeprefix(braces) for braces in (b"", b" {}", b"{}", b"{} ")]
    assert any(old.endswith(kept[common_prefix(old, kept) :]) for kept in candidates)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:- #{}[],&*!|>'\"\n\r\t ~?%@`\\é", max_size=30), KEYS, TEXTS)
def test_any_text_is_edited_rightly_or_refused(text: str, key: str, value: str) -> None:
    """Random text is either refused, or edited so that the value reads back and the rest stays."""
    try:
        before = parse(text)
        after = before.set((key,), value)
    except InvalidInput:
        return
    again = parse(after.to_bytes())
    assert again.get((key,)) == value
    assert without(again.get(()), [key]) == without(before.get(()), [key])


def common_prefix(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def without(value: Any, keys: list[str]) -> Any:
    if not isinstance(value, dict) or not keys:
        return value
    rest = {key: item for key, item in value.items() if key != keys[0]}
    inner = without(value.get(keys[0]) or {}, keys[1:]) if len(keys) > 1 else {}
    if inner:
        rest[keys[0]] = inner
    return rest


def comments(data: bytes) -> set[bytes]:
    return {line.strip() for line in data.splitlines() if line.strip().startswith(b"#")}


def comments_inside(document: ConfigDocument, keys: list[str]) -> set[bytes]:
    """Comments may go with a list or map that is replaced as a whole, and a block of text holds none."""
    value = document.get(keys)
    is_whole = isinstance(value, dict | list) or (isinstance(value, str) and "\n" in value)
    return comments(document.to_bytes()) if is_whole else set()
