from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "design" / "invariants.md").read_text()
DIRECTORY = re.compile(
    r"tests/unit/(artifacts|maintenance/test_(gc|prune|re|doctor_directory)|locks/test_(directory|guard)|test_registry|"
    r"test_layout|config|backends/test_filesystem)|tests/cli/test_(strict_tree|migrate|lock_table\.|odd)|"
    r"(tests|integration)/faults/test_(kill_matrix|migration_kill)|integration/(test_processes|artifacts|locks)"
)
BUCKET = re.compile(
    r"tests/unit/(log|sync|repo|registry|backends/test_prefixed)|tests/stateful|tests/cli/test_(sync|lock_table_bucket|history)|"
    r"integration/(log|sync|cli|backends|faults/test_bucket)"
)
MEDIA = {"directory": DIRECTORY, "bucket": BUCKET}
# In a directory there are no keys that could be written twice.
ON_ONE_ONLY = {"I12": "bucket"}


def claimed() -> set[str]:
    return set(re.findall(r"^- \*\*(I\d+)\*\*", TEXT, flags=re.MULTILINE))


def held() -> Iterator[tuple[str, str]]:
    """Name each invariant that a test holds, with the test's file."""
    for folder in ("tests", "integration"):
        for path in (ROOT / folder).rglob("test_*.py"):
            for name in re.findall(r'holds\("(I\d+)"\)', path.read_text()):
                yield name, path.relative_to(ROOT).as_posix()


def test_every_held_invariant_is_described() -> None:
    """Every invariant that a test names stands in design/invariants.md."""
    assert {name for name, _ in held()} <= claimed()


def test_every_invariant_that_is_claimed_is_held() -> None:
    """Every invariant that design/invariants.md claims is named by at least one test, and none is left out."""
    assert claimed() == {f"I{number}" for number in range(1, 13)}
    assert claimed() == {name for name, _ in held()}


@pytest.mark.parametrize("medium", MEDIA)
def test_every_invariant_is_held_on_each_medium(medium: str) -> None:
    """Each invariant has a test on a directory and one on a bucket, where it means something there."""
    wanted = {name for name in claimed() if ON_ONE_ONLY.get(name, medium) == medium}
    assert wanted - {name for name, path in held() if MEDIA[medium].match(path)} == set()


def test_no_file_is_of_both_media() -> None:
    """A file that holds an invariant is counted for one medium at most, so that no gap is hidden."""
    assert [path for _, path in held() if DIRECTORY.match(path) and BUCKET.match(path)] == []
