"""What we need to know of swamp's workflow runs: whether one is there, and how it went."""

from __future__ import annotations

from typing import Any

from swampsync.disk import Disk
from swampsync.layout import Layout
from swampsync.strict_yaml import parse_strict


def read_run_status(disk: Disk, layout: Layout, workflow_id: str, *, run_id: str) -> str:
    """Read the status of a workflow run; `unknown` where its file is gone or says nothing."""
    path = layout.resolve("workflow-runs", workflow_id, f"workflow-run-{run_id}.yaml")
    try:
        text = disk.read_bytes(path).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return "unknown"
    document = parse_strict(text)
    if document is None:
        import yaml

        try:
            loaded: Any = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - builds strings only
        except yaml.YAMLError:
            return "unknown"
        document = loaded if isinstance(loaded, dict) else {}
    status = document.get("status")
    return status if isinstance(status, str) and status else "unknown"
