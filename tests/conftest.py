"""What all tests share: no setting of the person running them reaches a test."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Remove every SWAMP_ and AWS_ variable and point the home directory at an empty one."""
    for name in list(os.environ):
        if name.startswith(("SWAMP_", "AWS_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
