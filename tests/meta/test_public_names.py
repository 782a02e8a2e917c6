from __future__ import annotations

import inspect

import swampsync
from swampsync import errors


def test_every_public_name_resolves() -> None:
    """Every name in `__all__` can be had, and the errors among them are all that exist."""
    for name in swampsync.__all__:
        assert getattr(swampsync, name) is not None
    defined = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert defined <= set(swampsync.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    """A name that is not public is an AttributeError, as of any module."""
    assert not hasattr(swampsync, "nosuch")


def test_every_public_function_is_documented() -> None:
    """Every public class and method reachable from `swampsync` has a docstring."""
    for name in swampsync.__all__:
        value = getattr(swampsync, name)
        if not inspect.isclass(value):
            continue
        assert value.__doc__, name
        for member, function in vars(value).items():
            if not member.startswith("_") and inspect.isfunction(function):
                assert function.__doc__, f"{name}.{member}"
