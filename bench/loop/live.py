"""The demo's second act on real servers: a retraining from alert to champion under traffic, and what it was worth."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from bench.benchmark import BenchError


class Live(msgspec.Struct, frozen=True):
    """auc_before, auc_after: of the old and the new champion on the later_rows rows that came after the change, None
    where none came. seconds: from the decision to retrain to the champion. failed_requests: refused or broken off.
    """

    outcome: str | None
    auc_before: float | None
    auc_after: float | None
    later_rows: int | None
    seconds: float | None
    answered: int
    failed_requests: int
    balanced: bool
    demo_seconds: float

    @property
    def gain(self) -> float | None:
        """What the loop was worth, in AUC; None where no row came after the change, or no new version."""
        if self.outcome != "promoted" or self.auc_before is None or self.auc_after is None:
            return None
        return self.auc_after - self.auc_before


def live(data: str, seed: int) -> Live:
    """Play the demo, whatever its other promises become. Raises BenchError where it came to no end."""
    home = Path(tempfile.mkdtemp(prefix="tidemark-loop-"))
    try:
        command = [sys.executable, "-m", "demo", "run", "--data", data, "--seed", str(seed), "--directory", str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise BenchError(f"the demo ended with status {done.returncode}: {done.stderr.strip()[-600:]}")
        return _read(json.loads((home / "summary.json").read_text("utf-8")))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _read(summary: dict[str, Any]) -> Live:
    loop = summary["loop"]
    at = {step["kind"]: step["seconds"] for step in reversed(loop["steps"])}
    begun, ended = at.get("retraining-decided"), at.get("promoted")
    return Live(
        outcome=loop["outcome"],
        auc_before=loop["auc_before"],
        auc_after=loop["auc_after"],
        later_rows=loop["later_rows"],
        seconds=None if begun is None or ended is None else round(ended - begun, 1),
        answered=summary["answered"],
        failed_requests=loop["refused"] + loop["failed_connections"],
        balanced=summary["balanced"],
        demo_seconds=summary["seconds"]["all"],
    )
