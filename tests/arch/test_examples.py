"""Examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import pellucid

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(pellucid.__path__, "pellucid.")
    if not found.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
