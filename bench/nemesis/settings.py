"""What the workers of a run are told, by profile of faults."""

from __future__ import annotations

from bench.nemesis.load import Plan
from bench.nemesis.schedule import Profile

SESSION_SECONDS: dict[Profile, int] = {"all": 10, "dynamic": 6, "kill": 30}
"""With static names a restart within it moves nothing; without, everybody waits for so long."""
IDLE_SECONDS = 5.0
"""Shorter than many of the faults: a worker that hears nothing must not take that for silence."""


def worker_environment(plan: Plan, profile: Profile, name: str) -> dict[str, str]:
    """STREAM_* of a worker but for its way to Kafka. name: that it keeps over restarts; empty for one that has none."""
    settings = {
        "worker_id": "" if profile == "dynamic" else name,
        "window_seconds": plan.window_ms // 1000,
        "lateness_seconds": plan.lateness_ms / 1000,
        "idle_seconds": IDLE_SECONDS,
        "session_timeout_seconds": SESSION_SECONDS[profile],
        "max_age_seconds": 30 * 86400,  # event time is hours behind, and much faster than the clock
        "n_min": 1,  # thin windows are not merged: each report stands for its own window
    }
    return {f"STREAM_{key.upper()}": str(value) for key, value in settings.items()}
