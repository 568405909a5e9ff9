"""`make demo` itself, with the fewest windows that its plot can have: on servers of its own, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
APRIL_TO_JUNE = 85_369
"""Flights."""


def test_the_demo_keeps_every_promise_and_writes_its_summary(tmp_path: Path) -> None:
    plan = ("--quiet-windows", "4", "--episode-windows", "2")
    command = [sys.executable, "-m", "demo", "run", *plan, "--directory", str(tmp_path / "demo")]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2_700)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    phases = [window["phase"] for window in summary["windows"]]
    assert phases[:10] == ["quiet"] * 4 + ["unit-bug"] * 2 + ["repaired"] * 4
    assert set(phases[10:]) == {"april-june"}
    first = summary["alerts"][0]
    assert (first["phase"], first["window"], first["features"][0]) == ("unit-bug", 5, "distance")
    cause = first["causes"][0]
    assert (cause["feature"], cause["kind"], cause["factor"]) == ("distance", "unit", 1.609344)
    assert cause["sentence"] in ended.stdout
    loop = summary["loop"]
    assert (loop["outcome"], loop["champion"], loop["refused"]) == ("promoted", "2", 0)
    assert loop["auc_after"] > loop["auc_before"]
    assert loop["labels"] == APRIL_TO_JUNE
    assert summary["answered"] == 10_000 + APRIL_TO_JUNE
    known = summary["counted"] + summary["late"]
    assert (known, summary["balanced"]) == (summary["answered"] + loop["shadowed"], True)
    assert (summary["dead_lettered"], summary["false_alarms"]) == (0, 0)
    assert {"setup", "training", "servers", "first act", "second act", "all"} <= set(summary["seconds"])
