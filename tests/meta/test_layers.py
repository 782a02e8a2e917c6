from __future__ import annotations

import ast
from pathlib import Path

import pytest

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


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            if node.module == "swampsync":
                found |= {f"swampsync.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "swampsync"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A module imports only from its own room or from rooms below it, and never from testing."""
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    for name in imports_of(path):
        if name == "swampsync":
            continue
        room = room_of(name)
        assert room != "testing", f"{relative} imports {name}"
        assert room == own or LEVEL[room] < LEVEL[own], f"{relative} ({own}) imports {name} ({room})"


def test_every_module_belongs_to_a_room() -> None:
    """No room is missing from the list that the arrows are checked against."""
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in MODULES}
    assert rooms <= set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_keep_their_size(path: Path) -> None:
    """A module has at most 300 lines."""
    assert len(path.read_text().splitlines()) <= 300


FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "service", "info"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_names_say_something(path: Path) -> None:
    """No module has a name that could hold anything."""
    assert path.stem not in FORBIDDEN_NAMES


SILENT = [p for p in MODULES if p.relative_to(PACKAGE).parts[0] not in {"cli", "__main__.py"}]
# The only places that may touch the world directly: the ground-floor seams themselves.
SEAMS = {"clock.py", "disk/local.py", "repo/world.py"}
BANNED_ATTRIBUTES = {
    ("os", "environ"), ("os", "getenv"), ("sys", "exit"), ("time", "sleep"), ("time", "time"),
    ("time", "monotonic"), ("datetime", "now"), ("datetime", "utcnow"), ("threading", "Thread"),
    ("uuid", "uuid4"), ("random", "random"), ("random", "randint"), ("random", "choice"),
}  # fmt: skip


def _defaults(tree: ast.AST) -> set[int]:
    """Lines on which a default of a parameter names the real thing (`new_id = uuid4`): that is the seam."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            lines |= {d.lineno for d in [*node.defaults, *node.kw_defaults] if d is not None}
    return lines


@pytest.mark.parametrize("path", SILENT, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_library_is_silent(path: Path) -> None:
    """The library prints nothing, exits nowhere, and reads no environment, clock or randomness of its own."""
    if str(path.relative_to(PACKAGE)) in SEAMS:
        return
    tree = ast.parse(path.read_text())
    allowed = _defaults(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "input", "exit", "quit"}, f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = (node.value.id, node.attr)
            assert used not in BANNED_ATTRIBUTES or node.lineno in allowed, f"{path}:{node.lineno}: {used}"
