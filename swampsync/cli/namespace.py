"""`swamp datastore namespace`: which part of the datastore is this repo's, and who else is there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from swampsync.cli.command import Cli, command
from swampsync.cli.completing import complete_namespace
from swampsync.cli.console import Console, count, format_size
from swampsync.cli.data_write import Yes
from swampsync.cli.migrating import Absorb, Confirm, run_migration
from swampsync.errors import printable

MIGRATION_WARNING = (
    "Existing data remains at the old un-namespaced path. To take it along: swamp datastore namespace migrate"
)


def warn_of_underscore(console: Console, name: str) -> None:
    """Say it when a namespace is chosen that the original swamp would not take."""
    if "_" in name:
        console.warn(f"the original swamp does not accept the `_` in `{name}`")


Slug = Annotated[str | None, typer.Argument(metavar="NAME", help="Namespace.", autocompletion=complete_namespace)]


@command
def set_(cli: Cli, name: Slug = None) -> None:
    """Choose this repo's namespace and claim it; without a name, the directory's."""
    with cli.repo() as repo:
        result = repo.namespaces.set(name)
    warn_of_underscore(cli.console, result.namespace.name)
    if cli.console.is_json:
        cli.console.document(
            {
                "namespace": result.namespace.name,
                "datastorePath": result.datastore_path,
                "warning": MIGRATION_WARNING,
                "registrationSkipped": False,
            }
        )
        return
    cli.console.line(f'Namespace set to "{result.namespace}"')
    cli.console.line(printable(f"  Datastore: {result.datastore_path}"))
    if result.has_data_outside:
        cli.console.warn(MIGRATION_WARNING)


@command
def unset(
    cli: Cli,
    migrate: Annotated[bool, typer.Option("--migrate", help="Take the data back out of the namespace first.")] = False,
    absorb: Absorb = False,
    confirm: Confirm = False,
    yes: Yes = False,
) -> int:
    """Go back to solo mode; data stays where it is, unless it is taken along."""
    with cli.repo() as repo:
        if migrate and not run_migration(cli, repo, is_reverse=True, absorbs=absorb, is_confirmed=yes or confirm):
            return 0
        previous = repo.namespaces.unset()
    if cli.console.is_json:
        cli.console.document({"previousNamespace": previous.name})
    elif migrate:
        cli.console.line(f'Namespace "{previous}" unset')
    else:
        cli.console.line(f'Namespace "{previous}" unset; its data and registration stay in the datastore')
    return 0


@command
def list_(cli: Cli) -> None:
    """List the namespaces of the datastore."""
    with cli.repo() as repo:
        manifests, problems = repo.namespaces.list()
        current = repo.namespace
    for path, reason in problems:
        cli.console.warn(printable(f"{path}: {reason}"))
    if cli.console.is_json:
        document: dict[str, Any] = {
            "namespaces": [
                {
                    "namespace": m.namespace,
                    "repoId": m.repo_id,
                    "registeredAt": m.registered_at,
                    "isCurrent": m.namespace == current.name,
                }
                for m in manifests
            ]
        }
        if not current.is_solo:
            document["currentNamespace"] = current.name
        cli.console.document(document)
        return
    if not manifests:
        cli.console.line("No namespaces registered in this datastore.")
        return
    cli.console.table(
        ["namespace", "repo id", "registered", "current"],
        [(m.namespace, m.repo_id, m.registered_at[:10], "*" if m.namespace == current.name else "") for m in manifests],
    )


@command
def describe(cli: Cli, name: Slug = None) -> None:
    """Show who owns a namespace, who its members are, and how much it holds."""
    with cli.repo() as repo:
        description = repo.namespaces.describe(name)
    if cli.console.is_json:
        cli.console.document(description.to_json())
        return
    d = description
    for label, value in (
        ("Namespace", d.namespace.name or "(solo)"),
        ("Owner", d.owner or "unclaimed"),
        ("Registered", d.registered_at or ""),
        ("Members", ", ".join(d.members)),
        ("Models", f"{d.models:,}"),
        ("Artifacts", f"{d.artifacts:,}"),
        ("Versions", f"{d.versions:,}"),
        ("Size", format_size(d.size)),
        *(("Meta " + k, str(v)) for k, v in d.metadata.items()),
    ):
        if value:
            cli.console.line(printable(f"{label + ':':<12} {value}"))


@command
def join(cli: Cli, name: Slug = None) -> None:
    """Become a member of a namespace that another repo claimed, and use it."""
    with cli.repo() as repo:
        result = repo.namespaces.join(name)
    if cli.console.is_json:
        cli.console.document(
            {
                "namespace": result.namespace.name,
                "owner": result.owner,
                "members": list(result.members),
                "datastorePath": result.datastore_path,
            }
        )
        return
    cli.console.line(f'Joined "{result.namespace}" (owner {result.owner}, {count(len(result.members), "member")})')


@command
def resolve(
    cli: Cli,
    explain: Annotated[bool, typer.Option("--explain", help="Show every step of the decision.")] = False,
) -> None:
    """Print which namespace commands act in here, and why."""
    from swampsync.cli.opening import resolve_namespace

    choice = resolve_namespace(cli)
    if cli.console.is_json:
        cli.console.document(
            {"namespace": choice.namespace.name, "source": choice.source, "explanation": list(choice.explanation)}
        )
        return
    cli.console.line(f"{choice.namespace.name or '(solo)'} (source: {choice.source})")
    if explain:
        for line in choice.explanation:
            cli.console.line(printable(f"  {line}"))


@command
def validate(cli: Cli) -> int:
    """Check the namespaces of the datastore and this repo's place among them."""
    with cli.repo() as repo:
        checks = repo.namespaces.validate()
    is_fine = all(check.passed for check in checks)
    if cli.console.is_json:
        cli.console.document(
            {
                "valid": is_fine,
                "checks": [
                    {"check": c.check, "namespace": c.namespace, "passed": c.passed, "message": c.message}
                    for c in checks
                ],
            }
        )
    else:
        for check in checks:
            cli.console.line(
                printable(f"{'✓' if check.passed else '✗'} {check.namespace or 'datastore'}: {check.message}")
            )
    return 0 if is_fine else 1
