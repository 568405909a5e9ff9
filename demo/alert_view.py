"""The demo's alerts in the terminal: in one line as they come, and at the end as tables with delays and causes."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.alerts import DriftAlert
from demo.causes import cause_words, score_change
from demo.story import Delivered, Story
from stream_app.performance.summary import words

_SHOWN_FEATURES = 4
_SHOWN_CAUSES = 3
_MEASURE = "performance:"

HARMLESS_PAGES = (
    "harmless: hardly moves the model's answers; by default that pages nobody, the demo sets STREAM_PAGE_HARMLESS=true."
)


def alert_line(story: Story, seen: Delivered) -> str:
    """One delivered alert in one line."""
    alert, window = seen.alert, story.number(seen.alert.window_start) + 1
    where = f"after window {window} of version {alert.version}"
    return f"webhook: {alert.transition} ({alert.severity}) {where}: {about(alert, _SHOWN_FEATURES)}"


def about(alert: DriftAlert, most: int | None = None) -> str:
    """What an alert is about: its subject and the first `most` of its features; of a resolve, that all is clear."""
    if alert.transition == "resolve":
        return f"{alert.subject}: all clear"
    names = [_name(feature.feature) for feature in alert.features]
    shown = ", ".join(names[:most])
    more = "" if most is None or len(names) <= most else f", {len(names) - most} more"
    return f"{alert.subject}: {shown}{more}" if names else f"{alert.subject}: no feature is named"


def _name(feature: str) -> str:
    """A measure of performance by its name."""
    return words(feature.removeprefix(_MEASURE)) if feature.startswith(_MEASURE) else feature


def alerts_table(story: Story) -> Table:
    """One row for each alert, as they came. The second act's have no delay: no one event began it."""
    table = Table(box=None, pad_edge=False)
    for column in ("window", "version", "alert", "severity", "about", "delay in events", "in seconds"):
        table.add_column(column, justify="right" if column.startswith(("delay", "in ")) else "left")
    for seen in story.alerts:
        alert, known = seen.alert, story.delay(seen)
        delayed = ("", "") if known is None else (f"{known[0]:,}", f"{known[1]:.1f}")
        number = f"{story.number(alert.window_start) + 1}"
        table.add_row(number, alert.version, alert.transition, alert.severity, Text(about(alert)), *delayed)
    return table


def delay_words(story: Story) -> str:
    """What the columns of delays mean, and in which order the alerts are."""
    size, loop = f"a window holds {story.plan.rows_per_window:,} events", story.loop
    meant = "delay: from the first drifted event (of a resolve: the first repaired one) to the webhook;"
    if loop is None:
        return f"{meant} {size}."
    return (
        f"{meant} {loop.act.name} has none, for no one event began it.\n"
        f"{size}, from window {loop.phase.first + 1} on {loop.act.rows_per_window:,}. Alerts are as they came: "
        "performance is judged when labels are there."
    )


def causes_table(story: Story) -> Table:
    """The first causes of each alert, with the change of the mean score to expect; of a resolve its summary."""
    table = Table(box=None, pad_edge=False)
    table.add_column("window", no_wrap=True)
    table.add_column("alert", no_wrap=True)
    table.add_column("likely cause", overflow="fold")
    table.add_column("expected change", no_wrap=True)
    for seen in story.alerts:
        if _is_told(story, seen):
            _add_causes(table, story, seen.alert)
    return table


def _add_causes(table: Table, story: Story, alert: DriftAlert) -> None:
    newer = "" if alert.version == story.version else f" (version {alert.version})"
    head = f"{story.number(alert.window_start) + 1}", f"{alert.transition}{newer}"
    if alert.subject == "performance" or not alert.features:
        table.add_row(*head, Text(alert.summary))
        return
    for feature in alert.features[:_SHOWN_CAUSES]:
        change = score_change(feature)
        expected = "" if change is None else f"mean score {round(change, 3) + 0:+.3f}"
        table.add_row(*head, Text(cause_words(feature)), expected)
        head = "", ""
    if (more := len(alert.features) - _SHOWN_CAUSES) > 0:
        table.add_row("", "", Text(f"and {more} more"))


def _is_told(story: Story, seen: Delivered) -> bool:
    """In the second act an incident grows and shrinks with the weather: how it began says enough."""
    phase = story.phase_of(story.number(seen.alert.window_start))
    return phase in story.phases or seen.alert.transition == "raise"


def print_alerts(console: Console, story: Story, alerts_path: Path) -> None:
    """The final tables: which alerts came, and what they say."""
    console.rule("alerts delivered to the webhook, signatures verified", align="left")
    console.print(alerts_table(story))
    console.print(delay_words(story), style="dim", highlight=False)
    if any(seen.alert.severity == "harmless" for seen in story.alerts):
        console.print(HARMLESS_PAGES, style="dim", highlight=False)
    console.rule("what the alerts say", align="left")
    console.print(causes_table(story))
    left_out = "" if story.loop is None else f"of {story.loop.act.name} how each incident began; "
    console.print(Text(f"{left_out}each alert whole, with its summary: {alerts_path}", style="dim"), soft_wrap=True)
