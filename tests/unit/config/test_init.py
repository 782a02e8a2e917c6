from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from swampsync.config.config_file import read_config_file
from swampsync.config.gitignore import BEGIN, END
from swampsync.config.init import apply_plan, plan_deinit, plan_init, plan_upgrade
from swampsync.config.settings import load_config
from swampsync.disk import LocalDisk
from swampsync.errors import Conflict, DataError, InvalidInput, NotFound
from swampsync.testing.manual_clock import ManualClock

DISK = LocalDisk()
CLOCK = ManualClock()
ID = "11111111-2222-4333-8444-555555555555"


def tree(path: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")}


def init(path: Path, *, force: bool = False) -> dict[str, object]:
    plan = plan_init(DISK, str(path), clock=CLOCK, new_id=lambda: ID, force=force)
    apply_plan(DISK, plan)
    return plan.to_json()


def test_plan_writes_nothing(tmp_path: Path) -> None:
    """A plan is data."""
    plan_init(DISK, str(tmp_path / "new"), clock=CLOCK, new_id=lambda: ID)
    assert tree(tmp_path) == {}


def test_init_writes_what_swamp_writes(tmp_path: Path) -> None:
    """Marker, `.gitignore` and directories are those of a fresh swamp repository."""
    document = init(tmp_path / "new")
    files = tree(tmp_path / "new")
    assert files[".swamp.yaml"] == (
        b'swampVersion: 20260206.200442.0\ninitializedAt: "2026-01-01T00:00:00.000Z"\n'
        b"repoId: 11111111-2222-4333-8444-555555555555\ntools: []\ngitignoreManaged: true\n"
    )
    assert files[".gitignore"] == (
        b"# BEGIN swamp managed section - DO NOT EDIT\n\n# Runtime data (not needed in version control)\n.swamp/\n\n"
        b"# Local extension sources (developer-specific, not shared)\n.swamp-sources.yaml\n"
        b"# END swamp managed section\n"
    )
    assert {name for name, content in files.items() if content is None} == {
        "models", "workflows", "vaults", "grants", ".swamp", ".swamp/data", ".swamp/outputs", ".swamp/workflow-runs",
        ".swamp/workflows-evaluated", ".swamp/definitions-evaluated", ".swamp/secrets", ".swamp/audit",
        ".swamp/vault-bundles",
    }  # fmt: skip
    assert document == {
        "path": str(tmp_path / "new"), "version": "20260206.200442.0", "initializedAt": "2026-01-01T00:00:00.000Z",
        "skillsCopied": [], "instructionsFileCreated": False, "settingsCreated": False, "gitignoreAction": "created",
        "tools": [], "removedTools": [], "tool": "none", "nextSteps": [],
    }  # fmt: skip
    assert load_config(DISK, str(tmp_path / "new"), environ={}).repo_id == ID


def test_init_again_is_refused(tmp_path: Path) -> None:
    """An existing repo is left alone without `force`."""
    init(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(Conflict) as caught:
        init(tmp_path)
    assert caught.value.hint is not None
    assert "--force" in caught.value.hint
    assert tree(tmp_path) == before


def test_forced_init_loses_nothing(tmp_path: Path) -> None:
    """`--force` completes what is missing; identity, datastore block and comments stay (swamp loses them)."""
    text = "# ours\nrepoId: mine\ndatastore:\n  type: filesystem\n  path: /ds # shared\n  namespace: infra\n"
    (tmp_path / ".swamp.yaml").write_text(text)
    init(tmp_path, force=True)
    written = (tmp_path / ".swamp.yaml").read_text()
    assert written == text + (
        'swampVersion: "20260206.200442.0"\ninitializedAt: "2026-01-01T00:00:00.000Z"\ngitignoreManaged: true\n'
    )
    before = tree(tmp_path)
    assert init(tmp_path, force=True)["gitignoreAction"] == "unchanged"
    assert tree(tmp_path) == before


def test_forced_init_of_a_broken_marker_is_refused(tmp_path: Path) -> None:
    """What cannot be read cannot be kept: nothing is written."""
    (tmp_path / ".swamp.yaml").write_text("a: [")
    with pytest.raises(InvalidInput):
        init(tmp_path, force=True)
    assert tree(tmp_path) == {".swamp.yaml": b"a: ["}


def test_gitignore_is_left_alone_where_told(tmp_path: Path) -> None:
    """`gitignoreManaged: false` is respected."""
    (tmp_path / ".swamp.yaml").write_text("gitignoreManaged: false\n")
    assert init(tmp_path, force=True)["gitignoreAction"] == "skipped"
    assert not (tmp_path / ".gitignore").exists()


def test_gitignore_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that we cannot keep are not touched."""
    (tmp_path / ".gitignore").write_bytes(b"\xff\n")
    with pytest.raises(DataError):
        init(tmp_path)
    assert tree(tmp_path) == {".gitignore": b"\xff\n"}


def test_apply_refuses_what_changed_since_the_plan(tmp_path: Path) -> None:
    """Two people who initialise at once do not overwrite each other."""
    plan = plan_init(DISK, str(tmp_path), clock=CLOCK, new_id=lambda: ID)
    other = plan_init(DISK, str(tmp_path), clock=CLOCK, new_id=lambda: str(uuid.UUID(int=7)))
    apply_plan(DISK, plan)
    with pytest.raises(Conflict):
        apply_plan(DISK, other)
    assert load_config(DISK, str(tmp_path), environ={}).repo_id == ID


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\ntool: claude # x\n", 'a: 1\ntools:\n  - claude\nupgradedAt: "2026-01-01T00:00:00.000Z"\n'),
        ("tool: none\na: 1\n", 'a: 1\ntools: []\nupgradedAt: "2026-01-01T00:00:00.000Z"\n'),
        ("tools: [x]\ntool: y\n", 'tools: [x]\nupgradedAt: "2026-01-01T00:00:00.000Z"\n'),
        ("tools: [x]\n", "tools: [x]\n"),
    ],
)
def test_upgrade_promotes_the_single_tool(tmp_path: Path, before: str, after: str) -> None:
    """`tool` becomes `tools`, which wins where both are; a repo that is up to date is not written."""
    (tmp_path / ".swamp.yaml").write_text(before + "gitignoreManaged: false\n")
    apply_plan(DISK, plan_upgrade(DISK, str(tmp_path), clock=CLOCK))
    lines = [line for line in (tmp_path / ".swamp.yaml").read_text().splitlines() if line != "gitignoreManaged: false"]
    assert lines == after.splitlines()


def test_deinit_removes_marker_and_block_and_no_data(tmp_path: Path) -> None:
    """The directory is an ordinary one again; data and definitions stay."""
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    init(tmp_path)
    data = tmp_path / ".swamp" / "data" / "x"
    data.write_text("precious")
    apply_plan(DISK, plan_deinit(DISK, str(tmp_path)))
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"
    assert not (tmp_path / ".swamp.yaml").exists()
    assert data.read_text() == "precious"
    assert (tmp_path / "models").is_dir()
    with pytest.raises(NotFound):
        plan_deinit(DISK, str(tmp_path))


def test_deinit_removes_a_gitignore_that_was_only_ours(tmp_path: Path) -> None:
    """A `.gitignore` with nothing else in it goes too."""
    init(tmp_path)
    assert BEGIN in (tmp_path / ".gitignore").read_text()
    apply_plan(DISK, plan_deinit(DISK, str(tmp_path)))
    assert not (tmp_path / ".gitignore").exists()


def test_init_keeps_what_surrounds_the_block(tmp_path: Path) -> None:
    """Other people's lines of `.gitignore` stay."""
    (tmp_path / ".gitignore").write_text(f"*.pyc\n{BEGIN}\n.claude/x\n{END}\nbuild/")
    assert init(tmp_path)["gitignoreAction"] == "updated"
    lines = (tmp_path / ".gitignore").read_text().split("\n")
    assert lines[0] == "*.pyc"
    assert lines[-1] == "build/"
    assert {".swamp/", ".swamp-sources.yaml", ".claude/x"} < set(lines)
    assert read_config_file(DISK, str(tmp_path / ".swamp.yaml")).get(("gitignoreManaged",)) == "true"
