"""The files that the demo gives to `watch` are read as anybody's are, and say what the act wants."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from demo.datasets.dataset import SecondAct
from demo.loop_files import write_loop_files
from training.configuration.config import read_config
from training.gates.rules import Rules
from training.loop import Loop, loop_from
from training.reports.gate_files import rules_from

ACT = SecondAct("moved", "", pd.DataFrame({"x": [0.0] * 90}), rows_per_window=16, learn=3, blames=(), base=False)


def test_they_are_read_and_differ_from_the_defaults_by_their_waits(tmp_path: Path) -> None:
    files = write_loop_files(tmp_path, "numbers", Path("/data"), ACT)
    loop, config = loop_from(files.loop), read_config(files.config)
    assert (config.model, files.base) == ("numbers", None)
    assert loop.retraining.minimum_labelled == 46  # three windows less an eighth of one
    assert loop.retraining.minimum_moved == 16
    assert loop.retraining.degraded_windows == Loop().retraining.degraded_windows
    assert loop.rollout.steps.shares == Loop().rollout.steps.shares
    assert loop.rollout.steps.shadow_seconds == loop.rollout.steps.seconds == 1


def test_the_gates_ask_what_they_always_ask_but_for_the_clock(tmp_path: Path) -> None:
    rules = rules_from(write_loop_files(tmp_path, "numbers", Path("/data"), ACT).gates, Path("gates.yaml"))
    usual = Rules()
    changed = {name for name in rules.__struct_fields__ if getattr(rules, name) != getattr(usual, name)}
    assert changed == {"scorer"}


@pytest.mark.parametrize(("rows", "window"), [(None, None), (13, "1h")])
def test_natural_variation_is_learnt_where_windows_of_the_reference_are_known(
    rows: int | None, window: str | None, tmp_path: Path
) -> None:
    act = SecondAct("m", "", ACT.rows, 16, 3, (), base=True, reference_rows=rows)
    files = write_loop_files(tmp_path, "numbers", Path("/data"), act)
    assert (read_config(files.config).window, files.base) == (window, Path("/data"))
