"""The filters of a search, and the SQL that they become."""

from __future__ import annotations

from typing import NamedTuple


class SearchFilter(NamedTuple):
    """What a search narrows by; `None` and empty mean: do not.

    `since` is compared as text with `created_at`, which swamp writes in UTC with three decimals, so that the order of
    the texts is the order of the times.
    """

    text: str = ""  # part of the artifact's name, its data type, its model's name or its owner, in any case
    text_model_ids: tuple[str, ...] = ()  # models that count as found by `text`, though their rows do not name them
    data_type: str | None = None
    model_type: str | None = None
    lifetime: str | None = None
    owner_type: str | None = None
    owner_ref: str | None = None
    workflow_name: str | None = None
    workflow_run_id: str | None = None
    model_name: str | None = None
    model_id: str | None = None
    model_ids: tuple[str, ...] | None = None  # any of them
    id: str | None = None
    content_type: str | None = None
    since: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    is_streaming: bool | None = None

    def to_sql(self) -> tuple[str, list[object]]:
        """Return conditions on the columns of `catalog`, joined with AND, and their parameters."""
        conditions: list[str] = []
        parameters: list[object] = []
        for column, value in (
            ("data_type", self.data_type),
            ("type_normalized", self.model_type),
            ("lifetime", self.lifetime),
            ("owner_type", self.owner_type),
            ("owner_ref", self.owner_ref),
            ("workflow_name", self.workflow_name),
            ("workflow_run_id", self.workflow_run_id),
            ("model_name", self.model_name),
            ("model_id", self.model_id),
            ("id", self.id),
            ("content_type", self.content_type),
            ("streaming", None if self.is_streaming is None else int(self.is_streaming)),
        ):
            if value is not None:
                # The plus keeps the condition from choosing an index that mixes all namespaces.
                conditions.append(f"+{column} = ?")
                parameters.append(value)
        if self.since is not None:
            conditions.append("+created_at >= ?")
            parameters.append(self.since)
        for key, value in self.tags:
            conditions.append("EXISTS (SELECT 1 FROM json_each(tags) AS tag WHERE tag.key = ? AND tag.value = ?)")
            parameters += [key, value]
        if self.text:
            pattern = "%" + self.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            texts = [f"{column} LIKE ? ESCAPE '\\'" for column in ("data_name", "data_type", "model_name", "owner_ref")]
            parameters += [pattern] * len(texts)
            if self.text_model_ids:
                texts.append(f"+model_id IN ({', '.join('?' * len(self.text_model_ids))})")
                parameters += self.text_model_ids
            conditions.append(f"({' OR '.join(texts)})")
        if self.model_ids is not None:
            conditions.append(f"+model_id IN ({', '.join('?' * len(self.model_ids))})")
            parameters += self.model_ids
        return " AND ".join(conditions) or "1", parameters
