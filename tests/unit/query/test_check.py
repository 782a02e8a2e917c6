"""Fields and functions that do not exist are named before any row is looked at."""

from __future__ import annotations

import pytest

from swampsync.errors import InvalidInput, QueryError
from swampsync.query.fields import FIELDS
from swampsync.query.prepared import prepare_query


def error_of(predicate: str, **options: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        prepare_query(predicate, **options)  # type: ignore[arg-type]
    assert caught.value.exit_status == 1
    return caught.value


def test_unknown_field_has_swamps_words_and_all_fields() -> None:
    """The first line is swamp's own, the second lists every field, sorted."""
    error = error_of('nosuch == "m"')
    first, second, *_ = error.message.split("\n")
    assert first == 'Unknown field "nosuch" in query predicate.'
    assert second == "Available: " + ", ".join(sorted(FIELDS))
    assert {"modelId", "namespace", "ns"} <= set(second.removeprefix("Available: ").split(", "))


@pytest.mark.parametrize(
    ("predicate", "hint"),
    [
        ("modelname == 'm'", "did you mean `modelName`?"),
        ("nmae == 'm'", "did you mean `name`?"),
        ("workflow == 'm'", "did you mean `workflowName` or `workflowRunId`?"),
        ("status == 'm'", "`attributes.status`"),
    ],
)
def test_unknown_field_suggests_what_may_have_been_meant(predicate: str, hint: str) -> None:
    """The hint names the nearest fields, or where keys of content and tags are found."""
    assert hint in str(error_of(predicate).hint)


def test_unknown_field_is_shown_with_a_caret() -> None:
    """The first of them in the text is pointed at, in its line."""
    message = error_of("name == 'a' &&\n  (sizze > 3 || nmae == '')").message
    assert message.endswith("\n\n>    2 |   (sizze > 3 || nmae == '')\n            ^")


def test_caret_is_below_the_name_of_a_method() -> None:
    """In a chain of calls, the wrong one is pointed at and not the beginning of the chain."""
    message = error_of("name.trim().contain('x')").message
    assert message == (
        "unknown method `contain` at line 1, column 13\n\n>    1 | name.trim().contain('x')\n" + " " * 21 + "^"
    )


def test_unknown_fields_are_all_named() -> None:
    """Several unknown fields are one error."""
    assert error_of("foo == 1 || bar == 2").message.startswith('Unknown fields "foo", "bar" in query predicate.')


def test_unknown_field_of_a_projection_is_an_error() -> None:
    """A projection of something that does not exist is refused, not printed as nothing."""
    assert error_of("size > 0", select="nosuch").message.startswith('Unknown field "nosuch" in query projection.')


def test_macro_variables_are_no_fields() -> None:
    """A variable of a macro is known in its body only."""
    prepare_query("[1].all(x, x > 0) && cel.bind(y, size, y > 0)")
    assert '"x"' in error_of("[1].all(x, x > 0) && x > 0").message


@pytest.mark.parametrize(
    ("predicate", "message", "hint"),
    [
        ("name.cotains('a')", "unknown method `cotains`", "did you mean `contains`?"),
        ("sizes(name) > 1", "unknown function `sizes`", "did you mean `size`?"),
        ("contains(name, 'a')", "there is no function `contains`", "write `x.contains(…)`"),
        ("name.int() > 1", "there is no method `int`", "write `int(x)`"),
        ("name.contains()", "`contains` takes 1 argument, not 0", None),
        ("name.substring(1, 2, 3) == ''", "`substring` takes 1 or 2 arguments, not 3", None),
        ("tags.all(x)", "the macro `all` takes a variable and an expression", "write `list.all(x, …)`"),
        ("name.matches('(')", "`(` is no regular expression: a parenthesis is not closed", None),
        (r"name.matches(r'(a)\1')", "`(a)\\1` is no regular expression: there is no escape `\\1`", None),
    ],
)
def test_calls_are_checked(predicate: str, message: str, hint: str | None) -> None:
    """Unknown functions, wrong numbers of arguments and bad patterns are errors with their place."""
    error = error_of(predicate)
    assert error.message.split(" at line 1, column ")[0] == message
    assert error.hint == hint


@pytest.mark.parametrize(
    ("predicate", "is_latest_only"),
    [
        ("size > 0", True),
        ("version > 0", False),
        ("isLatest == false", False),
        ("size > 0 && (name == '' || version == 2)", False),
        ("tags.version == 'x'", True),
        ("name == 'version'", True),
        ("[1].exists(version, version == size)", True),
        ("[1].exists(version, version == size) && version == 1", False),
    ],
)
def test_latest_is_meant_unless_versions_are_mentioned(predicate: str, is_latest_only: bool) -> None:  # noqa: FBT001
    """The rule looks at the fields of the tree, not at the text."""
    assert prepare_query(predicate).is_latest_only is is_latest_only


def test_empty_predicate_is_required() -> None:
    """Nothing to look for is an error with an example."""
    assert error_of("  \n").message == "predicate is required"


def test_negative_limit_is_refused() -> None:
    """A limit counts results."""
    with pytest.raises(InvalidInput, match="the limit is negative: -1"):
        prepare_query("size > 0", limit=-1)


def test_order_is_checked() -> None:
    """Only fields with one value can be sorted by."""
    assert error_of("size > 0", order_by="sise").hint == "did you mean `size`?"
    assert error_of("size > 0", order_by="tags").message == "cannot order by `tags`"
    assert error_of("size > 0", order_by="size:up").message == "unknown direction `up`"
