"""Regular expressions in RE2's syntax, matched in time proportional to the text.

Python's `re` backtracks, so that a short pattern can take longer than anybody waits. Here the pattern becomes a
nondeterministic automaton, and while texts are matched, the deterministic one that does the same is built state by
state and kept. There are no back-references and no look-around, as in RE2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from swampsync.query.regex_syntax import is_word, parse_pattern
from swampsync.query.regex_tree import Alternation, Assertion, CharacterClass, Item, Repetition, Sequence
from swampsync.query.values import EvaluationError

MAX_PROGRAM: Final = 5000
MAX_STATES: Final = 2000
# Automaton positions that building states may visit for one text.
MAX_WORK: Final = 2_000_000

_SPLIT: Final = 0
_CHARACTER: Final = 1
_ASSERT: Final = 2
_MATCH: Final = 3


class Pattern:
    """A compiled pattern; `search` tells whether it matches anywhere in a text."""

    def __init__(self, pattern: str) -> None:
        self._kinds: list[int] = []
        # SPLIT: two targets; CHARACTER: the class; ASSERT: the kind. The next position follows the last two.
        self._first: list[int] = []
        self._second: list[int] = []
        self._classes: list[CharacterClass | None] = []
        self._asserts: list[str] = []
        self._emit(parse_pattern(pattern))
        self._add(_MATCH)
        self._states: dict[tuple[tuple[int, ...], int], _State] = {}
        self._initial = self._state((0,), _AT_START)

    def search(self, text: str) -> bool:
        """Return whether the pattern matches somewhere in the text.

        Raises:
            EvaluationError: The pattern is too expensive for this text.
        """
        state = self._initial
        budget = MAX_WORK
        for char in text:
            following = state.next.get(char)
            if following is None:
                budget -= len(state.core) * 4 + len(self._kinds) // 8 + 8
                if budget < 0:
                    raise EvaluationError("the pattern is too expensive for this text")
                following = self._step(state, char)
            if following is _ACCEPT:
                return True
            state = following
        following = state.next.get("")
        if following is None:
            following = self._step(state, "")
        return following is _ACCEPT

    # --- the program -------------------------------------------------------------------------------

    def _add(self, kind: int, *, first: int = 0, characters: CharacterClass | None = None, assertion: str = "") -> int:
        if len(self._kinds) >= MAX_PROGRAM:
            raise EvaluationError("the pattern is too large")
        self._kinds.append(kind)
        self._first.append(first)
        self._second.append(0)
        self._classes.append(characters)
        self._asserts.append(assertion)
        return len(self._kinds) - 1

    def _emit(self, item: Item) -> None:
        if isinstance(item, CharacterClass):
            self._add(_CHARACTER, characters=item)
        elif isinstance(item, Assertion):
            self._add(_ASSERT, assertion=item.kind)
        elif isinstance(item, Sequence):
            for part in item.items:
                self._emit(part)
        elif isinstance(item, Alternation):
            self._emit_alternation(item)
        else:
            self._emit_repetition(item)

    def _emit_alternation(self, item: Alternation) -> None:
        jumps = []
        for branch in item.branches[:-1]:
            split = self._add(_SPLIT)
            self._first[split] = split + 1
            self._emit(branch)
            jumps.append(self._add(_SPLIT))
            self._second[split] = len(self._kinds)
        self._emit(item.branches[-1])
        for jump in jumps:
            self._first[jump] = self._second[jump] = len(self._kinds)

    def _emit_repetition(self, item: Repetition) -> None:
        for _ in range(item.low):
            self._emit(item.item)
        if item.high is None:
            split = self._add(_SPLIT)
            self._first[split] = split + 1
            self._emit(item.item)
            back = self._add(_SPLIT)
            self._first[back] = self._second[back] = split
            self._second[split] = len(self._kinds)
            return
        splits = []
        for _ in range(item.high - item.low):
            split = self._add(_SPLIT)
            self._first[split] = split + 1
            splits.append(split)
            self._emit(item.item)
        for split in splits:
            self._second[split] = len(self._kinds)

    # --- the automaton -----------------------------------------------------------------------------

    def _state(self, core: tuple[int, ...], before: int) -> _State:
        key = (core, before)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= MAX_STATES:
                self._states.clear()  # forgets, and builds again what is needed
            state = self._states[key] = _State(core, before)
        return state

    def _step(self, state: _State, char: str) -> _State:
        """Build the transition of a state over a character, or over the end of the text."""
        following = self._follow(state, char)
        if len(state.next) < MAX_STATES:
            state.next[char] = following
        return following

    def _follow(self, state: _State, char: str) -> _State:
        seen = set(state.core)
        stack = list(state.core)
        reached: set[int] = set()
        while stack:
            position = stack.pop()
            kind = self._kinds[position]
            if kind == _MATCH:
                return _ACCEPT
            if kind == _CHARACTER:
                characters = self._classes[position]
                if char and characters is not None and characters.matches(char):
                    reached.add(position + 1)
                continue
            if kind == _SPLIT:
                targets: tuple[int, ...] = (self._first[position], self._second[position])
            else:
                targets = (position + 1,) if _holds(self._asserts[position], state.before, char) else ()
            for target in targets:
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
        reached.add(0)  # a match may begin anywhere
        before = _AFTER_NEWLINE if char == "\n" else _AFTER_WORD if is_word(char) else _AFTER_OTHER
        return self._state(tuple(sorted(reached)), before)


class _State:
    __slots__ = ("before", "core", "next")

    def __init__(self, core: tuple[int, ...], before: int) -> None:
        self.core = core
        self.before = before
        self.next: dict[str, _State] = {}


_AT_START: Final = 0
_AFTER_NEWLINE: Final = 1
_AFTER_WORD: Final = 2
_AFTER_OTHER: Final = 3
_ACCEPT: Final = _State((), -1)


def _holds(assertion: str, before: int, char: str) -> bool:
    if assertion == "start":
        return before == _AT_START
    if assertion == "end":
        return not char
    if assertion == "line-start":
        return before in {_AT_START, _AFTER_NEWLINE}
    if assertion == "line-end":
        return not char or char == "\n"
    is_boundary = (before == _AFTER_WORD) != is_word(char)
    return is_boundary if assertion == "boundary" else not is_boundary


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Pattern:
    """Compile a pattern.

    Raises:
        EvaluationError: The pattern is no regular expression in RE2's syntax, or too large.
    """
    return Pattern(pattern)
