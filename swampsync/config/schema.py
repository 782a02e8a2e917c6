"""Which keys `.swamp.yaml` knows, and how their values are read; every complaint names the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from swampsync.config.document import ConfigDocument, ConfigValue
from swampsync.errors import InvalidInput, printable

TOP_LEVEL_KEYS: Final = frozenset(
    {
        "swampVersion",
        "initializedAt",
        "upgradedAt",
        "repoId",
        "modelsDir",
        "workflowsDir",
        "vaultsDir",
        "driversDir",
        "datastoresDir",
        "reportsDir",
        "tools",
        "tool",
        "logLevel",
        "gitignoreManaged",
        "telemetryEndpoint",
        "telemetryDisabled",
        "telemetryKeepFlushed",
        "trustedCollectives",
        "trustMemberCollectives",
        "autoGc",
        "defaultVault",
        "lastSkillMigrationWarning",
        "skillMigrationDismissed",
        "lastStalenessWarning",
        "datastore",
        "defaultDriver",
        "defaultDriverConfig",
    }
)
DATASTORE_KEYS: Final = frozenset(
    {
        "type",
        "path",
        "bucket",
        "prefix",
        "region",
        "endpoint",
        "forcePathStyle",
        "config",
        "directories",
        "exclude",
        "hydrationStrategy",
        "namespace",
        "autoSync",
        "cacheLimit",
        "syncTimeoutMs",
    }
)
LOG_LEVELS: Final = ("trace", "debug", "info", "warning", "error", "fatal")

_SIMILARITY: Final = 0.75


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """Something in the configuration that is probably not meant.

    Args:
        line: Where in `.swamp.yaml`, from 1.
        message: What.
        hint: What to write instead.
    """

    line: int
    message: str
    hint: str

    def __str__(self) -> str:
        return f"`.swamp.yaml` line {self.line}: {self.message}; {self.hint}"


def find_unknown_keys(document: ConfigDocument) -> tuple[ConfigWarning, ...]:
    """Find unknown keys that look like a known one; other people's keys are none of our business."""
    return (
        *_unknown_among(document, (), TOP_LEVEL_KEYS, elsewhere=DATASTORE_KEYS),
        *_unknown_among(document, ("datastore",), DATASTORE_KEYS, elsewhere=TOP_LEVEL_KEYS),
    )


def unknown_key_warning(document: ConfigDocument, keys: tuple[str, ...], known: frozenset[str]) -> ConfigWarning | None:
    """Make the warning for one key that is not among the known ones, if it resembles one."""
    import difflib  # noqa: PLC0415  (needed for the rare key that is unknown)

    key = keys[-1]
    folded = {name.replace("_", "").lower(): name for name in known}
    near = difflib.get_close_matches(key.replace("_", "").replace("-", "").lower(), folded, n=1, cutoff=_SIMILARITY)
    if not near:
        return None
    line = document.position_of(keys).line
    return ConfigWarning(line, f"`{'.'.join(keys)}` is no known setting and has no effect", f"write {folded[near[0]]}")


def _unknown_among(
    document: ConfigDocument, above: tuple[str, ...], known: frozenset[str], *, elsewhere: frozenset[str]
) -> list[ConfigWarning]:
    section = document.get(above)
    found = []
    for key in section if isinstance(section, dict) else ():
        if key in known:
            continue
        if key in elsewhere:
            place = "at the top level" if above else "under `datastore:`"
            line = document.position_of((*above, key)).line
            found.append(ConfigWarning(line, f"`{key}` has no effect here", f"move it: it belongs {place}"))
        else:
            warning = unknown_key_warning(document, (*above, key), known)
            if warning is not None:
                found.append(warning)
    return found


class SettingReader:
    """Reads settings of one document with the type they must have."""

    __slots__ = ("document",)

    def __init__(self, document: ConfigDocument) -> None:
        self.document = document

    def text(self, *keys: str) -> str | None:
        """Read a text; nothing and the empty text are `None`."""
        value = self.document.get(keys)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.wrong(keys, "must be a text")
        return value

    def choice(self, *keys: str, among: tuple[str, ...]) -> str | None:
        """Read one of a few words."""
        value = self.text(*keys)
        if value is not None and value not in among:
            raise self.wrong(keys, f"is `{printable(value[:80])}`, but must be one of {_listed(among)}")
        return value

    def flag(self, *keys: str) -> bool | None:
        """Read `true` or `false`."""
        value = self.text(*keys)
        if value is None:
            return None
        if value.lower() not in {"true", "false"}:
            raise self.wrong(keys, f"is `{printable(value[:80])}`, but must be `true` or `false`")
        return value.lower() == "true"

    def positive(self, *keys: str) -> int | None:
        """Read a whole number above 0."""
        value = self.text(*keys)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 16 and int(value) > 0):
            raise self.wrong(keys, f"is `{printable(value[:80])}`, but must be a whole number above 0")
        return int(value)

    def texts(self, *keys: str) -> tuple[str, ...] | None:
        """Read a list of texts; nothing is `None`, an empty list is empty."""
        value = self.document.get(keys)
        if value is None or value == "":
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(keys, "must be a list of texts (`[a, b]`)")
        return tuple(item for item in value if isinstance(item, str))

    def section(self, *keys: str) -> dict[str, ConfigValue]:
        """Read a map; nothing is an empty one."""
        value = self.document.get(keys)
        if value is None or value == "":
            return {}
        if not isinstance(value, dict):
            raise self.wrong(keys, "must be a map of settings")
        return value

    def wrong(self, keys: tuple[str, ...], problem: str, *, hint: str | None = None) -> InvalidInput:
        """Make the error for a setting with a value that cannot be used."""
        return self.document.error_at(keys, f"`{'.'.join(keys)}` {problem}", hint=hint)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)
