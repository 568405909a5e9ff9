"""docs/alerts.md is true: its timeline is what the policy says, its JSON the golden example, its settings are all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

from contracts.alerts import Severity, Transition
from contracts.reports import DriftReport, FeatureVerdict
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.replay.settings import COMPARABLE
from stream_app.settings import PREFIX, StreamSettings
from tests.alerting import a_report, a_verdict, harmless, told, transitions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alerts.md").read_text()
EXAMPLE = ROOT / "tests" / "contracts" / "examples" / "drift-alert.json"


def verdict(feature: str, sign: str) -> FeatureVerdict | None:
    return {
        "x": a_verdict(feature),
        "X": a_verdict(feature, effect=0.5),
        "h": harmless(feature),
        ".": None,
    }[sign]


def timeline() -> tuple[list[DriftReport], list[str]]:
    """The reports that the page draws, and what it says is told."""
    block = next(block for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL) if block.startswith("window"))
    (_, *numbers), *features, (_, *said) = [line.split() for line in block.splitlines()]
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
    reports = []
    for i, number in enumerate(numbers):
        verdicts = [verdict(name, signs[i]) for name, *signs in features]
        reports.append(a_report(int(number), *(found for found in verdicts if found is not None)))
    return reports, said


def test_the_timeline_is_what_the_policy_says() -> None:
    reports, said = timeline()
    assert set(said) - {"."} == set(get_args(Transition))
    assert transitions(told(reports, PolicyConfig(remind_after_ms=4 * 3_600_000))[1]) == said


def test_the_json_is_the_golden_example() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(block) == json.loads(EXAMPLE.read_bytes())


def test_every_setting_of_the_policy_is_there_with_its_default_and_every_severity() -> None:
    rows = dict(re.findall(r"^\| (`STREAM_[^|]*`) \| ([^|]*) \|", PAGE, re.MULTILINE))
    shown = {
        name: default
        for names, defaults in rows.items()
        for name, default in zip(re.findall(r"`STREAM_(\w+)`", names), defaults.split(", "), strict=True)
    }
    wanted = {field.upper(): StreamSettings.model_fields[field].default for field in COMPARABLE.values()}
    del wanted["PRESET"], wanted["N_MIN"]
    assert shown.keys() == wanted.keys()
    assert all(type(wanted[name])(default) == wanted[name] for name, default in shown.items() if default != "False")
    assert all(f"{PREFIX}{name}" in PAGE for name in wanted)
    assert all(f"| `{severity}` |" in PAGE for severity in get_args(Severity))
