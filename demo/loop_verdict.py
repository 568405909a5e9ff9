"""What the second act promised, and whether it held. Pure.

How much better the new model is depends on the flights that are left: that it is better at all is promised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from contracts.performance import PerformanceReport
from demo.loop import Loop
from demo.promise import Expectation
from demo.story import Story
from stream_app.performance.summary import words

_PAGES = ("raise", "escalate")


def promises(story: Story, loop: Loop) -> list[Expectation]:
    """In the order of the plot."""
    return [
        _rows(story, loop),
        _drift(story, loop),
        _degraded(story, loop),
        _closed(loop),
        _answered(story),
        _better(loop),
        _well(story, loop),
    ]


def _rows(story: Story, loop: Loop) -> Expectation:
    size, learn = loop.act.rows_per_window, loop.act.learn
    found = [story.reports.get(loop.phase.first + number) for number in range(learn)]
    exact = sum(report is not None and report.rows == size for report in found)
    return Expectation(
        f"{loop.act.name}: each of the first {learn} windows is reported with exactly {size:,} events",
        exact == learn,
        f"{exact} of {learn} reports exact",
    )


def _drift(story: Story, loop: Loop) -> Expectation:
    pages = [
        seen.alert
        for seen in story.alerts_of(loop.phase)
        if seen.alert.subject == "drift" and seen.alert.transition in _PAGES and seen.alert.version == story.version
    ]
    named = list(dict.fromkeys(feature.feature for alert in pages for feature in alert.features))
    if loop.act.blames:
        promise = f"{loop.act.name}: drift is paged, and {', '.join(loop.act.blames)} are named"
        found = f"{len(pages)} {'page names' if len(pages) == 1 else 'pages name'} {', '.join(named)}"
        return Expectation(promise, set(loop.act.blames) <= set(named), found if pages else "no page")
    return Expectation(
        f"{loop.act.name}: no page for drift, for no feature moves", not pages, ", ".join(named) or "no page"
    )


def _degraded(story: Story, loop: Loop) -> Expectation:
    """Before the new version answered anybody."""
    learnt = range(loop.phase.first, loop.phase.first + loop.act.learn)
    seen = {
        number: report
        for (version, number), report in loop.performance.items()
        if version == story.version and number in learnt
    }
    low = [number for number, report in seen.items() if report.status == "degraded"]
    measures = Counter(words(name) for number in low for name in seen[number].degraded)
    named = f": {', '.join(name for name, _ in measures.most_common())}" if measures else ""
    return Expectation(
        f"{loop.act.name}: performance falls below its reference in two windows in a row",
        _in_a_row(low),
        f"{len(low)} of {len(seen)} windows degraded{named}",
    )


def _closed(loop: Loop) -> Expectation:
    decided, ended = loop.step("retraining-decided"), loop.step("retraining-ended")
    found = "no decision to retrain" if decided is None else f"decided: {decided.details.get('trigger')}"
    return Expectation(
        "the loop closes by itself: retrained, through the gates, shadow and canary to champion",
        loop.outcome == "promoted",
        found if ended is None else f"{found}; ended: {loop.outcome}",
    )


def _answered(story: Story) -> Expectation:
    refused = sum(story.tally.refused.values())
    return Expectation(
        "no request is refused or lost, whatever the models do",
        not refused and not story.tally.gave_up,
        f"{refused} refused" + (f": {story.tally.first_refusal[:200]}" if refused else ""),
    )


def _better(loop: Loop) -> Expectation:
    promise = "the new model is better than the old one on the same later rows"
    if loop.later is None:
        return Expectation(promise, False, "there is nothing to compare")
    later = loop.later
    return Expectation(
        promise,
        later.after > later.before,
        f"AUC {later.before:.3f} -> {later.after:.3f} ({later.after - later.before:+.3f}) on {later.rows:,} rows, "
        f"better in {later.better_windows} of {len(later.windows)} windows",
    )


def _well(story: Story, loop: Loop) -> Expectation:
    """All windows that it answered whole. Drift may go on, as the season does: it is told, and no promise."""
    own = dict(own_windows(loop))
    low = [number for number, report in own.items() if report.status == "degraded"]
    pages = [
        seen.alert
        for seen in story.alerts_of(loop.phase)
        if seen.alert.version == loop.champion
        and seen.alert.transition in _PAGES
        and story.number(seen.alert.window_start) in own
    ]
    fell = sum(alert.subject == "performance" for alert in pages)
    moved = sorted({feature.feature for alert in pages if alert.subject == "drift" for feature in alert.features})
    drift = f"drift was paged: {', '.join(moved)}" if moved else "none for drift either"
    worse = f"{fell} of its pages are for performance" if fell else "no page for performance"
    return Expectation(
        "quiet again: the performance of the new champion pages nobody, no two of its windows in a row are degraded",
        bool(own) and not fell and not _in_a_row(low),
        f"{len(low)} of {len(own)} windows degraded, {worse}; {drift}",
    )


def _in_a_row(numbers: Iterable[int]) -> bool:
    found = set(numbers)
    return any(number + 1 in found for number in found)


def own_windows(loop: Loop) -> list[tuple[int, PerformanceReport]]:
    """Numbers and performance of the windows that the new champion answered alone, as far as they are judged."""
    if loop.champion is None or loop.closed_at is None:
        return []
    first = loop.phase.first + -(-loop.closed_at // loop.act.rows_per_window)
    return sorted(
        (number, report)
        for (version, number), report in loop.performance.items()
        if version == loop.champion and number >= first and report.status != "insufficient"
    )
