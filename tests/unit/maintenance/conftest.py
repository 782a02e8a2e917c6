"""Repos with a shared directory for the tests of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from swampsync.namespace import Namespace
from tests.unit.maintenance.tree import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A repo in namespace `infra` on an empty shared directory."""
    made = make_world(tmp_path, namespace=Namespace.parse("infra"))
    yield made
    made.catalog.close()
    made.state.close()
