"""What every test may use: nothing that needs a server (tests/integration has those)."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on who else uses the machine: nothing that a law could say.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")

_ON_SERVERS = [Path(__file__).parent / room for room in ("integration", "e2e")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (`make test`) one of them has all tests on servers: so there is one set of servers."""
    for item in items:
        if any(item.path.is_relative_to(room) for room in _ON_SERVERS):
            item.add_marker(pytest.mark.xdist_group("servers"))
