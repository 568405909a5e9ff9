"""Tests of the containers can only run on a Docker engine. Where none answers they are deselected, and a line says so.

Nothing is skipped in silence: the rest of tests/ proves the same loop on servers of the local stack, and
`TIDEMARK_TEST_SERVERS=docker` keeps these tests in, so that they fail where an engine was promised.
"""

import pytest

from tests.servers.choice import why_no_containers

_reason = pytest.StashKey[str | list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "compose: builds and runs the containers of compose/; needs a Docker engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.get_closest_marker("compose")]
    if ours and (reason := why_no_containers()):
        config.stash[_reason] = f"container tests: {len(ours)} deselected ({reason})"
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def pytest_report_collectionfinish(config: pytest.Config) -> str | list[str]:
    return config.stash.get(_reason, [])
