"""What every test may use: nothing that needs a server (tests/integration has those)."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import settings

# How long an example takes depends on who else uses the machine: nothing that a law could say.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[None]:
    """No file of the tests has examples in its texts, and looking for them takes each process of a run seconds."""
    found: list[Any] = yield
    return [collector for collector in found if not isinstance(collector, DoctestModule)]


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import are there to stay: a collection takes a second to visit them."""
    gc.freeze()
