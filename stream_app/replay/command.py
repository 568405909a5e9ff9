"""`python -m stream_app replay`: its options. Nothing heavy is imported before they are read."""

# No `from __future__ import annotations`: the command's help is made from them.
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stream_app.errors import StreamError
from stream_app.interactive import SIGNALLED
from stream_app.replay.kinds import LINES, TABLES

_SOURCE, _COUNT, _JUDGE, _WRITE = "Where the events are", "How they are counted", "How windows are judged", "Output"
_KINDS = ", ".join((*LINES, *TABLES))
_FLAG = " "
"""Nothing in place of `<bool>`: a flag takes no value."""


def _option(panel: str, text: str, name: str, metavar: str | None = None, default: str = "") -> Any:
    """default: that of the STREAM_* setting behind the option; settings.py is not imported for a page of help."""
    words = f"{text} Default: {default}." if default else text
    return typer.Option(name, help=words, rich_help_panel=panel, metavar=metavar, show_default=False)


def replay(
    file: Annotated[
        Path | None,
        _option(_SOURCE, f"A file of events: {_KINDS}. Without it: Kafka.", "--file", "FILE"),
    ] = None,
    from_: Annotated[
        str | None, _option(_SOURCE, "Records stamped from this time on: 2026-01-31T12:00:00Z.", "--from", "TIME")
    ] = None,
    to: Annotated[str | None, _option(_SOURCE, "... and before this time.", "--to", "TIME")] = None,
    offsets: Annotated[
        str | None,
        _option(_SOURCE, "By partition, both ends included: 0:100-5000,1:0-", "--offsets", "P:FIRST-LAST,..."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        _option(
            _SOURCE,
            "A baseline, for its own version or another one; may be repeated. Without it: the topic `baselines`.",
            "--baseline",
            "[MODEL/VERSION=]FILE",
        ),
    ] = None,
    model: Annotated[
        str | None, _option(_SOURCE, "Of every row, where the table has no such column.", "--model", "TEXT")
    ] = None,
    model_version: Annotated[
        str | None, _option(_SOURCE, "Of every row, where the table has no such column.", "--model-version", "TEXT")
    ] = None,
    column: Annotated[
        list[str] | None,
        _option(
            _SOURCE, "A field or feature whose column has another name; may be repeated.", "--column", "NAME=COLUMN"
        ),
    ] = None,
    utc: Annotated[bool, _option(_SOURCE, "Times of the table without a zone are UTC.", "--utc", _FLAG)] = False,
    sort: Annotated[
        bool, _option(_SOURCE, "Count a file by event time, not in its order; takes it into memory.", "--sort", _FLAG)
    ] = False,
    strict: Annotated[
        bool, _option(_SOURCE, "Refuse events stamped before their baseline was published.", "--strict", _FLAG)
    ] = False,
    window: Annotated[
        str | None, _option(_COUNT, "Length of a window: 10s, 15m, 1h, 7d.", "--window", "DURATION", "1m")
    ] = None,
    lateness: Annotated[
        str | None, _option(_COUNT, "How far out of order event times may be.", "--lateness", "DURATION", "5s")
    ] = None,
    idle: Annotated[
        str | None,
        _option(
            _COUNT, "After this without a record a partition lets time pass by itself.", "--idle", "DURATION", "10s"
        ),
    ] = None,
    max_future: Annotated[
        str | None, _option(_COUNT, "Refuse events this far ahead of their record.", "--max-future", "DURATION", "5m")
    ] = None,
    max_age: Annotated[
        str | None, _option(_COUNT, "Refuse events this far behind their record.", "--max-age", "DURATION", "7d")
    ] = None,
    preset: Annotated[
        str | None, _option(_JUDGE, "The decision rule.", "--preset", "calibrated|classic", "calibrated")
    ] = None,
    n_min: Annotated[
        int | None, _option(_JUDGE, "Fewer rows are merged with the next window.", "--n-min", "ROWS", "200")
    ] = None,
    page_after: Annotated[
        int | None,
        _option(
            _JUDGE,
            "Page when a feature alarms in so many of its last windows (see --of-last).",
            "--page-after",
            "WINDOWS",
            "2",
        ),
    ] = None,
    of_last: Annotated[
        int | None, _option(_JUDGE, "The windows that --page-after looks back on.", "--of-last", "WINDOWS", "3")
    ] = None,
    resolve_after: Annotated[
        int | None, _option(_JUDGE, "Clean windows that resolve an incident.", "--resolve-after", "WINDOWS", "3")
    ] = None,
    critical_effect: Annotated[
        float | None, _option(_JUDGE, "An effect of this size is critical.", "--critical-effect", "0..1", "0.25")
    ] = None,
    critical_rate_jump: Annotated[
        float | None, _option(_JUDGE, "So is a rate that rose by this much.", "--critical-rate-jump", "0..1", "0.5")
    ] = None,
    critical_score_change: Annotated[
        float | None,
        _option(
            _JUDGE,
            "So is an expected change of the mean score by this much.",
            "--critical-score-change",
            "0..1",
            "0.05",
        ),
    ] = None,
    page_harmless: Annotated[
        bool | None,
        _option(
            _JUDGE,
            "Page for drift that hardly changes the mean score, too.",
            "--page-harmless",
            _FLAG,
            "False",
        ),
    ] = None,
    remind_after: Annotated[
        str | None,
        _option(
            _JUDGE, "Say an incident that goes on again after this; 0s is never.", "--remind-after", "DURATION", "1d"
        ),
    ] = None,
    mutes: Annotated[
        Path | None,
        _option(
            _JUDGE,
            "What is muted: JSON Lines as `mutes --all --json` prints them. Without it: the topic `alert-mutes` for a "
            "replay of Kafka, nothing for a file.",
            "--mutes",
            "FILE",
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        _option(
            _JUDGE,
            "Judge the same windows a second time, with these changed: preset, n-min, page-after, of-last, "
            "resolve-after, critical-effect, critical-rate-jump, critical-score-change, page-harmless, remind-after. "
            "Such as n-min=500,page-after=3.",
            "--compare",
            "NAME=VALUE,...",
        ),
    ] = None,
    keep_cut: Annotated[
        bool, _option(_WRITE, "Report windows that begin before the range, too, marked.", "--keep-cut", _FLAG)
    ] = False,
    output: Annotated[
        Path | None, _option(_WRITE, "JSON Lines go there. Without it: standard output.", "--output", "FILE")
    ] = None,
) -> None:
    """Count and judge past events again, from Kafka or a file, without touching live state.

    What is not given comes from STREAM_* (--window from STREAM_WINDOW_SECONDS), else it is the default. Reports and
    alerts go out as JSON Lines, the accounts to standard error.
    """
    from stream_app.replay.request import Words

    durations = {"window_seconds": window, "lateness_seconds": lateness, "idle_seconds": idle}
    durations |= {"max_future_seconds": max_future, "max_age_seconds": max_age, "remind_after_seconds": remind_after}
    numbers = {"preset": preset, "n_min": n_min, "page_after": page_after, "page_of_last": of_last}
    numbers |= {"resolve_after": resolve_after, "page_harmless": page_harmless}
    sizes = {"critical_effect": critical_effect, "critical_rate_jump": critical_rate_jump}
    sizes |= {"critical_score_change": critical_score_change}
    raise typer.Exit(
        _run(
            Words(
                file=file,
                from_=from_,
                to=to,
                offsets=offsets,
                baseline=baseline or (),
                model=model,
                model_version=model_version,
                column=column or (),
                utc=utc,
                sort=sort,
                durations={name: text for name, text in durations.items() if text is not None},
                numbers={name: value for name, value in {**numbers, **sizes}.items() if value is not None},
                compare=compare or (),
                mutes=mutes,
                strict=strict,
                keep_cut=keep_cut,
                output=output,
            )
        )
    )


def _run(words: Any) -> int:
    from stream_app.delivery.garbage import collect_seldom
    from stream_app.replay.request import request_of
    from stream_app.replay.run import Stop, run
    from stream_app.settings import slips

    thresholds, stop = gc.get_threshold(), Stop()
    collect_seldom()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # once a second while the broker is away; we say it once

    def interrupted(number: int, _: object) -> None:
        """The first signal ends the replay with a summary; a second one ends the process, as one before the replay."""
        if not stop.asked:
            _say("interrupted before anything was read")
            raise SystemExit(SIGNALLED + number)
        stop.signal = number
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    for line in slips(os.environ):
        _say(line)
    try:
        return run(request_of(words), _say, stop)
    except StreamError as error:
        _say(str(error))
        return 2
    except BrokenPipeError:  # whoever read our output has enough, as `head` does
        sys.stdout = None  # else Python would try to flush it once more
        return SIGNALLED + signal.SIGPIPE
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def _say(line: str) -> None:
    print(f"replay: {line}" if line else "", file=sys.stderr)
