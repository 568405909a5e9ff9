"""The examples in docstrings are right."""

import doctest
import importlib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROOMS = ("api", "bench", "contracts", "demo", "stream_app", "training")
_MODULES = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in _ROOMS
    for path in sorted((_ROOT / room).rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_of(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
