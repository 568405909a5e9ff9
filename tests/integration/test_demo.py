"""`make demo` itself, with the fewest windows that its plot can have: on servers of its own, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_keeps_every_promise_and_writes_its_summary(tmp_path: Path) -> None:
    plan = ("--quiet-windows", "4", "--episode-windows", "2")
    command = [sys.executable, "-m", "demo", "run", *plan, "--directory", str(tmp_path / "demo")]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert [window["phase"] for window in summary["windows"]] == ["quiet"] * 4 + ["unit-bug"] * 2 + ["summer"] * 2
    assert [(alert["phase"], alert["window"]) for alert in summary["alerts"]] == [("unit-bug", 5), ("summer", 7)]
    assert summary["alerts"][0]["features"][0] == "distance"
    assert (summary["answered"], summary["counted"], summary["balanced"]) == (8_000, 8_000, True)
    assert (summary["late"], summary["dead_lettered"], summary["false_alarms"]) == (0, 0, 0)
    cause = summary["alerts"][0]["causes"][0]
    assert (cause["feature"], cause["kind"], cause["factor"]) == ("distance", "unit", 1.609344)
    assert cause["sentence"] in ended.stdout
    assert {"setup", "training", "servers", "traffic", "all"} <= set(summary["seconds"])
