"""From what people call a model to the model, in any namespace of the datastore."""

from __future__ import annotations

from typing import Final

from swampsync.artifacts.model import Model
from swampsync.artifacts.names import find_name_problem
from swampsync.errors import Conflict, NotFound
from swampsync.namespace import Namespace, parse_scoped_name
from swampsync.repo.parts import Parts

# Before a model's name: in any namespace, if only one has what is looked for.
ANYWHERE: Final = "*:"


class ModelFinder:
    """Finds models by their definitions and, where there are none, by the catalog."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def find_model(self, text: str, *, is_cached: bool = False) -> tuple[Namespace, Model]:
        """Find a model by name or id; `ns:model` names another namespace's.

        Raises:
            NotFound: No model goes by that name or id.
            Conflict: Two of the namespace's models go by that name.
        """
        namespace, (_, name) = self._namespace_of(text), parse_scoped_name(text)
        model = self._find_in(namespace, name, is_cached=is_cached)
        if model is None:
            raise NotFound(f"Model not found: {text}", hint="swamp data list", key=text)
        return namespace, model

    def _namespace_of(self, text: str) -> Namespace:
        scoped, _ = parse_scoped_name(text)
        return self._parts.namespace if scoped is None else scoped

    def find_owner(self, text: str, name: str, *, is_cached: bool = False) -> tuple[Namespace, Model]:
        """Find the model that an artifact belongs to; `*:model` is whichever catalogued namespace's has the artifact.

        Raises:
            NotFound: No model goes by that name or id, or none of them has the artifact.
            Conflict: Several namespaces have it, which the message names.
        """
        if not text.startswith(ANYWHERE):
            return self.find_model(text, is_cached=is_cached)
        wanted = text[len(ANYWHERE) :]
        found = []
        known = self._parts.other_namespaces() | {self._parts.home, self._parts.namespace}
        for namespace in sorted(known) if find_name_problem(name) is None else ():
            model = self._find_in(namespace, wanted, is_cached=is_cached)
            if model is not None and self._parts.store_of(namespace).list_versions(model, name):
                found.append((namespace, model))
        if len(found) > 1:
            shown = ", ".join(f"`{namespace}:{wanted}`" for namespace, _ in found)
            raise Conflict(
                f"several namespaces have `{name}` of a model `{wanted}`: {shown}",
                hint=f"name one: {found[0][0]}:{wanted}",
            )
        if not found:
            raise NotFound(
                f'Data not found: "{name}" for model "{wanted}" in any namespace that was looked at',
                hint="swamp datastore sync --all",
                key=name,
            )
        return found[0]

    def _find_in(self, namespace: Namespace, name: str, *, is_cached: bool) -> Model | None:
        if namespace == self._parts.home:
            model = self._parts.find_definition(namespace, name)
            if model is not None:
                return model
        known = self._find_in_catalog(namespace, name)
        if known is None and not is_cached:
            self._parts.refresh(namespace)
            known = self._find_in_catalog(namespace, name)
        return known or self._parts.find_definition(namespace, name)

    def _find_in_catalog(self, namespace: Namespace, name: str) -> Model | None:
        keys = self._parts.catalog.models(namespace.name)
        named = [k for k in keys if k.model_name == name] or [k for k in keys if k.model_id == name]
        if len(named) > 1:
            shown = ", ".join(f"`{k.type_normalized}/{k.model_id}`" for k in named)
            raise Conflict(
                f"several models are called `{name}`: {shown}", hint="use the model's id instead of its name", key=name
            )
        return Model(named[0].type_normalized, named[0].model_id, named[0].model_name) if named else None

    def _namespaces(self, *, all_namespaces: bool) -> list[Namespace]:
        if not all_namespaces:
            return [self._parts.namespace]
        known = self._parts.other_namespaces()
        return sorted(known | {self._parts.namespace})
