"""What holds for every module of the package; a rule is one test, whose message names every line that breaks it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "swampsync"

# From the roof to the ground; an import may only point down. Rooms in one set may not import each other.
ROOMS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"__init__"},
    {"repo"},
    {"maintenance"},
    {"sync"},
    {"query"},
    {"registry"},
    {"locks"},
    {"log"},
    {"artifacts"},
    {"catalog"},
    {"backends"},
    {"config"},
    {"disk"},
    {"layout"},
    {"namespace"},
    {"clock", "strict_yaml"},
    {"errors", "_version"},
]
LEVEL = {room: len(ROOMS) - i for i, rooms in enumerate(ROOMS) for room in rooms}

MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "testing" not in p.relative_to(PACKAGE).parts)


@dataclass(frozen=True)
class Source:
    """What the rules ask of a module, found in one walk; names stand with their lines."""

    lines: int
    imports: list[tuple[int, str]] = field(default_factory=list)
    relative_imports: list[int] = field(default_factory=list)
    calls: list[tuple[int, str]] = field(default_factory=list)
    attributes: list[tuple[int, tuple[str, str]]] = field(default_factory=list)
    # Lines on which a default of a parameter names the real thing (`new_id = uuid4`): that is the seam.
    defaults: set[int] = field(default_factory=set)


@lru_cache(maxsize=1)
def sources() -> dict[str, Source]:
    """Read every module, by its path below the package."""
    return {path.relative_to(PACKAGE).as_posix(): read(path) for path in MODULES}


def read(path: Path) -> Source:
    text = path.read_text()
    source = Source(len(text.splitlines()))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name):
                source.attributes.append((node.lineno, (node.value.id, node.attr)))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                source.calls.append((node.lineno, node.func.id))
        elif isinstance(node, ast.arguments):
            source.defaults.update(d.lineno for d in [*node.defaults, *node.kw_defaults] if d is not None)
        elif isinstance(node, ast.Import):
            source.imports.extend((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            source.relative_imports.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module:
            source.imports.append((node.lineno, node.module))
            if node.module == "swampsync":
                source.imports.extend((node.lineno, f"swampsync.{alias.name}") for alias in node.names)
    return source


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def room_of_file(path: str) -> str:
    return path.split("/", maxsplit=1)[0].removesuffix(".py")


def test_imports_point_down() -> None:
    """A module imports only from its own room or from rooms below it, and never from testing."""
    wrong = []
    for path, source in sources().items():
        own = room_of_file(path)
        wrong += [f"{path}:{line}: relative import" for line in source.relative_imports]
        for line, name in source.imports:
            room = room_of(name)
            if name.split(".")[0] != "swampsync" or name == "swampsync" or room == own:
                continue
            if room == "testing" or LEVEL.get(room, len(ROOMS)) >= LEVEL[own]:
                wrong.append(f"{path}:{line}: {own} imports {name} of {room}")
    assert not wrong, "\n".join(wrong)


def test_every_module_belongs_to_a_room() -> None:
    """No room is missing from the list that the arrows are checked against."""
    assert {room_of_file(path) for path in sources()} <= set(LEVEL)


def test_modules_keep_their_size() -> None:
    """A module has at most 300 lines."""
    assert [f"{path}: {source.lines} lines" for path, source in sources().items() if source.lines > 300] == []


FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "service", "info"}


def test_module_names_say_something() -> None:
    """No module has a name that could hold anything."""
    assert [path for path in sources() if Path(path).stem in FORBIDDEN_NAMES] == []


# The only places that may touch the world directly: the ground-floor seams themselves.
SEAMS = {"clock.py", "disk/local.py", "repo/world.py"}
BANNED_ATTRIBUTES = {
    ("os", "environ"), ("os", "getenv"), ("sys", "exit"), ("time", "sleep"), ("time", "time"),
    ("time", "monotonic"), ("datetime", "now"), ("datetime", "utcnow"), ("threading", "Thread"),
    ("uuid", "uuid4"), ("random", "random"), ("random", "randint"), ("random", "choice"),
}  # fmt: skip
BANNED_CALLS = {"print", "input", "exit", "quit"}


def test_library_is_silent() -> None:
    """The library prints nothing, exits nowhere, and reads no environment, clock or randomness of its own."""
    wrong = []
    for path, source in sources().items():
        if room_of_file(path) in {"cli", "__main__"} or path in SEAMS:
            continue
        wrong += [f"{path}:{line}: {name}()" for line, name in source.calls if name in BANNED_CALLS]
        wrong += [
            f"{path}:{line}: {'.'.join(used)}"
            for line, used in source.attributes
            if used in BANNED_ATTRIBUTES and line not in source.defaults
        ]
    assert not wrong, "\n".join(wrong)


def test_the_rules_see_the_package() -> None:
    """Every module is read, and imports and calls are found, so that no rule holds of nothing."""
    assert len(sources()) > 200
    assert sum(len(source.imports) for source in sources().values()) > 1000
    assert "getattr" in {name for _, name in sources()["clock.py"].calls}
    assert ("datetime", "now") in {used for _, used in sources()["clock.py"].attributes}
