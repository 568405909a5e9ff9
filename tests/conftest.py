"""What every test may use: nothing that needs a server (tests/integration has those)."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# How long an example takes depends on who else uses the machine: nothing that a law could say.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")

_ON_SERVERS = ("tests/integration/", "tests/e2e/")
_SECOND_SET = ("tests/integration/test_api", "tests/integration/test_bench", "tests/integration/test_sink")


class _TwoSetsOfServers(LoadScopeScheduling):
    """Two processes have the tests on servers, each with a set of its own; any process has any other test.

    (xdist has marks for this, `loadgroup`, which pytest 9.2 does not hand on.)
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_SECOND_SET):
            return "api and sinks on servers"
        return "stream on servers" if nodeid.startswith(_ON_SERVERS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _TwoSetsOfServers:
    """For `make test` and `make unit`."""
    return _TwoSetsOfServers(config, log)
