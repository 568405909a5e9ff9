"""Settings of a replay: those of the stream, for what the command line does not say. A file needs no broker."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import ValidationError

from stream_app.agents.configured import decision_rule, policy_config
from stream_app.drift.rule import PRESETS
from stream_app.errors import ReplayError
from stream_app.replay.judging import Judgement
from stream_app.replay.spelling import duration, spelt
from stream_app.settings import PREFIX, StreamSettings, faults

OPTIONS = {
    "window_seconds": "--window",
    "lateness_seconds": "--lateness",
    "idle_seconds": "--idle",
    "max_future_seconds": "--max-future",
    "max_age_seconds": "--max-age",
    "preset": "--preset",
    "n_min": "--n-min",
    "page_after": "--page-after",
    "page_of_last": "--of-last",
    "resolve_after": "--resolve-after",
    "critical_effect": "--critical-effect",
    "critical_rate_jump": "--critical-rate-jump",
    "critical_score_change": "--critical-score-change",
    "page_harmless": "--page-harmless",
    "remind_after_seconds": "--remind-after",
}
"""The settings that the command line can change."""
COMPARABLE = {
    OPTIONS[field].removeprefix("--"): field
    for field in (
        "preset",
        "n_min",
        "page_after",
        "page_of_last",
        "resolve_after",
        "critical_effect",
        "critical_rate_jump",
        "critical_score_change",
        "page_harmless",
        "remind_after_seconds",
    )
}
"""Those of them that --compare can: they judge, and do not count."""
_DURATION = "remind_after_seconds"
_NOWHERE = "127.0.0.1:9"
"""Stands for the broker that a file does not need; nobody connects to it."""


def compared(changes: Mapping[str, str]) -> dict[str, object]:
    """What --compare changes, by field. Raises ReplayError."""
    texts = {COMPARABLE[name]: value for name, value in changes.items()}
    if (text := texts.get(_DURATION)) is not None:
        return {**texts, _DURATION: duration("--compare remind-after", text)}
    return dict(texts)


def described(settings: StreamSettings, changes: Mapping[str, object]) -> str:
    """The values that these settings have, as --compare would name them."""
    shown = {field: getattr(settings, field) for field in changes}
    if _DURATION in shown:
        shown[_DURATION] = spelt(shown[_DURATION])
    return ",".join(f"{name}={shown[field]}" for name, field in COMPARABLE.items() if field in shown)


def has_broker() -> bool:
    """Whether the environment names one."""
    return bool(os.environ.get(f"{PREFIX}BOOTSTRAP"))


def settings_of(given: Mapping[str, object], *, broker: bool, option: str = "") -> StreamSettings:
    """From the environment and, over it, the fields that the command line gives.

    broker: whether one must be named. option: what gave the fields, where it is one option for all of them.
    Raises ReplayError that names the option or the variable.
    """
    nowhere = {} if broker or has_broker() else {"bootstrap": _NOWHERE}
    names = {field: f"{option} {own.removeprefix('--')}" if option else own for field, own in OPTIONS.items()}
    try:
        return StreamSettings(**nowhere, **given)  # type: ignore[arg-type]
    except ValidationError as error:
        named = {field: names[field] for field in given}
        raise ReplayError("; ".join(faults(error, named))) from error


def judging(settings: StreamSettings, given: Mapping[str, object], *, prefix: str = "") -> Judgement:
    """How windows are judged. given: the fields that the command line gives; prefix: the option that did, where it is
    one for all of them. Raises ReplayError in the words of the command line, SettingsError in those of the settings.
    """
    if "preset" in given and settings.preset not in PRESETS:
        named = prefix or f"--preset {settings.preset}"
        raise ReplayError(f"{named}: no such rule; there are {', '.join(sorted(PRESETS))}")
    if settings.page_after > settings.page_of_last and {"page_after", "page_of_last"} & given.keys():
        raise ReplayError(
            (f"{prefix}: " if prefix else "")
            + f"--page-after ({settings.page_after}), --of-last ({settings.page_of_last}): a feature cannot alarm in "
            f"{settings.page_after} of {settings.page_of_last} windows; lower the first or raise the second"
        )
    if 0 < settings.remind_after_seconds < settings.window_seconds and "remind_after_seconds" in given:
        raise ReplayError(
            (f"{prefix}: " if prefix else "")
            + f"--remind-after ({spelt(settings.remind_after_seconds)}) is below --window "
            f"({spelt(settings.window_seconds)}): an incident is looked at once a window; raise the first (0s: never "
            "remind), or lower the second"
        )
    return Judgement(decision_rule(settings), policy_config(settings))
