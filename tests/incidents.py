"""The alerts of one incident from raise to resolve, with everything that an alert can say; and a storm."""

from __future__ import annotations

from typing import Any

from contracts.alerts import AlertFeature, DriftAlert, Severity, Transition, alert_id, incident_id
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.reports import report_id
from tests.alerting import HOUR, window

INCIDENT = incident_id("flights", "3", window(2))

DISTANCE = AlertFeature(
    feature="distance",
    findings=("values", "out_of_range"),
    p_value=3.5e-41,
    effect=0.21,
    since=window(1),
    new=True,
    cause=Cause(
        kind="unit",
        sentence="33 % of rows look multiplied by 1.61 (miles -> kilometres?)",
        share=0.33,
        factor=1.609344,
        unit="miles -> kilometres",
        explained=0.97,
    ),
    model_effect=ModelEffect(
        if_world_moved=ScoreChange(0.012, 0.008), if_data_broke=ScoreChange(-0.061, -0.044), headline="data"
    ),
)
CARRIER = AlertFeature(
    feature="carrier & <tail>", findings=("unseen",), p_value=0.004, effect=0.06, since=window(2), new=True
)


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


RAISE = of_incident(
    "raise",
    2,
    DISTANCE,
    summary="flights/3: drift in distance (values: KS .21, p 3e-41; 33 % of rows look multiplied by 1.61 (miles -> "
    "kilometres?); expected if the data broke: mean score -.061, positive rate -4.4 points; if the world moved: mean "
    "score +.012, positive rate +.8 points) in at least 2 of the last 3 compared windows, "
    "window 2026-01-01T13:00:00Z to 2026-01-01T14:00:00Z",
)
ESCALATE = of_incident(
    "escalate", 4, DISTANCE, CARRIER, severity="critical", summary="flights/3: drift spreads to carrier & <tail>"
)
REMIND = of_incident(
    "remind", 9, DISTANCE, severity="critical", summary="flights/3: drift in distance goes on for 7 windows"
)
RESOLVE = of_incident("resolve", 12, severity="info", summary="flights/3: drift in distance is over")
STORM = of_incident("raise", 2, DISTANCE, CARRIER, severity="critical", storm=True)
HARMLESS = of_incident("raise", 2, CARRIER, severity="harmless")
LIFE = (RAISE, ESCALATE, REMIND, RESOLVE)


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
                model_effect=DISTANCE.model_effect,
            )
            for number in range(features)
        ),
        severity="critical",
        summary=long,
        model=long,
        storm=True,
    )
