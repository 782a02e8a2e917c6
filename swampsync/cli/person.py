"""Who runs the command: the name that locks and commits show."""

from __future__ import annotations

import os
from collections.abc import Mapping

from swampsync.locks.process_table import find_user


def with_person(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return variables that name a user: those given, or with `USER` as the system knows it.

    Schedulers and containers often start a program without any of them.
    """
    return environ if find_user(environ) is not None else {**environ, "USER": _ask_system()}


def _ask_system() -> str:
    """Ask the password database for the name of who runs this process; who is not in it is called by number."""
    try:
        import pwd
    except ImportError:  # Windows, which always sets USERNAME
        return ""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"
