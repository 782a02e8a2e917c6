"""Defining a model that nobody has defined, so that data can be put for it."""

from __future__ import annotations

from swampsync.artifacts.definitions import check_model_name, create_definition
from swampsync.artifacts.model import Model
from swampsync.artifacts.tree import Tree
from swampsync.repo.parts import Parts


def define_model(parts: Parts, name: str, model_type: str, *, kind: str) -> Model:
    """Define an unknown model in the namespace; of many at once exactly one creates it.

    Args:
        parts: Of the repo.
        name: Of the model.
        model_type: Of the model.
        kind: The command that needs it: `put`, `import`.

    Raises:
        InvalidInput: A model cannot have that name.
    """
    check_model_name(name)  # before a lock is named after it
    tree = Tree(parts.world.disk, parts.world.clock, parts.layout, parts.world.new_id)
    repo_id = parts.require_repo_id()
    with parts.guard.definition_lock(name, command=f"data {kind}"):
        made = create_definition(tree, name, repo_id=repo_id, model_type=model_type)
    if parts.config.is_remote:
        parts.syncing.record_file(parts.namespace, made.path, kind=kind)
    return made.model
