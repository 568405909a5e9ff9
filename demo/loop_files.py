"""The files that `python -m training watch` is given: the same as anybody's, with waits that fit a demo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from demo.datasets.dataset import SecondAct

SHADOW_EVENTS, CANARY_EVENTS = 500, 100
STEPS_SECONDS = 1.0
_WINDOW = "window: 1h                     # learn how much windows differ by nature (weather): that is no drift then\n"


@dataclass(frozen=True)
class LoopFiles:
    """base: the data set whose rows come before what is collected, None: the world that they describe is over."""

    config: Path
    loop: Path
    gates: Path
    base: Path | None


def write_loop_files(folder: Path, model: str, data: Path, act: SecondAct) -> LoopFiles:
    """training.yaml, loop.yaml and gates.yaml for this act."""
    folder.mkdir(parents=True, exist_ok=True)
    files = LoopFiles(folder / "training.yaml", folder / "loop.yaml", folder / "gates.yaml", data if act.base else None)
    files.config.write_text(_training(model, data, act), encoding="utf-8")
    files.loop.write_text(_loop(act), encoding="utf-8")
    files.gates.write_text(_GATES, encoding="utf-8")
    return files


def _training(model: str, data: Path, act: SecondAct) -> str:
    window = "" if act.reference_rows is None else _WINDOW
    return f"""\
# Made by `make demo`. Without a search: the demo shows the loop, and has a minute for it.
model: {model}
data: {data}                   # gives way to what is collected
split: {{by: stratified, validation: 0.2, test: 0.2}}
estimator: {{name: hgb, params: {{}}}}
folds: 3
jobs: 1                        # beside Kafka, the API and the workers; processes of their own cost more than they win
pictures: {{curves: false, importance: 0}}   # they take as long as the training
{window}"""


def _loop(act: SecondAct) -> str:
    wanted = act.learn * act.rows_per_window - act.rows_per_window // 8
    return f"""\
# Made by `make demo`. Steps of a second instead of an hour; otherwise as loop.yaml at the root.
retraining:
  minimum_labelled: {wanted}      # {act.learn} windows: all of them are to be learnt
  minimum_moved: {act.rows_per_window}
  cooldown_hours: 1
rollout:
  steps:
    shadow_seconds: {STEPS_SECONDS:g}
    shadow_events: {SHADOW_EVENTS}
    shares: [5, 25, 50, 100]
    seconds: {STEPS_SECONDS:g}
    events: {CANARY_EVENTS}
    give_up_seconds: 600
  limits:
    latency_ms: 50             # a machine that runs all of the demo has its pauses
    positive_change: 0.5       # a step holds some hundred rows of one time of the day, as they come
"""


_GATES = """\
# Made by `make demo`: the defaults, but for the clock of a busy machine.
scorer:
  one_row: 1000000
  batch_row: 100000
"""
