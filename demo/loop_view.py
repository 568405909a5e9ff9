"""The second act in the terminal: performance by window, the steps of the loop with their reasons, before and after."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.model_events import ModelEvent
from contracts.performance import Measured, PerformanceReport
from demo.loop import Loop, Seen
from demo.story import Story
from stream_app.performance.summary import words

_STEPS = {
    "retraining-decided": "retraining decided",
    "collected": "data collected",
    "registered": "new version trained",
    "gated": "gates",
    "rollout-changed": "rollout",
    "rollout-ended": "rollout ended",
    "rollout-trouble": "trouble",
    "promoted": "new champion",
    "rolled-back": "rolled back",
    "retraining-ended": "retraining ended",
}
"""Steps that are told, in words."""
_SHADOWED = "events: of a new version those too that it scored in shadow; they answered nobody, so no label is theirs."
_FIRST, _LAST = 13, 2
"""Windows before the change that are always shown."""


def told(event: ModelEvent) -> bool:
    """Whether a step is news: of a retraining that ended well the promotion has said all."""
    return event.kind in _STEPS and event.details.get("outcome") != "promoted"


def step_line(event: ModelEvent) -> str:
    """One step in one line."""
    return f"{_STEPS[event.kind]}, version {event.version}: {event.reason}"


def performance_words(report: PerformanceReport) -> str:
    """A window's performance in one line."""
    auc = report.metric("auc")
    said = f"{report.labelled:,} labels, {verdict_words(report)}"
    return said if auc is None else f"{said}; AUC {_with_interval(auc)}{_held_against(auc)}"


def verdict_words(report: PerformanceReport) -> str:
    """The verdict, and what it is about."""
    return report.status + (f": {', '.join(words(name) for name in report.degraded)}" if report.degraded else "")


def newest_windows(story: Story, loop: Loop, most: int) -> Table:
    """One row for each window and version of the act, with drift and performance."""
    table = _windows_table()
    for key in _windows(story, loop)[-most:]:
        _add_window(table, story, loop, key)
    return table


def all_windows(story: Story, loop: Loop) -> Table:
    """All of them; where the first model answered many alone, those in the middle are one line."""
    table = _windows_table()
    seen = _windows(story, loop)
    learnt = [key for key in seen if key[1] < loop.phase.first + loop.act.learn]
    hidden = learnt[_FIRST:-_LAST] if len(learnt) > _FIRST + _LAST + 2 else []
    for key in seen:
        if key not in hidden:
            _add_window(table, story, loop, key)
        elif key == hidden[0]:
            low = sum(key in loop.performance and loop.performance[key].status == "degraded" for key in hidden)
            drifted = sum(bool(report.alarms) for key in hidden if (report := story.reports.get(key[1])) is not None)
            more = f"{low} of {len(hidden)} degraded", f"{drifted} with alarms"
            table.add_row("...", story.version, "", "", "", *more, style="dim")
    return table


def _windows_table() -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("window", "version", "events", "labelled", "AUC", "performance", "drift"):
        table.add_column(column, no_wrap=column not in ("performance", "drift"))
    return table


def _windows(story: Story, loop: Loop) -> list[Seen]:
    """Of the act, those of which anything is known, in order."""
    known = {*((story.version, number) for number in story.reports), *loop.reports, *loop.performance}
    return sorted((key for key in known if key[1] in loop.phase.window_numbers), key=lambda key: (key[1], key[0]))


def _add_window(table: Table, story: Story, loop: Loop, key: Seen) -> None:
    version, number = key
    report = story.reports.get(number) if version == story.version else loop.reports.get(key)
    measured = loop.performance.get(key)
    auc = None if measured is None else measured.metric("auc")
    degraded = measured is not None and measured.status == "degraded"
    alarms = () if report is None else report.alarms
    moved = ", ".join(alarms[:3]) + (f", {len(alarms) - 3} more" if len(alarms) > 3 else "")
    table.add_row(
        f"{number + 1}",
        version,
        "" if report is None else f"{report.rows:,}",
        "" if measured is None else f"{measured.labelled:,}",
        "" if auc is None else _with_interval(auc),
        "" if measured is None else verdict_words(measured),
        moved,
        style="yellow" if degraded else "",
    )


def steps_table(loop: Loop) -> Table:
    """One row for each step, with its reason."""
    table = Table(box=None, pad_edge=False)
    for column, wrap in (("at", True), ("step", True), ("version", True), ("why", False)):
        table.add_column(column, no_wrap=wrap, overflow="fold", justify="right" if column == "at" else "left")
    for at, event in loop.steps.values():
        if told(event):
            table.add_row(f"{at:.0f} s", _STEPS[event.kind], event.version, Text(event.reason))
    return table


def before_and_after(story: Story, loop: Loop) -> Table:
    """Both models on the same rows."""
    table = Table(box=None, pad_edge=False)
    for column in ("model", "AUC", "on"):
        table.add_column(column, no_wrap=True)
    later = loop.later
    if later is None:
        return table
    rows = f"the same {later.rows:,} rows, all of them from after the change"
    table.add_row(f"version {story.version}, the old champion", f"{later.before:.3f}", rows)
    table.add_row(f"version {loop.champion}, the new one", f"{later.after:.3f}", "")
    windows = f"better in {later.better_windows} of {len(later.windows)} whole windows" if later.windows else ""
    table.add_row("gained", f"{later.after - later.before:+.3f}", windows)
    return table


def print_loop(console: Console, story: Story, loop: Loop) -> None:
    """The final tables of the second act."""
    console.rule(f"{loop.act.name}: {loop.act.title}", align="left")
    console.print(all_windows(story, loop))
    if any(report.shadow_rows for report in loop.reports.values()):
        console.print(_SHADOWED, style="dim", highlight=False)
    console.rule("how the loop closed: the steps on model-events, each with its reason", align="left")
    console.print(steps_table(loop))
    if loop.later is not None:
        console.rule("before and after", align="left")
        console.print(before_and_after(story, loop))


def _with_interval(measured: Measured) -> str:
    low, high = measured.low, measured.high
    return f"{measured.value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def _held_against(measured: Measured) -> str:
    low, high = measured.natural_low, measured.natural_high
    if low is not None and high is not None:
        return f", while all is well {low:.3f} to {high:.3f}"
    return "" if measured.reference is None else f", reference {measured.reference:.3f}"
