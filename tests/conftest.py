"""What every test may use: nothing that needs a server (tests/integration has those)."""

from hypothesis import settings

# How long an example takes depends on who else uses the machine: nothing that a law could say.
settings.register_profile("tidemark", deadline=None)
settings.load_profile("tidemark")
