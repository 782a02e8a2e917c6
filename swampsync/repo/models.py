"""Models, as far as data commands need them."""

from __future__ import annotations

from swampsync.artifacts.definitions import create_model
from swampsync.artifacts.model import Model, normalise_type
from swampsync.artifacts.tree import Tree
from swampsync.repo.parts import Parts


class Models:
    """Defines models in this repo and lists them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def create(self, model_type: str, name: str) -> tuple[Model, str]:
        """Define a model under `models/`; returns it and its file.

        Raises:
            InvalidInput: A model cannot have that type or name.
            Conflict: There is a model of that name.
        """
        parts = self._parts
        tree = Tree(parts.world.disk, parts.world.clock, parts.layout.of(parts.home), parts.world.new_id)
        made = create_model(tree, name, model_type=normalise_type(model_type))
        return made.model, made.path

    def list(self) -> list[Model]:
        """List the defined models by name; files that cannot be read are reported as notices."""
        return sorted(self._parts.list_definitions(self._parts.namespace), key=lambda m: (m.name, m.type))
