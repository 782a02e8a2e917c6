from __future__ import annotations

import threading
import uuid
from pathlib import Path

from swampsync.config.document import ConfigDocument
from swampsync.config.repo_id import ensure_repo_id, plan_repo_id
from swampsync.config.settings import load_config
from swampsync.disk import LocalDisk

DISK = LocalDisk()


def test_plan_takes_the_id_that_is_there() -> None:
    """A repo that has an id has nothing to be written."""
    document = ConfigDocument.parse(b"repoId: x\n", path="P")
    plan = plan_repo_id(document, new_id=lambda: "new")
    assert (plan.repo_id, plan.document) == ("x", None)


def test_plan_makes_a_missing_id_without_writing() -> None:
    """The plan holds the document that would have to be written."""
    plan = plan_repo_id(ConfigDocument.parse(b"a: 1 # c\n", path="P"), new_id=lambda: "new-id")
    assert plan.document is not None
    assert plan.document.to_bytes() == b"a: 1 # c\nrepoId: new-id\n"


def test_ensure_writes_once(tmp_path: Path) -> None:
    """The first writing command makes the id, later ones find it."""
    (tmp_path / ".swamp.yaml").write_text("a: 1\n")
    config = ensure_repo_id(DISK, load_config(DISK, str(tmp_path), environ={}), new_id=lambda: "one")
    assert config.repo_id == "one"
    assert config.document.get(("repoId",)) == "one"
    assert ensure_repo_id(DISK, config, new_id=lambda: "two") is config
    assert load_config(DISK, str(tmp_path), environ={}).repo_id == "one"
    assert list((tmp_path / ".swamp").iterdir()) == []


def test_ensure_raced_gives_all_the_same_id(tmp_path: Path) -> None:
    """Sixteen first commands at once agree on one id, which is the one in the file."""
    (tmp_path / ".swamp.yaml").write_text("a: 1\n")
    config = load_config(DISK, str(tmp_path), environ={})
    barrier = threading.Barrier(16)
    found: list[str | None] = []

    def run() -> None:
        barrier.wait()
        found.append(ensure_repo_id(DISK, config, new_id=lambda: str(uuid.uuid4())).repo_id)

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert set(found) == {load_config(DISK, str(tmp_path), environ={}).repo_id}
    assert (tmp_path / ".swamp.yaml").read_text().count("repoId") == 1


def test_claim_of_a_dead_process_is_finished(tmp_path: Path) -> None:
    """Who was killed between claiming and writing leaves an id that the next one writes."""
    (tmp_path / ".swamp.yaml").write_text("a: 1\n")
    (tmp_path / ".swamp").mkdir()
    (tmp_path / ".swamp" / ".repo-id").write_text("left")
    config = load_config(DISK, str(tmp_path), environ={})
    assert ensure_repo_id(DISK, config, new_id=lambda: "new").repo_id == "left"
