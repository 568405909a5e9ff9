"""loop.yaml: its values are the defaults, and what is wrong in one is named by its path."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from training.errors import ConfigError
from training.loop import Loop, loop_from

FILE = Path(__file__).parents[3] / "loop.yaml"


def test_the_file_at_the_root_holds_every_default() -> None:
    text = FILE.read_bytes()
    assert loop_from(FILE) == Loop()
    named = msgspec.yaml.decode(text)
    plain = msgspec.to_builtins(Loop())
    assert named == msgspec.json.decode(msgspec.json.encode(plain))


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert loop_from(None, tmp_path / "loop.yaml") == Loop()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("retraining: {degraded_windows: 0}", "retraining.degraded_windows: expected `int` >= 1"),
        ("retraining: {coverage: 1}", "retraining: object contains unknown field `coverage`"),
        ("rollout: {steps: {shares: [5, 25]}}", "rollout.steps: shares [5.0, 25.0]: they must rise and end with 100"),
        ("rollout: {limits: {failure_rate: 2}}", "rollout.limits.failure_rate: expected `float` <= 1.0"),
        ("rollout: [", "not YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "loop.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        loop_from(file)
    assert says in str(raised.value)


def test_a_file_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory: give the path of a loop"):
        loop_from(tmp_path / "no.yaml")
