"""From flags and environment to a repo: the only place that looks at the process's directory and home."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from swampsync.cli.command import Cli
from swampsync.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from swampsync.config.init import RepoPlan
    from swampsync.config.namespace_choice import NamespaceChoice
    from swampsync.config.settings import RepoConfig, Setting
    from swampsync.repo import Repo


def find_directory(cli: Cli) -> str:
    """Find the repo's directory."""
    from swampsync.config.discovery import find_repo
    from swampsync.disk import LocalDisk

    found = find_repo(LocalDisk(), cwd=_cwd(), flag=cli.common.repo_dir, environ=cli.environ)
    cli.repo_directory = found.repo_dir
    return found.repo_dir


def _cwd() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise NotFound("the working directory has been removed", hint="cd to a directory that exists") from None


def load(cli: Cli) -> RepoConfig:
    """Read the repo's configuration, and say what in it is probably not meant."""
    from swampsync.config.settings import Flags, load_config
    from swampsync.disk import LocalDisk

    config = load_config(
        LocalDisk(), find_directory(cli), environ=cli.environ, flags=Flags(namespace=cli.common.namespace)
    )
    for warning in config.warnings:
        cli.console.warn(str(warning))
    return config


def open_repo(cli: Cli, *, needs_bucket: bool = False) -> Repo:
    """Open the repo that the command is about.

    Args:
        cli: The command line.
        needs_bucket: Whether a bucket is asked although none may be configured yet.
    """
    from swampsync.repo import Repo

    config = load(cli)
    if config.is_remote or needs_bucket:
        cli.on_bucket()
    repo = Repo.from_config(
        config,
        environ=cli.environ if cli.environ.get("USER") else _with_person(cli.environ),
        command=" ".join(("swamp", *cli.arguments)),
        cache_dir=find_cache_directory(config) if config.is_remote or needs_bucket else None,
        stages=cli.console.progress,
    )
    repo.on_notice = cli.console.warn
    repo.on_wait = cli.console.note
    return repo


def _with_person(environ: Mapping[str, str]) -> Mapping[str, str]:
    from swampsync.cli.person import with_person

    return with_person(environ)


def find_cache_directory(config: RepoConfig) -> str:
    """Find where what can be fetched again is kept: below SWAMP_HOME, or where the platform keeps such things."""
    if config.cache_dir is not None:
        return config.cache_dir
    from platformdirs import user_cache_dir

    return user_cache_dir("swampsync")


def resolve_namespace(cli: Cli) -> NamespaceChoice:
    """Resolve the namespace without opening anything else."""
    return load(cli).namespace_choice


def read_settings(cli: Cli) -> list[Setting]:
    """List every setting with its source."""
    from swampsync.config.describe import describe_settings

    return describe_settings(load(cli))


def read_setting(cli: Cli, name: str) -> Setting:
    """Read one setting by name."""
    settings = read_settings(cli)
    for setting in settings:
        if setting.name == name:
            return setting
    raise _unknown(name, [setting.name for setting in settings])


def _unknown(name: str, known: list[str]) -> InvalidInput:
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return InvalidInput(
        f"there is no setting `{name}`", hint=f"did you mean `{near[0]}`?" if near else "swamp config list"
    )


def write_setting(cli: Cli, name: str, value: str | None) -> Setting:
    """Change one setting in `.swamp.yaml`, or remove it; what does not make a valid configuration is not written."""
    from swampsync.config.change import change_setting
    from swampsync.disk import LocalDisk

    change_setting(LocalDisk(), load(cli), name=name, value=value, environ=cli.environ)
    return read_setting(cli, name)


def init_repo(directory: str, *, force: bool) -> RepoPlan:
    """Make a directory a repo."""
    from swampsync.config.init import apply_plan, plan_init
    from swampsync.repo.world import World

    world = World()
    plan = plan_init(world.disk, os.path.abspath(directory), clock=world.clock, new_id=world.new_id, force=force)
    apply_plan(world.disk, plan)
    return plan


def upgrade_repo(cli: Cli, directory: str) -> tuple[str, ...]:
    """Bring a repo to today's form; return a line for each change."""
    from swampsync.config.init import apply_plan, plan_upgrade
    from swampsync.repo.world import World

    world = World()
    if directory != ".":
        cli.common.repo_dir = directory
    plan = plan_upgrade(world.disk, find_directory(cli), clock=world.clock)
    apply_plan(world.disk, plan)
    changes = [f"wrote {os.path.relpath(file.path, plan.repo_dir)}" for file in plan.files]
    with open_repo(cli) as repo:
        # Old versions of swamp left links in directories; the copy of a bucket never held one.
        links = [] if repo.config.is_remote else repo.structural.convert_markers()
    changes += [f"made {path} a plain file" for path in links]
    return tuple(changes)


def plan_deinit(cli: Cli) -> tuple[tuple[str, ...], Callable[[], Any]]:
    """Plan what undoes `repo init`; return its lines and what carries it out."""
    from swampsync.config.init import apply_plan
    from swampsync.config.init import plan_deinit as make_plan
    from swampsync.repo.world import World

    world = World()
    plan = make_plan(world.disk, find_directory(cli))
    lines = tuple(
        f"{'remove' if file.content is None else 'rewrite'} {os.path.relpath(file.path, plan.repo_dir)}"
        for file in plan.files
    )
    return lines, lambda: apply_plan(world.disk, plan)
