"""One full instance of each message. `python -m tests.contracts.messages` writes the examples anew after a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.alerts import decode_alert, encode_alert
from contracts.baseline import Baseline
from contracts.compiled import Compiled
from contracts.dead_letters import DeadLetter, decode_dead_letter, encode_dead_letter
from contracts.dependence import ScoreDependence
from contracts.events import decode_event, encode_event
from contracts.histogram import Counts
from contracts.label_partials import LabelPartial, decode_label_partial, encode_label_partial
from contracts.labels import Label, decode_label, encode_label
from contracts.model_events import ModelEvent, decode_model_event, encode_model_event
from contracts.mutes import Mute, decode_mute, encode_mute
from contracts.outcomes import Outcomes
from contracts.partials import Heartbeat, PartialAggregate, decode_partial, encode_partial
from contracts.performance import (
    Estimated,
    Measured,
    PerformanceReport,
    decode_performance,
    encode_performance,
    performance_id,
)
from contracts.reports import DriftReport, FeatureVerdict, Statistic, decode_report, encode_report, report_id
from contracts.resent_letters import ResentLetter, decode_resent, encode_resent
from contracts.variation import BetweenWindows
from stream_app.alerting.policy_state import Incident, PolicyState, Tracked
from stream_app.labelling.revised_state import (
    LabelVersion,
    Published,
    decode_label_version,
    decode_published,
    encode_label_version,
    encode_published,
)
from stream_app.labelling.state import (
    LabelAccount,
    LabelMeta,
    Segment,
    decode_label_meta,
    decode_segment,
    encode_label_meta,
    encode_segment,
)
from stream_app.windowing.merged_state import (
    ClosedWindow,
    VersionRecord,
    decode_closed,
    decode_version,
    encode_closed,
    encode_version,
)
from stream_app.windowing.state import PartitionMeta, VersionAccount, decode_meta, encode_meta
from tests.builders import NOON, NOON_MS, a_baseline, an_event
from tests.compiled import COVERED, a_compiled
from tests.judged import a_judged_alert

EXAMPLES = Path(__file__).parent / "examples"
HOUR = timedelta(hours=1)

REPORT = DriftReport(
    id=report_id("flights", "1", NOON),
    model="flights",
    version="1",
    baseline="0123456789abcdef",
    window_start=NOON,
    window_end=NOON + HOUR,
    rows=1000,
    shadow_rows=400,
    compared_rows=1150,
    merged_windows=1,
    status="alarm",
    preset="calibrated",
    alarms=("distance",),
    features=(
        FeatureVerdict(
            feature="distance",
            kind="numeric",
            rows=1150,
            missing=3,
            p_value=3.5e-41,
            effect=0.21,
            statistics=(
                Statistic("ks", 0.21, 1e-40),
                Statistic("psi", 0.42, 2e-38),
                Statistic("missing_rate", 0.0026, 0.4, 0.0021),
            ),
            findings=("values", "out_of_range"),
            significant=True,
            material=True,
            out_of_range=57,
            minimum=17.0,
            maximum=8019.5,
        ),
        FeatureVerdict(
            feature="carrier",
            kind="categorical",
            rows=1150,
            missing=0,
            p_value=0.31,
            effect=0.012,
            statistics=(Statistic("chi2", 14.2, 0.31),),
            unseen=2,
        ),
    ),
    partitions={0: 4711, 1: 4502},
    estimated=Estimated(values={"auc": 0.81, "precision_1": 0.33}, reference={"auc": 0.84, "precision_1": 0.41}),
)

ALERT = a_judged_alert()

PARTIAL = PartialAggregate(
    model="flights",
    version="1",
    baseline="0123456789abcdef",
    window_start=NOON_MS,
    window_end=NOON_MS + 3_600_000,
    partition=3,
    offset=4711,
    rows=3,
    positives=1,
    decided=3,
    shadow_rows=2,
    score=Counts(b"\x01\x00\x00\x00\x02\x00\x00\x00", 0, 0.1, 0.9),
    features=(Counts(b"\x02\x00\x00\x00\x00\x00\x00\x00", 1, 5.0, 7.5), Counts(b"\x03\x00\x00\x00")),
)

LABEL_PARTIAL = LabelPartial(
    model="flights",
    version="1",
    baseline="0123456789abcdef",
    coding="fedcba9876543210",
    window_start=NOON_MS,
    window_end=NOON_MS + 3_600_000,
    partition=3,
    offset=4711,
    labelled=3,
    replaced=1,
    cells=b"\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00",
)
SEGMENT = Segment(
    baseline="0123456789abcdef",
    coding="fedcba9876543210",
    window_end=NOON_MS + 3_600_000,
    first=4709,
    last=4711,
    offsets=b"\x00\x00\x00\x00\x02\x00\x00\x00",
    hashes=b"\x11\x12\x13\x14\x15\x16\x17\x18\x21\x22\x23\x24\x25\x26\x27\x28",
    cells=b"\x02\x00\x07\x00",
)
LABEL_META = LabelMeta(
    partition=3,
    first_offset=100,
    last_offset=107,
    watermark=NOON_MS,
    sent=105,
    read=7,
    accounts={("flights", "1"): LabelAccount(counted=3, replaced=1, repeated=1, late=1)},
    refused={"unknown-version": 1},
    absent=1,
)
LABEL_RECORD = LabelVersion(
    model="flights",
    version="1",
    horizon=NOON_MS,
    windows=12,
    labelled=622,
    replaced=1,
    late=2,
    offset=311,
    steps=14,
    closed={NOON_MS: {0: 311, 3: 312}},
    policy=b"{}",
    unsent=True,
)

META = PartitionMeta(
    partition=3,
    first_offset=100,
    last_offset=107,
    watermark=NOON_MS,
    read=7,
    sequences={"api.00-0193f2a1b3c4": 42},
    accounts={("flights", "1"): VersionAccount(4, 1, 1)},
    refused={"malformed": 1},
    absent=1,
)
RECORD = VersionRecord(
    model="flights",
    version="1",
    horizon=NOON_MS,
    reports=2,
    reported_rows=9,
    late_rows=1,
    offset=44,
    closed={NOON_MS: {3_600_000: {7: 5}}},
    thin=(NOON_MS,),
    policy=b"{}",
)
MUTE = Mute(
    model="flights", version="1", feature="distance", since=NOON, until=NOON + 8 * HOUR, reason="mended, ticket 4711"
)
CLOSED = ClosedWindow(
    length=3_600_000, rows={0: 4, 7: 4}, reports=2, offset=44, mutes=(MUTE,), baseline="0123456789abcdef"
)
POLICY = PolicyState(
    decided=NOON,
    alerts=(ALERT,),
    incident=Incident(
        id=ALERT.incident,
        opened=NOON,
        severity="critical",
        clean=1,
        told=NOON,
        storm=True,
        calm=True,
        recovered=("carrier",),
    ),
    tracked=(
        Tracked(
            feature="distance",
            alarms=(True, False),
            in_incident=True,
            since=NOON - HOUR,
            findings=("values",),
            p_value=1e-9,
            effect=0.21,
            critical=False,
            words="distance moved",
            owed=True,
            clean=1,
            cause=ALERT.features[0].cause,
            model_effect=ALERT.features[0].model_effect,
        ),
    ),
)


class Message(NamedTuple):
    """file: name in examples/. value: the instance. encode, decode: how both ends write and read it."""

    file: str
    value: Any
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    schema: str | None = None


_PLAIN = a_baseline(rows=200)
BASELINE = msgspec.structs.replace(
    _PLAIN,
    outcomes=Outcomes(negatives=_PLAIN.score.counts, positives=(1,) * _PLAIN.score.bins.size, decided=(1, 2)),
    natural_performance={"auc": BetweenWindows(between=0.1, error=0.02, shift=-0.3, variance=0.003, windows=61)},
    features=_PLAIN.features
    | {
        "distance": msgspec.structs.replace(
            _PLAIN.features["distance"],
            dependence=ScoreDependence(
                bin_starts=(0, 80),
                bin_scores=(0.21, 0.25),
                bin_positives=(0.125, 0.25),
                missing_score=0.2,
                missing_positives=0.0,
                at=(-10.0, 100.0, 1_000.0),
                partial=(0.2, 0.21, 0.24),
                partial_positives=(0.1, 0.15, 0.2),
                sample_score=0.225,
                sample_positives=0.175,
                refused="no value (ValueError: Input X contains NaN)",
            ),
        )
    },
)

MESSAGES = (
    Message("prediction-event.json", an_event(sequence=42), encode_event, decode_event, "prediction-event"),
    Message(
        "label.json",
        Label(
            prediction_id="api.00-0193f2a1b3c4-000000002a",
            event_time=NOON,
            labelled_at=NOON + 72 * HOUR,
            model="flights",
            model_version="1",
            score=0.25,
            truth=1.0,
            decision=False,
        ),
        encode_label,
        decode_label,
        "label",
    ),
    Message(
        "performance-report.json",
        PerformanceReport(
            id=performance_id("flights", "1", NOON, 3),
            model="flights",
            version="1",
            baseline="0123456789abcdef",
            window_start=NOON,
            window_end=NOON + HOUR,
            revision=3,
            labelled=622,
            predictions=1004,
            positives=151,
            status="degraded",
            metrics=(
                Measured(
                    name="auc",
                    value=0.71,
                    better="higher",
                    low=0.66,
                    high=0.76,
                    reference=0.8,
                    reference_low=0.79,
                    reference_high=0.81,
                    degraded=True,
                    natural_low=0.74,
                    natural_high=0.83,
                ),
                Measured(name="bias", value=0.01, better="zero"),
            ),
            degraded=("auc",),
            replaced=2,
            final=False,
            summary="62 % of 1,004 predictions labelled: auc fell from .800 to .710",
            partitions={0: 311, 1: 287},
        ),
        encode_performance,
        decode_performance,
        "performance-report",
    ),
    Message(
        "model-event.json",
        ModelEvent(
            id="flights/2/promoted/1734955200000",
            kind="promoted",
            at=NOON,
            model="flights",
            version="2",
            by="ada",
            reason="all gates passed",
            previous="1",
            details={"share": 100.0, "gates": ["minimum quality"], "report": {"passed": True}},
        ),
        encode_model_event,
        decode_model_event,
        "model-event",
    ),
    Message("baseline.json", BASELINE, Baseline.to_bytes, Baseline.from_bytes, "baseline"),
    Message("window-partial.msgpack", PARTIAL, encode_partial, decode_partial),
    Message(
        "heartbeat.msgpack",
        Heartbeat(partition=3, partitions=8, generation=5, watermark=NOON_MS, idle=True, owner="worker-1"),
        encode_partial,
        decode_partial,
    ),
    Message("label-partial.msgpack", LABEL_PARTIAL, encode_label_partial, decode_label_partial),
    Message("drift-report.json", REPORT, encode_report, decode_report, "drift-report"),
    Message("drift-alert.json", ALERT, encode_alert, decode_alert, "drift-alert"),
    Message("mute.json", MUTE, encode_mute, decode_mute, "mute"),
    Message(
        "dead-letter.json",
        DeadLetter(
            reason="undeliverable",
            detail="sink webhook: the receiver answered 410 Gone",
            topic="drift-alerts",
            partition=0,
            offset=17,
            key=b"flights",
            value=b'{"id":"the alert, whole"}',
            sink="webhook",
            attempts=1,
        ),
        encode_dead_letter,
        decode_dead_letter,
        "dead-letter",
    ),
    Message(
        "resent-letter.json",
        ResentLetter(
            letter="drift-alerts/0/17", sink="webhook", alert=ALERT.id, how="delivered", at=NOON + timedelta(hours=5)
        ),
        encode_resent,
        decode_resent,
        "resent-letter",
    ),
    Message("compiled.msgpack", a_compiled(), Compiled.to_bytes, Compiled.from_bytes),
    Message("compiled-with-covers.msgpack", a_compiled(COVERED), Compiled.to_bytes, Compiled.from_bytes),
    # What workers store; the windows of stage 1 and the parts of stage 2 are as window-partial.msgpack.
    Message("stored-partition.msgpack", META, encode_meta, decode_meta),
    Message("stored-version.msgpack", RECORD, encode_version, decode_version),
    Message("stored-closed-window.msgpack", CLOSED, encode_closed, decode_closed),
    # What counts labels stores; the parts of its stage 2 are as label-partial.msgpack.
    Message("stored-label-partition.msgpack", LABEL_META, encode_label_meta, decode_label_meta),
    Message("stored-label-segment.msgpack", SEGMENT, encode_segment, decode_segment),
    Message("stored-label-version.msgpack", LABEL_RECORD, encode_label_version, decode_label_version),
    Message("stored-label-revision.msgpack", Published(revision=2493), encode_published, decode_published),
    Message("stored-policy.json", POLICY, PolicyState.to_bytes, PolicyState.from_bytes),
)

if __name__ == "__main__":
    EXAMPLES.mkdir(exist_ok=True)
    for message in MESSAGES:
        (EXAMPLES / message.file).write_bytes(message.encode(message.value))
