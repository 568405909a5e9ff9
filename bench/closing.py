"""What a window's close costs: processor time of the comparison, of a report's JSON, of one cause; bytes of its state.

Processor time, the best of many rounds, so that it says the same while other programs run, with the garbage collector
set as in a worker. The windows are quiet: no feature alarms, so no cause and no effect on the model is worked out.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import msgspec
import numpy as np

from bench.benchmark import Benchmark, Options, Say
from bench.closing_material import HOUR_MS, closed, counted, drawn_baseline, drawn_rows, varying
from contracts.baseline import Baseline
from contracts.partials import encode_partial
from contracts.reports import encode_report
from contracts.window import WindowCounts
from stream_app.delivery.garbage import collect_seldom
from stream_app.drift.cause.infer import infer
from stream_app.drift.prepared import prepared

ROWS = 1_000
REFERENCE_ROWS, QUICK_REFERENCE_ROWS = 100_000, 20_000
ROUNDS, QUICK_ROUNDS = 100, 20
FIRST_ROUNDS = 5
STATE_ROWS = 100_000


class ClosingFigures(msgspec.Struct, frozen=True):
    """close: of a window whose baseline is known; learnt: where every null is learnt; first: with a new baseline.

    cause, cause_most: one alarming feature's, on average and the costliest. state_kb: a window of `STATE_ROWS` rows of
    one source partition as stage 1 stores it and stage 2 keeps it, in 1,000 bytes. report_kb: JSON.
    """

    close_ms_23: float
    close_ms_1000: float
    learnt_close_ms_23: float
    learnt_close_ms_1000: float
    first_close_ms_23: float
    first_close_ms_1000: float
    encode_ms_23: float
    encode_ms_1000: float
    report_kb_23: float
    report_kb_1000: float
    cause_ms: float
    cause_most_ms: float
    state_kb_23: float


class _Size(msgspec.Struct, frozen=True):
    """Of one number of features."""

    close: float
    learnt: float
    first: float
    encode: float
    report_kb: float


def run(options: Options, say: Say) -> ClosingFigures:
    """Measure it."""
    rows = QUICK_REFERENCE_ROWS if options.quick else REFERENCE_ROWS
    few, many = (drawn_baseline(options.seed, rows, features) for features in (23, 1000))
    rounds, usual = QUICK_ROUNDS if options.quick else ROUNDS, gc.get_threshold()
    collect_seldom()
    try:
        sizes = {23: _size(few, 23, options.seed, rounds), 1000: _size(many, 1000, options.seed, rounds)}
        causes = cause_times(few, options.seed)
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
    figures = ClosingFigures(
        **{f"{name}_ms_{n}": round(getattr(size, of), 3) for n, size in sizes.items() for name, of in _TIMES.items()},
        **{f"report_kb_{n}": round(size.report_kb, 1) for n, size in sizes.items()},
        cause_ms=round(float(np.mean(causes)), 2),
        cause_most_ms=round(max(causes), 2),
        state_kb_23=round(state_kb(few, 23, options.seed), 1),
    )
    for name, value in msgspec.structs.asdict(figures).items():
        say(f"{name:24}{value:10g}")
    return figures


def cause_times(baseline: Baseline, seed: int) -> list[float]:
    """Milliseconds for the likely cause of each numeric feature with a third of its rows multiplied by 1.609."""
    rng = np.random.default_rng(seed)
    spent = []
    for i, feature in enumerate(baseline.schema.monitored):
        if feature.kind == "numeric":
            column = drawn_rows(i + 1, ROWS, rng)[0][i]
            column[: ROWS // 3] *= 1.609
            reference = baseline.features[feature.name]
            window = WindowCounts(baseline).features[i]
            window.add(column)
            spent.append(best(lambda r=reference, w=window, n=feature.name: infer(r, w, ("values",), n), 3))  # type: ignore[misc]
    return spent


def state_kb(baseline: Baseline, features: int, seed: int) -> float:
    """Of one window of one source partition, as stored."""
    window = counted(baseline, *drawn_rows(features, STATE_ROWS, np.random.default_rng(seed)))
    return len(encode_partial(window.partial(window_start=0, window_end=HOUR_MS, partition=0, offset=1))) / 1000


def best(action: Callable[[], object], rounds: int) -> float:
    """Milliseconds of processor time, the least of the rounds."""
    spent = []
    for _ in range(rounds):
        began = time.process_time_ns()
        action()
        spent.append(time.process_time_ns() - began)
    return min(spent) / 1e6


def _size(baseline: Baseline, features: int, seed: int, rounds: int) -> _Size:
    columns, scores = drawn_rows(features, ROWS, np.random.default_rng(seed))
    window = counted(baseline, columns, scores)
    while closed(baseline, window).status != "quiet":
        seed += 1
        columns, scores = drawn_rows(features, ROWS, np.random.default_rng(seed))
        window = counted(baseline, columns, scores)
    learnt = varying(baseline)
    there = counted(learnt, columns, scores)
    found = closed(baseline, window)
    closed(learnt, there)
    return _Size(
        close=best(lambda: closed(baseline, window), rounds),
        learnt=best(lambda: closed(learnt, there), rounds),
        first=min(_first(baseline.to_bytes(), columns, scores) for _ in range(FIRST_ROUNDS)),
        encode=best(lambda: encode_report(found), rounds),
        report_kb=len(encode_report(found)) / 1000,
    )


def _first(encoded: bytes, columns: list[object], scores: object) -> float:
    """Milliseconds of the first close with a baseline that has just been read."""
    baseline = Baseline.from_bytes(encoded)
    window = counted(baseline, columns, scores)
    prepared.cache_clear()
    return best(lambda: closed(baseline, window), 1)


_TIMES = {"close": "close", "learnt_close": "learnt", "first_close": "first", "encode": "encode"}

CLOSING = Benchmark(
    "closing",
    "milliseconds a window's close takes, of a report's JSON and of a cause; its state",
    run,
    lasts="30 s; --quick: 15 s",
)
