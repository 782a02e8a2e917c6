"""CEL text to trees, and the errors that say where it is none."""

from __future__ import annotations

import pytest

from swampsync.errors import QueryError
from swampsync.query.ast import Binary, Has, Ident, Index, Literal, Logic, Macro, Node, Select, Ternary, Unary
from swampsync.query.parser import MAX_NESTING, parse


def shape(node: Node) -> str:
    """Return a tree with every operator bracketed."""
    match node:
        case Literal(value=value):
            return repr(value)
        case Ident(name=name):
            return name
        case Select(operand=operand, field=field, is_optional=is_optional):
            return f"{shape(operand)}.{'?' if is_optional else ''}{field}"
        case Index(operand=operand, index=index, is_optional=is_optional):
            return f"{shape(operand)}[{'?' if is_optional else ''}{shape(index)}]"
        case Has(operand=operand, field=field):
            return f"has({shape(operand)}.{field})"
        case Unary(op=op, operand=operand):
            return f"({op}{shape(operand)})"
        case Binary(op=op, left=left, right=right):
            return f"({shape(left)} {op} {shape(right)})"
        case Logic(op=op, operands=operands):
            return "(" + f" {op} ".join(map(shape, operands)) + ")"
        case Ternary():
            return f"({shape(node.condition)} ? {shape(node.then)} : {shape(node.otherwise)})"
        case Macro():
            return f"{node.kind}({shape(node.target)}, {node.variable}, {shape(node.body)})"
    return type(node).__name__


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a || b && c == d + e * -f", "(a || (b && (c == (d + (e * (-f))))))"),
        ("a && b && c || d || e", "((a && b && c) || d || e)"),
        ("a - b - c", "((a - b) - c)"),
        ("a < b == c", "((a < b) == c)"),
        ("a in b in c", "((a in b) in c)"),
        ("!a.b[c].d", "(!a.b[c].d)"),
        ("-1.5", "-1.5"),
        ("a-1", "(a - 1)"),
        ("- a", "(-a)"),
        ("!!a", "(!(!a))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("(a || b) && c", "((a || b) && c)"),
        ("has(a.b.c)", "has(a.b.c)"),
        ("a.?b[?0].`x-y`", "a.?b[?0].x-y"),
        ("l.exists(x, x > 1)", "exists(l, x, (x > 1))"),
        ("l.map(x, x > 1, x)", "map(l, x, x)"),
        ("cel.bind(x, a, x)", "bind(a, x, x)"),
        (".a", "a"),
        ("ns == namespace // same", "(ns == namespace)"),
        ("a\n== // comment\nb", "(a == b)"),
        ("inside in indeed", "(inside in indeed)"),
        ("a.namespace.return", "a.namespace.return"),
    ],
)
def test_text_is_bracketed_by_precedence(text: str, wanted: str) -> None:
    """Operators bind as the specification says."""
    assert shape(parse(text)) == wanted


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("modelName ==", "unexpected end of the expression", 1, 13),
        ("", "unexpected end of the expression", 1, 1),
        ("a b", "unexpected `b`", 1, 3),
        ("a &&\n  && b", "unexpected `&&`", 2, 3),
        ("a & b", "unexpected character `&`", 1, 3),
        ("(a", "unexpected end of the expression, expected `)`", 1, 3),
        ("[a, b", "unexpected end of the expression, expected `]`", 1, 6),
        ("{a b}", "unexpected `b`, expected `:`", 1, 4),
        ("a ? b", "unexpected end of the expression, expected `:`", 1, 6),
        ("a.", "unexpected end of the expression, expected a field or method name", 1, 3),
        ("a.true", "unexpected `true`, expected a field or method name", 1, 3),
        ("in == 1", "unexpected `in`", 1, 1),
        ("if == 1", "`if` is a reserved word", 1, 1),
        ("'abc", "the string is not closed", 1, 1),
        ("'a\nb'", "the string is not closed on its line", 1, 1),
        (r"'\q'", r"unknown escape `\q`", 1, 2),
        (r"'\u12'", r"incomplete escape `\u`", 1, 2),
        (r"'\ud800'", "the escape is no Unicode code point", 1, 2),
        (r"b'\u0041'", r"unknown escape `\u`", 1, 3),
        ("9223372036854775808", "the number does not fit into 64 bits", 1, 1),
        ("18446744073709551616u", "the number does not fit into 64 bits", 1, 1),
        ("1e999", "the number is too large for a double", 1, 1),
        ("1x", "a number runs into a name", 1, 2),
        ("has(a)", "has() takes the selection of a field, as in `has(tags.env)`", 1, 5),
        ("l.all(x.y, true)", "the first argument of a macro is the name of its variable", 1, 7),
        ("Foo{a: 1}", "there is no message type `Foo` to construct", 1, 1),
        ("a.`x y\ny`", "unexpected character ```", 1, 3),
    ],
)
def test_error_has_line_column_and_caret(text: str, message: str, line: int, column: int) -> None:
    """An error says what is wrong, and shows where with a caret below the place."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    first, blank, excerpt, caret = caught.value.message.split("\n")
    assert first == f"{message} at line {line}, column {column}"
    assert blank == ""
    assert excerpt == f">    {line} | {text.split(chr(10))[line - 1]}".replace("\x00", "·")
    assert caret == " " * (9 + column - 1) + "^"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('name = "x"', "=="),
        ("size > 1 and size < 2", "&&"),
        ("size > 1 OR size < 2", "||"),
        ("size > 1 & size < 2", "&&"),
        ("name == “x”", '"'),
        ("name is null", "=="),
    ],
)
def test_habits_of_other_languages_get_a_hint(text: str, written: str) -> None:
    """Whoever writes SQL, or pastes from a document, is told what CEL writes."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.hint == f"CEL writes `{written}`"


