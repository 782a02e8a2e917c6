"""What may be wrong with the registry of a datastore; decides from values, reads through a `NamespaceRegistry`."""

from __future__ import annotations

from dataclasses import dataclass

from swampsync.errors import DataError, InvalidInput, NotFound
from swampsync.namespace import Namespace
from swampsync.registry.interface import NamespaceRegistry
from swampsync.registry.manifest import RegistryScan


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at.

    Args:
        check: `name`, `manifest`, `membership`, `case` or `solo`.
        namespace: Which one it is about; empty for the datastore as a whole.
        passed: Whether it is as it should be.
        message: What was found.
    """

    check: str
    namespace: str
    passed: bool
    message: str


def validate_registry(
    registry: NamespaceRegistry, *, repo_namespace: Namespace, repo_id: str | None
) -> list[CheckResult]:
    """Check all namespaces of a datastore, and whether this repo may write in its own.

    Args:
        registry: Read from, never written.
        repo_namespace: The one this repo uses; solo for none.
        repo_id: `None` if the repo has none yet.
    """
    scan = registry.scan()
    results = [CheckResult("manifest", "", passed=False, message=problem.message) for problem in scan.problems]
    for manifest in scan.manifests:
        results.append(CheckResult("manifest", manifest.namespace, passed=True, message="manifest and directory agree"))
        results.append(check_name(manifest.namespace))
    results.extend(check_case([manifest.namespace for manifest in scan.manifests]))
    if repo_namespace.is_solo:
        results.append(check_solo(scan))
    else:
        results.append(_check_membership(registry, repo_namespace, repo_id))
    return results


def check_name(name: str) -> CheckResult:
    """Check whether the name of a registered namespace is one that we would accept."""
    try:
        Namespace.parse(name)
    except InvalidInput as error:
        return CheckResult("name", name, passed=False, message=error.message)
    return CheckResult("name", name, passed=True, message="the name is valid")


def check_case(names: list[str]) -> list[CheckResult]:
    """Find names that a case-insensitive file system would take for one."""
    first: dict[str, str] = {}
    results = []
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            results.append(CheckResult("case", name, passed=False, message=f"differs from `{other}` in case only"))
    return results


def check_solo(scan: RegistryScan) -> CheckResult:
    """Check whether a repo in solo mode has the datastore to itself."""
    names = [manifest.namespace for manifest in scan.manifests]
    if not names:
        return CheckResult("solo", "", passed=True, message="solo mode, and no namespace is registered")
    listed = ", ".join(f"`{name}`" for name in names)
    message = f"this repo is in solo mode, but the datastore has namespaces: {listed}; they are not part of its tree"
    return CheckResult("solo", "", passed=False, message=message)


def _check_membership(registry: NamespaceRegistry, namespace: Namespace, repo_id: str | None) -> CheckResult:
    try:
        manifest = registry.read_manifest(namespace)
        members = registry.read_members(namespace).members
    except NotFound:
        message = "nobody has claimed it yet; the first write does"
        return CheckResult("membership", namespace.name, passed=True, message=message)
    except DataError as error:
        return CheckResult("membership", namespace.name, passed=False, message=error.message)
    if repo_id is not None and repo_id in {manifest.repo_id, *members}:
        return CheckResult("membership", namespace.name, passed=True, message="this repo may write in it")
    owner = f"repo `{manifest.repo_id}` owns it" if manifest.repo_id else "its owner is not known"
    message = f"{owner}, and this repo is no member: swamp datastore namespace join {namespace}"
    return CheckResult("membership", namespace.name, passed=False, message=message)
