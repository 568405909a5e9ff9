"""What every test may use: nothing that needs a server (tests/integration has those)."""

import gc

from hypothesis import settings

# How long an example takes depends on who else uses the machine: nothing that a law could say.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")


def pytest_collection_finish() -> None:
    """Thousands of tests and all that they import are there to stay: a collection takes a second to visit them."""
    gc.freeze()
