"""What every test may use: nothing that needs a server (tests/integration has those)."""
