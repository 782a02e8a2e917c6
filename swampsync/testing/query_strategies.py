"""Hypothesis strategies for queries: versions with content, and predicates over them.

Predicates are made by type, with a wrong type now and then, so that most of them mean something and all of the ways to
fail occur.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from swampsync.catalog.rows import CatalogRow

_WORDS: Final = ("", "a", "m", "prod", "dev", "report-7", "état", "a b", "Prod", "10")
_MOMENTS: Final = (
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:00:00.120Z",
    "2025-12-31T23:59:59.999Z",
    "2026-06-30T12:34:56.789Z",
    "1969-07-20T20:17:40.001Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T02:00:00.120+02:00",
    "2026-02-31T00:00:00.000Z",
    "soon",
)
_KEYS: Final = ("env", "team", "n", "status", "list", "deep", "flag", "nothing")
_INTEGERS: Final = (0, 1, 2, 3, 7, 10, -1, 100, 4000, 2**31, 2**53 - 1)
_DOUBLES: Final = (0.0, 0.5, 1.5, -2.25, 10.0, 4000.5)


_Forms: TypeAlias = list[Callable[[], str]]


class Version:
    """A row of the catalog with its content."""

    def __init__(self, row: CatalogRow, content: bytes | None) -> None:
        self.row = row
        self.content = content


class Contents:
    """The content of some versions, by id."""

    def __init__(self, versions: list[Version]) -> None:
        self._by_id = {version.row.id: version.content for version in versions}

    def read_content(self, row: CatalogRow) -> bytes | None:
        """Return the content of a version."""
        return self._by_id.get(row.id)

    def digest(self, row: CatalogRow) -> str | None:
        """Return nothing: no digest is known beforehand."""
        del row
        return None


def _json_value(random: Random, depth: int) -> Any:
    kinds = 8 if depth else 6
    choice = random.randrange(kinds)
    if choice == 0:
        return random.choice(_WORDS)
    if choice == 1:
        return random.choice(_INTEGERS)
    if choice == 2:
        return random.choice(_DOUBLES)
    if choice == 3:
        return random.random() < 0.5
    if choice == 4:
        return None
    if choice == 5:
        return random.choice(("[1]", "{}", '{"a":1}', "true", "1"))
    if choice == 6:
        return [_json_value(random, depth - 1) for _ in range(random.randrange(4))]
    return {key: _json_value(random, depth - 1) for key in random.sample(_KEYS, random.randrange(4))}


def make_versions(random: Random, count: int, *, is_ascii: bool = False) -> list[Version]:
    """Make versions of artifacts with all sorts of tags and content.

    Args:
        random: Where the choices come from.
        count: How many.
        is_ascii: Whether to leave out other characters.
    """
    words = [word for word in _WORDS if word.isascii() or not is_ascii]
    versions = []
    for number in range(count):
        content_type = random.choice(("application/json",) * 4 + ("text/plain", "application/octet-stream"))
        content: bytes | None = b"hello \xc3\xa9" if not is_ascii else b"hello"
        if content_type == "application/json":
            value = {key: _json_value(random, 2) for key in random.sample(_KEYS, random.randrange(len(_KEYS)))}
            if "list" in value:
                value["list"] = [_json_value(random, 1) for _ in range(random.randrange(4))]
            if "deep" in value:
                value["deep"] = {key: _json_value(random, 1) for key in random.sample(_KEYS, random.randrange(4))}
            kind = random.randrange(20)
            content = (
                b"no json"
                if kind == 0
                else b'["a", 1]'
                if kind == 1
                else None
                if kind == 2 and not is_ascii
                else b'{"pad": "' + b"x" * 70_000 + b'"}'
                if kind == 3
                else json.dumps(value).encode()
            )
        tags = {key: random.choice(words) for key in random.sample(_KEYS[:4], random.randrange(5))}
        row = CatalogRow(
            namespace=random.choice(("", "infra", "app")),
            type_normalized="command/shell",
            model_id=f"model-{random.randrange(3)}",
            data_name=random.choice(words) or "x",
            id=f"id-{random.getrandbits(60):x}-{number}",
            version=number + 1,
            is_latest=random.randrange(2),
            model_name=random.choice(words),
            spec_name=random.choice(words),
            data_type=random.choice(("resource", "file", "report")),
            content_type=content_type,
            lifetime="infinite",
            owner_type="model-method",
            streaming=random.randrange(2),
            size=70_000 if content is not None and len(content) > 60_000 else random.choice((0, 1, 2, 10, 4000)),
            created_at=random.choice(_MOMENTS),
            tags=json.dumps(tags, separators=(",", ":"), ensure_ascii=False),
            owner_ref=random.choice(words),
            workflow_run_id="",
            workflow_name="",
            job_name="",
            step_name=random.choice(("", "one")),
            source="",
        )
        versions.append(Version(row, content))
    return versions


def predicates(*, is_common: bool) -> st.SearchStrategy[str]:
    """Return predicates as text.

    Args:
        is_common: Whether to keep to what the test-only oracle knows and means in the same way: no string functions
            beyond the specification's, no arithmetic of ints with doubles, no optional values, ASCII only.
    """

    @st.composite
    def build(draw: st.DrawFn) -> str:
        return _Writer(draw, is_common=is_common).boolean(draw(st.integers(1, 4)))

    return build()


class _Writer:
    """Writes expressions; every method gives one of its type, at most `depth` levels deep."""

    def __init__(self, draw: st.DrawFn, *, is_common: bool) -> None:
        self._draw = draw
        self._is_common = is_common

    def one(self, *choices: Any) -> Any:
        return choices[self._draw(st.integers(0, len(choices) - 1))]

    def anything(self, depth: int) -> str:
        return str(self.one(self.boolean, self.integer, self.string, self.json, self.double, self.sequence)(depth))

    def quote(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    def word(self) -> str:
        word = str(self.one(*_WORDS))
        return word if word.isascii() or not self._is_common else "zz"

    # A call of one of these at depth 0 or less gives a leaf.

    def boolean(self, depth: int) -> str:
        if depth <= 0:
            return str(self.one("true", "false", "streaming", "isLatest", "has(tags.env)", "has(attributes.status)"))
        d = depth - 1
        forms: _Forms = [
            lambda: f"{self.boolean(d)} && {self.boolean(d)}",
            lambda: f"({self.boolean(d)} || {self.boolean(d)})",
            lambda: f"!({self.boolean(d)})",
            lambda: f"({self.boolean(d)} ? {self.boolean(d)} : {self.boolean(d)})",
            lambda: f"{self.integer(d)} {self.relation()} {self.integer(d)}",
            lambda: f"{self.string(d)} {self.relation()} {self.string(d)}",
            lambda: f"{self.json(d)} {self.relation()} {self.string(d)}",
            lambda: f"{self.json(d)} {self.one('==', '!=', '<', '>=')} {self.integer(d)}",
            lambda: f"{self.json(d)} {self.one('==', '!=')} {self.anything(d)}",
            lambda: f"{self.anything(d)} {self.one('==', '!=', '<')} {self.json(d)}",
            lambda: f"{self.anything(d)} {self.one('==', '!=')} {self.anything(d)}",
            lambda: f"{self.string(d)}.{self.one('contains', 'startsWith', 'endsWith')}({self.string(d)})",
            lambda: f"{self.anything(d)} in {self.sequence(d)}",
            lambda: f"{self.one(self.string, self.json)(d)} in {self.sequence(0)}",
            lambda: f"{self.string(0)} in {self.json(d)}",
            lambda: f"{self.one(self.integer, self.integer if self._is_common else self.double)(0)} in {self.json(d)}",
            lambda: f"has({self.json(d)}.{self.key()})",
            lambda: f"{self.json(d)}",
            lambda: f"{self.timestamp(d)} {self.relation()} {self.timestamp(d)}",
            lambda: f"{self.string(d)}.matches({self.one(*map(json.dumps, _PATTERNS))})",
            lambda: f"{self.json(d)}.{self.one('exists', 'all', 'exists_one')}(x, x {self.body()} {self.anything(0)})",
        ]
        if not self._is_common:
            forms += [
                lambda: f"{self.double(d)} {self.relation()} {self.double(d)}",
                lambda: f"{self.double(d)} {self.relation()} {self.integer(d)}",
                lambda: f"{self.duration(d)} {self.relation()} {self.duration(d)}",
                lambda: f"attributes.?{self.key()}.orValue({self.anything(0)}) {self.relation()} {self.anything(0)}",
                lambda: f"type({self.anything(d)}) == type({self.anything(d)})",
                lambda: f"{self.collection(d)}.{self.one('exists', 'all', 'exists_one')}(x, {self.condition()})",
                lambda: f"attributes.?{self.key()}.orValue({self.leaf()}) in {self.sequence(0)}",
                lambda: f"tags.?{self.key()}.orValue({self.quote(self.word())}).contains({self.string(0)})",
                lambda: f"attributes.deep.?{self.key()}.orValue({self.leaf()})",
                lambda: f"{self.number(d)} {self.relation()} {self.one(self.integer, self.double)(0)}",
                lambda: f"cel.bind(y, {self.integer(d)}, y {self.relation()} {self.integer(0)})",
                lambda: f"{self.anything(d)}",
            ]
        return str(self.one(*forms)())

    def collection(self, depth: int) -> str:
        return str(self.one("attributes.list", "attributes.deep", "tags", self.json(depth)))

    def condition(self) -> str:
        """Write what a macro asks of its variable `x`."""
        forms: _Forms = [
            lambda: f"x {self.relation()} {self.anything(0)}",
            lambda: f"{self.anything(0)} {self.relation()} x",
            lambda: f"x.{self.key()} {self.relation()} {self.leaf()}",
            lambda: f"x[{self.one('0', '1')}] {self.relation()} {self.leaf()}",
            lambda: f"has(x.{self.key()})",
            lambda: f"x in {self.sequence(0)}",
            lambda: f"x.startsWith({self.string(0)})",
            lambda: f"x.{self.key()}.contains({self.string(0)}) || {self.boolean(0)}",
            lambda: f"x + {self.leaf()} == {self.leaf()}",
            lambda: f"{self.leaf()} in x",
            lambda: f"size(x) > {self.integer(0)}",
            lambda: "x",
            lambda: f"tags.{self.key()} == x",
            lambda: f"attributes.list.exists(z, z == x || {self.boolean(0)})",
        ]
        return str(self.one(*forms)())

    def number(self, depth: int) -> str:
        """Write arithmetic on content."""
        other = self.one(self.integer, self.double, self.string)(depth - 1)
        pair = (self.json(depth), other)
        left, right = pair if self.one(True, False) else pair[::-1]
        return f"({left} {self.one('+', '-', '*', '/', '%')} {right})"

    def relation(self) -> str:
        return str(self.one("==", "!=", "<", "<=", ">", ">="))

    def body(self) -> str:
        # The oracle does not absorb the errors of single elements, as the specification says.
        return str(self.one("==", "!=")) if self._is_common else self.relation()

    def key(self) -> str:
        return str(self.one(*_KEYS))

    def integer(self, depth: int) -> str:
        if depth <= 0:
            return str(self.one("size", "version", *map(str, _INTEGERS), "9223372036854775807"))
        d = depth - 1
        forms: _Forms = [
            lambda: f"({self.integer(d)} {self.one('+', '-', '*', '/', '%')} {self.integer(d)})",
            lambda: f"-({self.integer(d)})",
            lambda: f"({self.boolean(d)} ? {self.integer(d)} : {self.integer(d)})",
            lambda: f"size({self.one(self.string, self.json)(d)})",
            lambda: "size(tags)",
        ]
        if not self._is_common:
            part = self.one(
                "getFullYear", "getMonth", "getDate", "getDayOfWeek", "getDayOfYear", "getHours", "getSeconds"
            )
            forms += [
                lambda: f"{self.timestamp(d)}.{part}()",
                lambda: f"{self.duration(d)}.{self.one('getHours', 'getMinutes', 'getSeconds', 'getMilliseconds')}()",
                lambda: f"{self.string(d)}.indexOf({self.string(d)})",
                lambda: f"int({self.anything(d)})",
                lambda: self.number(d),
                lambda: f"-{self.json(d)}",
            ]
        return str(self.one(*forms)())

    def double(self, depth: int) -> str:
        if depth <= 0 or self._is_common:
            return str(self.one(*map(str, _DOUBLES)))
        d = depth - 1
        forms: _Forms = [
            lambda: f"({self.double(d)} {self.one('+', '-', '*', '/')} {self.one(self.double, self.integer)(d)})",
            lambda: f"double({self.integer(d)})",
            lambda: f"({self.integer(d)} {self.one('+', '*', '/')} {self.double(d)})",
        ]
        return str(self.one(*forms)())

    def string(self, depth: int) -> str:
        if depth <= 0:
            fields = ("name", "modelName", "specName", "dataType", "ns", "ownerRef", "contentType", "createdAt")
            return str(self.one(*fields, self.quote(self.word()), self.quote(self.word())))
        d = depth - 1
        forms: _Forms = [
            lambda: f"({self.string(d)} + {self.string(d)})",
            lambda: f"({self.boolean(d)} ? {self.string(d)} : {self.string(d)})",
            lambda: f"tags.{self.key()}",
            lambda: f"tags[{self.string(0)}]",
            lambda: f"string({self.integer(d)})",
        ]
        if not self._is_common:
            forms += [
                lambda: f"{self.string(d)}.{self.one('lowerAscii', 'upperAscii', 'trim')}()",
                lambda: f"{self.string(d)}.substring({self.integer(0)})",
                lambda: f"{self.string(d)}.substring({self.integer(0)}, {self.integer(0)})",
                lambda: f'{self.string(d)}.split("-").join("+")',
                lambda: f"string({self.anything(d)})",
            ]
        return str(self.one(*forms)())

    def json(self, depth: int) -> str:
        if depth <= 0:
            return str(self.one(f"attributes.{self.key()}", f"tags.{self.key()}", "attributes"))
        base = self.json(depth - 1)
        forms = [f"{base}.{self.key()}", f"{base}[{self.one('0', '1', '2', '5')}]", f'{base}["{self.key()}"]', base]
        return str(self.one(*forms))

    def sequence(self, depth: int) -> str:
        items = [self.anything(depth - 1) if depth > 0 else self.leaf() for _ in range(self._draw(st.integers(0, 4)))]
        return f"[{', '.join(items)}]"

    def leaf(self) -> str:
        return str(
            self.one(self.quote(self.word()), *map(str, _INTEGERS[:6]), "true", "false", "1.5", "2.0", "null", '"10"')
        )

    def timestamp(self, depth: int) -> str:
        if depth <= 0 or self._is_common:
            return str(self.one("timestamp(createdAt)", *[f'timestamp("{moment}")' for moment in _MOMENTS[:6]]))
        d = depth - 1
        return f"({self.timestamp(d)} {self.one('+', '-')} {self.duration(d)})"

    def duration(self, depth: int) -> str:
        if depth <= 0:
            return str(self.one('duration("1h")', 'duration("90s")', 'duration("-1.5s")', 'duration("100000h")'))
        d = depth - 1
        forms = [
            f"({self.timestamp(d)} - {self.timestamp(d)})",
            f"({self.duration(d)} {self.one('+', '-')} {self.duration(d)})",
        ]
        return str(self.one(*forms))


_PATTERNS: Final = ("^a", "o.$", "[0-9]+", "^(?:prod|dev)$", "", "(r|e)*p")
