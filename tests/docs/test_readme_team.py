"""What the README shows of a team on S3 works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import BucketPlace, Swamp, bucket, moto, swamp, variables
from tests.docs.test_readme import blocks

__all__ = ["bucket", "moto", "swamp", "variables"]  # fixtures

TEAM = "team-data"


def in_order(block: str) -> list[tuple[list[str], list[str]]]:
    """Split a block into commands, each with the lines that it is said to print."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            words = shlex.split(line[2:])
            assert words[0] == "swamp", line
            found.append((words[1:], []))
        else:
            found[-1][1].append(line)
    return found


def block_with(language: str, text: str) -> str:
    (block,) = [block for block in blocks(language) if text in block]
    return block


def is_as_shown(shown: list[str], printed: list[str]) -> bool:
    """Compare; `…` stands for lines that are not shown, and who, where and when differ from machine to machine."""
    pattern = ""
    for line in shown:
        if line == "…":
            pattern += "(?:.*\n)*"
            continue
        words = [re.escape(word) for word in line.split()]
        if re.match(r"\d+ +\d{4}-\d\d-\d\d ", line):  # of `datastore log`: number, day, time, user, host
            words[1:5] = [r"\d{4}-\d\d-\d\d", r"\d\d:\d\d:\d\d", r"\S+", r"\S+"]
        pattern += " +".join(words) + " *\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


@pytest.fixture
def team(
    swamp: Swamp, bucket: BucketPlace, variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A directory as the first example of the README leaves it, before it sets up a datastore; and the bucket."""
    variables |= bucket.env | {"AWS_ENDPOINT_URL_S3": bucket.endpoint}
    buckets = [entry["Name"] for entry in bucket.client.list_buckets()["Buckets"]]
    if TEAM not in buckets:
        bucket.client.create_bucket(Bucket=TEAM)
    for entry in bucket.client.list_objects_v2(Bucket=TEAM).get("Contents", []):
        bucket.client.delete_object(Bucket=TEAM, Key=entry["Key"])
    (content,) = re.findall(r"echo '(.*)' > vpc.json", block_with("console", "vpc.json\n"))
    (tmp_path / "vpc.json").write_text(f"{content}\n")
    for name in ("infra", "app"):
        (tmp_path / name).mkdir()
        swamp(tmp_path, "repo", "init", name).ok()
    return tmp_path


def test_the_team_example_runs(swamp: Swamp, team: Path) -> None:
    """Every command of it succeeds, in two repos over one bucket, and prints what is shown."""
    block = block_with("console", "setup s3")
    assert len(re.findall(r"^\$ ", block, flags=re.MULTILINE)) <= 10
    shown = 0
    for words, lines in in_order(block):
        printed = swamp(team, *words).ok().text
        if lines:
            shown += 1
            assert is_as_shown(lines, printed.splitlines()), f"{words}\n{printed}"
    assert shown >= 4


def test_the_moving_example_runs(swamp: Swamp, team: Path) -> None:
    """Data goes into the bucket, out of it to a directory, and home, by the commands that are shown."""
    infra = team / "infra"
    swamp(infra, "data", "put", "vpc", "state", str(team / "vpc.json")).ok()
    commands = [shlex.split(line, comments=True) for line in block_with("sh", "/srv/swamp").splitlines()]
    assert len(commands) == 4
    for name, *words in commands:
        assert name == "swamp"
        printed = swamp(infra, *[str(team / "srv") if word == "/srv/swamp" else word for word in words]).ok().text
        if "--dry-run" in words:
            assert re.search(r"Requests: +about \d+", printed)
        assert swamp(infra, "data", "get", "vpc", "state", "--output", "-").ok().text == (team / "vpc.json").read_text()
    assert (infra / ".swamp" / "data").is_dir()
    assert "s3" not in (infra / ".swamp.yaml").read_text()
