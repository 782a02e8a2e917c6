"""RE2's syntax of regular expressions, to a tree."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from swampsync.query.regex_tree import (
    Alternation,
    Assertion,
    CharacterClass,
    Item,
    Range,
    Repetition,
    Sequence,
)
from swampsync.query.values import EvaluationError

MAX_REPETITION: Final = 1000
MAX_GROUPS_DEEP: Final = 100
_MAX_CODE: Final = 0x10FFFF

_DIGIT: Final[tuple[Range, ...]] = ((48, 57),)
_SPACE: Final[tuple[Range, ...]] = ((9, 10), (12, 13), (32, 32))
_WORD: Final[tuple[Range, ...]] = ((48, 57), (65, 90), (95, 95), (97, 122))
_POSIX: Final[dict[str, tuple[Range, ...]]] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_PERL: Final = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
_CONTROLS: Final = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_ASSERTIONS: Final = {"A": "start", "z": "end", "b": "boundary", "B": "no-boundary"}


def is_word(char: str) -> bool:
    """Whether a character is part of a word, as the assertion of word boundaries sees it."""
    return char != "" and (char == "_" or (char.isascii() and char.isalnum()))


def complement(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    """Return the code points outside some ranges."""
    result = []
    start = 0
    for low, high in sorted(ranges):
        if low > start:
            result.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _MAX_CODE:
        result.append((start, _MAX_CODE))
    return tuple(result)


def parse_pattern(pattern: str) -> Item:
    """Parse a pattern.

    Raises:
        EvaluationError: It is not in RE2's syntax.
    """
    parser = _Parser(pattern)
    item = parser.alternation(frozenset())
    if parser.position < len(pattern):
        parser.fail("a parenthesis is closed that was not opened")
    return item


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0

    def fail(self, reason: str) -> NoReturn:
        shown = self.pattern if len(self.pattern) <= 60 else self.pattern[:60] + "…"
        raise EvaluationError(f"`{shown}` is no regular expression: {reason}")

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.position)

    def take(self) -> str:
        if self.position >= len(self.pattern):
            self.fail("it ends too early")
        self.position += 1
        return self.pattern[self.position - 1]

    def alternation(self, flags: frozenset[str]) -> Item:
        branches: list[Item] = []
        items: list[Item] = []
        while self.position < len(self.pattern) and not self.peek(")"):
            if self.peek("|"):
                self.position += 1
                branches.append(Sequence(items))
                items = []
            elif flag_group := re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?\)").match(self.pattern, self.position):
                self.position = flag_group.end()
                flags = self.with_flags(flags, flag_group[1], flag_group[2] or "")
            else:
                items.append(self.repeated(flags))
        branches.append(Sequence(items))
        return branches[0] if len(branches) == 1 else Alternation(branches)

    def with_flags(self, flags: frozenset[str], added: str, removed: str) -> frozenset[str]:
        if not added and not removed:
            self.fail("a group of flags names none")
        return (flags | set(added)) - set(removed)

    def repeated(self, flags: frozenset[str]) -> Item:
        start = self.position
        if self.pattern[start] in "*+?":
            self.fail(f"`{self.pattern[start]}` repeats nothing")
        item = self.item(flags)
        is_repeated = False
        while bounds := self.bounds():
            if is_repeated:
                self.fail("a repetition is repeated")
            is_repeated = True
            low, high = bounds
            if max(low, high or 0) > MAX_REPETITION or (high is not None and high < low):
                self.fail("the bounds of a repetition are out of range")
            item = Repetition(item, low, high)
            if self.peek("?"):
                self.position += 1  # lazy: whether there is a match stays the same
        return item

    def bounds(self) -> tuple[int, int | None] | None:
        char = self.pattern[self.position : self.position + 1]
        if char and char in "*+?":
            self.position += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        match = re.compile(r"\{([0-9]{1,6})(?:(,)([0-9]{0,6}))?\}").match(self.pattern, self.position)
        if match is None:
            return None
        self.position = match.end()
        low = int(match[1])
        if match[2] is None:
            return low, low
        return low, int(match[3]) if match[3] else None

    def item(self, flags: frozenset[str]) -> Item:
        char = self.take()
        if char == "(":
            return self.group(flags)
        if char == "[":
            return self.bracket(flags)
        if char == ".":
            return CharacterClass(complement(() if "s" in flags else ((10, 10),)))
        if char == "^":
            return Assertion("line-start" if "m" in flags else "start")
        if char == "$":
            return Assertion("line-end" if "m" in flags else "end")
        if char == "\\":
            return self.escape(flags)
        return self.literal(char, flags)

    def literal(self, char: str, flags: frozenset[str]) -> CharacterClass:
        return CharacterClass(((ord(char), ord(char)),), folds="i" in flags)

    def group(self, flags: frozenset[str]) -> Item:
        self.depth += 1
        if self.depth > MAX_GROUPS_DEEP:
            self.fail("its groups are nested too deeply")
        if self.peek("?"):
            opening = re.compile(r"\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|([imsU]*)(?:-([imsU]+))?:)")
            match = opening.match(self.pattern, self.position)
            if match is None:
                self.fail("there is no look-around and no such group in RE2")
            self.position = match.end()
            if match[1] or match[2]:
                flags = self.with_flags(flags, match[1] or "", match[2] or "")
        item = self.alternation(flags)
        if not self.peek(")"):
            self.fail("a parenthesis is not closed")
        self.position += 1
        self.depth -= 1
        return item

    def escape(self, flags: frozenset[str]) -> Item:
        char = self.take()
        if char in _ASSERTIONS:
            return Assertion(_ASSERTIONS[char])
        if char == "Q":
            end = self.pattern.find("\\E", self.position)
            text = self.pattern[self.position : end] if end >= 0 else self.pattern[self.position :]
            self.position = end + 2 if end >= 0 else len(self.pattern)
            return Sequence([self.literal(c, flags) for c in text])
        if char.lower() in _PERL:
            ranges = _PERL[char.lower()]
            return CharacterClass(ranges if char.islower() else complement(ranges))
        if char in "pP":
            return CharacterClass((), categories=(self.category(is_negated=char == "P"),))
        code = self.code(char)
        return CharacterClass(((code, code),), folds="i" in flags)

    def category(self, *, is_negated: bool) -> tuple[str, bool]:
        match = re.compile(r"\{(\^?)([A-Z][a-z]?)\}|([A-Z])").match(self.pattern, self.position)
        name = match and (match[2] or match[3])
        if match is None or name is None or name[0] not in "CLMNPSZ":
            self.fail("there is no such class of characters here")
        self.position = match.end()
        return name, is_negated != bool(match[1])

    def code(self, char: str) -> int:
        """Return the code point that an escape stands for."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            match = re.compile(r"([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\}").match(self.pattern, self.position)
            code = int(match[1] or match[2], 16) if match else _MAX_CODE + 1
            if match is None or code > _MAX_CODE:
                self.fail("an escape `\\x` is not complete")
            self.position = match.end()
            return code
        match = re.compile("0[0-7]{0,2}|[1-7][0-7]{2}").match(self.pattern, self.position - 1)
        if match is not None:
            self.position = match.end()
            return int(match[0], 8)
        if char.isascii() and (char.isalnum() or char == "_"):
            self.fail(f"there is no escape `\\{char}`")
        return ord(char)

    def bracket(self, flags: frozenset[str]) -> CharacterClass:
        is_negated = self.peek("^")
        self.position += is_negated
        ranges: list[Range] = []
        categories: list[tuple[str, bool]] = []
        is_first = True
        while is_first or not self.peek("]"):
            is_first = False
            if posix := re.compile(r"\[:(\^?)([a-z]+):\]").match(self.pattern, self.position):
                if posix[2] not in _POSIX:
                    self.fail("there is no such class of characters")
                self.position = posix.end()
                ranges += complement(_POSIX[posix[2]]) if posix[1] else _POSIX[posix[2]]
                continue
            low = self.bracket_item(ranges, categories)
            if low is None:
                continue
            high = low
            if self.peek("-") and not self.peek("-]"):
                self.position += 1
                end = self.bracket_item(ranges, categories)
                if end is None or end < low:
                    self.fail("a range of characters is out of order")
                high = end
            ranges.append((low, high))
        self.position += 1
        return CharacterClass(tuple(ranges), categories=tuple(categories), is_negated=is_negated, folds="i" in flags)

    def bracket_item(self, ranges: list[Range], categories: list[tuple[str, bool]]) -> int | None:
        """Return a code point, or nothing if what stands here is a class, which is added."""
        char = self.take()
        if char != "\\":
            return ord(char)
        char = self.take()
        if char.lower() in _PERL:
            found = _PERL[char.lower()]
            ranges += found if char.islower() else complement(found)
            return None
        if char in "pP":
            categories.append(self.category(is_negated=char == "P"))
            return None
        return self.code(char)