def test_error_in_a_long_line_shows_the_part_around_it() -> None:
    """Of a very long line, only what stands near the caret is shown."""
    with pytest.raises(QueryError) as caught:
        parse("a == 1 && " * 5000 + "?")
    excerpt, caret = caught.value.message.split("\n")[2:]
    assert len(excerpt) < 250
    assert excerpt[len(caret) - 1] == "?"


def test_caret_is_in_its_column_after_wide_characters() -> None:
    """Characters of two columns and marks of none leave the caret below its place on a terminal."""
    with pytest.raises(QueryError) as caught:
        parse('"日本" == "e\u0301" = 1')
    first, _, shown, caret = caught.value.message.split("\n")
    assert first == "unexpected character `=` at line 1, column 14"
    assert shown == '>    1 | "日本" == "e\u0301" = 1'
    assert caret == " " * (9 + 13 + 2 - 1) + "^"


def test_error_never_shows_control_characters() -> None:
    """What could move a terminal's cursor is replaced in the excerpt."""
    with pytest.raises(QueryError) as caught:
        parse("a == '\x1b[2J' ?")
    assert "\x1b" not in caught.value.message


def test_nesting_is_limited() -> None:
    """Two hundred levels are parsed, and one more is an error."""
    parse("(" * MAX_NESTING + "a" + ")" * MAX_NESTING)
    with pytest.raises(QueryError, match="nested deeper than 200"):
        parse("(" * (MAX_NESTING + 1) + "a" + ")" * (MAX_NESTING + 1))
    parse("a" + " + a" * (MAX_NESTING - 1))
    with pytest.raises(QueryError, match="nested deeper than 200"):
        parse("a" + " + a" * (MAX_NESTING + 1))


def test_chains_of_logic_are_not_nested() -> None:
    """Thousands of alternatives are one level."""
    tree = parse(" || ".join(["a"] * 5000))
    assert isinstance(tree, Logic)
    assert len(tree.operands) == 5000


def test_text_is_limited() -> None:
    """Text above 64 KiB, counted as UTF-8, is an error."""
    parse("a == '" + "x" * 65_000 + "'")
    with pytest.raises(QueryError, match="longer than 64 KiB"):
        parse("a == '" + "é" * 40_000 + "'")


def test_positions_are_those_of_the_text() -> None:
    """A node knows the text that it was made of."""
    text = "x == 1 && (name + 'é').contains( 'a' )"
    tree = parse(text)
    assert isinstance(tree, Logic)
    assert [text[node.start : node.end] for node in tree.operands] == ["x == 1", "(name + 'é').contains( 'a' )"]


def test_deep_recursion_of_the_caller_is_an_error_and_no_crash() -> None:
    """Called near the end of the interpreter's stack, the parser refuses instead of overflowing."""

    def dig(depth: int) -> None:
        if depth:
            dig(depth - 1)
        else:
            parse("(" * 190 + "a" + ")" * 190)

    with pytest.raises((QueryError, RecursionError)) as caught:
        dig(800)
    assert caught.type is QueryError
