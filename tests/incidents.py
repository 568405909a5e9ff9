"""The alerts of one incident from raise to resolve, as the policy makes them, with everything that an alert can say; a
storm; and others that a sink must be able to send.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from contracts.alerts import AlertFeature, DriftAlert, Severity, Transition, alert_id, incident_id
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.reports import FeatureVerdict, report_id
from stream_app.alerting.performance_judging import judged_performance
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import HOUR, a_report, a_verdict, harmless, told, window
from tests.performance import a_performance_report

INCIDENT = incident_id("flights", "3", window(2))

EFFECT = ModelEffect(
    if_world_moved=ScoreChange(0.012, 0.008), if_data_broke=ScoreChange(-0.061, -0.044), headline="data"
)
DISTANCE = replace(
    a_verdict(
        findings=("values", "out_of_range"),
        p_value=3.5e-41,
        effect=0.21,
        rates={"out_of_range": (0.31, 0.0)},
        cause=Cause(
            kind="unit",
            sentence="distance: 33 % of rows look multiplied by 1.61 (miles -> kilometres?)",
            share=0.33,
            factor=1.609344,
            unit="miles -> kilometres",
            explained=0.97,
        ),
    ),
    model_effect=EFFECT,
)
CARRIER = a_verdict(
    "carrier & <tail>",
    kind="categorical",
    findings=("unseen",),
    p_value=0.004,
    effect=0.06,
    rates={"unseen": (0.6, 0.0)},
)
CONFIG = PolicyConfig(resolve_after=2, critical_score_change=0.1, remind_after_ms=5 * 3_600_000, page_harmless=True)


def made(windows: int, *alarming: tuple[FeatureVerdict, range]) -> list[DriftAlert]:
    """What the policy says of so many windows, n from 1, where each of these alarms in its own."""
    reports = [a_report(n, *(verdict for verdict, when in alarming if n in when)) for n in range(1, windows + 1)]
    return [alert for some in told(reports, CONFIG)[1] for alert in some]


def of_incident(
    transition: Transition,
    number: int,
    *features: AlertFeature,
    severity: Severity = "warning",
    incident: str = INCIDENT,
    **changed: Any,
) -> DriftAlert:
    """One transition in the n-th window."""
    fields: dict[str, Any] = {
        "id": alert_id(incident, transition, window(number)),
        "incident": incident,
        "transition": transition,
        "severity": severity,
        "model": "flights",
        "version": "3",
        "window_start": window(number),
        "window_end": window(number) + HOUR,
        "report": report_id("flights", "3", window(number)),
        "features": features,
        "summary": f"flights/3: {transition} in window {number}",
    }
    return DriftAlert(**(fields | changed))


LIFE = tuple(made(12, (DISTANCE, range(1, 10)), (CARRIER, range(3, 5))))
"""In windows 2, 4, 9 and 12."""
RAISE, ESCALATE, REMIND, RESOLVE = LIFE
(STORM,) = made(
    2, *((verdict, range(1, 3)) for verdict in (DISTANCE, CARRIER, *map(a_verdict, ("temp", "dewp", "wind"))))
)
(HARMLESS,) = made(2, (harmless("seats"), range(1, 3)))


def performance_alerts() -> list[DriftAlert]:
    """Of a version whose AUC is down in windows 1 to 4, and log loss too in 3 and 4, and then back: raise, escalate and
    resolve."""
    down = [{"auc": 0.725}] * 2 + [{"auc": 0.72, "log_loss": 0.5}] * 2 + [{}] * 3
    state, alerts = PolicyState(), []
    for number, now in enumerate(down, start=1):
        state, some = judged_performance(a_performance_report(number, **now), state, CONFIG)
        alerts += some
    return alerts


PERFORMANCE = tuple(performance_alerts())


def crowded(features: int, text: int = 10) -> DriftAlert:
    """An alert of many features, with long names and sentences: `text` characters each, many of them to be escaped."""
    long = "<&>" * (text // 3)
    cause = Cause(kind="reshaped", sentence=long)
    return of_incident(
        "raise",
        2,
        *(
            AlertFeature(
                feature=f"{number}{long}",
                findings=("values", "missing", "out_of_range", "unseen"),
                p_value=0.0,
                effect=1.0,
                since=window(1),
                new=True,
                cause=cause,
                model_effect=EFFECT,
            )
            for number in range(features)
        ),
        severity="critical",
        summary=long,
        model=long,
        storm=True,
    )
