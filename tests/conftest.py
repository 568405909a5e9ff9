"""What every test may use: nothing that needs a server (tests/integration has those)."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# How long an example takes depends on who else uses the machine: nothing that a law could say.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")

_ON_SERVERS = ("tests/integration/", "tests/e2e/")


class _OneProcessOnServers(LoadScopeScheduling):
    """One process has all tests on servers, so that there is one set of servers; any process has any other test.

    (xdist has marks for this, `loadgroup`, which pytest 9.2 does not hand on.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return "servers" if nodeid.startswith(_ON_SERVERS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _OneProcessOnServers:
    """For `make test` and `make unit`."""
    return _OneProcessOnServers(config, log)
