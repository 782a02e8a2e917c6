"""`swamp config`: settings, and where each value came from."""

from __future__ import annotations

from typing import Annotated

import typer

from swampsync.cli.command import Cli, command
from swampsync.errors import printable

Key = Annotated[str, typer.Argument(metavar="KEY", help="Setting, such as datastore.namespace or autoGc.")]


@command
def get(cli: Cli, key: Key) -> None:
    """Print one setting."""
    from swampsync.cli.opening import read_setting

    setting = read_setting(cli, key)
    if cli.console.is_json:
        cli.console.document({"name": setting.name, "value": setting.value, "source": setting.source})
    else:
        cli.console.line(_shown(setting.value))


@command
def set_(cli: Cli, key: Key, value: Annotated[str, typer.Argument(metavar="VALUE", help="New value.")]) -> None:
    """Change one setting in `.swamp.yaml`; every other byte of it stays."""
    from swampsync.cli.opening import write_setting

    setting = write_setting(cli, key, value)
    if cli.console.is_json:
        cli.console.document({"name": setting.name, "value": setting.value, "source": setting.source})
    else:
        cli.console.line(printable(f"{setting.name} = {_shown(setting.value)}"))


@command
def unset(cli: Cli, key: Key) -> None:
    """Remove one setting from `.swamp.yaml`, so that its default holds."""
    from swampsync.cli.opening import write_setting

    setting = write_setting(cli, key, None)
    if cli.console.is_json:
        cli.console.document({"name": setting.name, "value": setting.value, "source": setting.source})
    else:
        cli.console.line(printable(f"{setting.name} = {_shown(setting.value)} ({setting.source})"))


@command
def list_(cli: Cli) -> None:
    """List all settings with where each value came from."""
    from swampsync.cli.opening import read_settings

    settings = read_settings(cli)
    if cli.console.is_json:
        cli.console.document({"settings": [{"name": s.name, "value": s.value, "source": s.source} for s in settings]})
        return
    cli.console.table(["setting", "value", "source"], [(s.name, _shown(s.value), s.source) for s in settings])


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
