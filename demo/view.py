"""The live view of the demo in the terminal, and its final tables. Draws a Story; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from contracts.alerts import DriftAlert
from contracts.reports import DriftReport
from demo.causes import cause_words, score_change
from demo.loop_view import newest_windows, print_loop
from demo.promise import Expectation
from demo.story import Delivered, Story
from demo.verdict import Audit

_SHOWN_FEATURES = 4
_SHOWN_CAUSES = 3
_PARTS = ("first act", "second act", "last windows", "stop")

HARMLESS_PAGES = (
    "harmless: hardly moves the model's answers; by default that pages nobody, the demo sets STREAM_PAGE_HARMLESS=true."
)

_NEXT = {
    "make demo DATA=payments": "fraud changes its pattern: no feature moves, only performance falls",
    "make up": "the stack stays up: send your own requests to its URLs",
    "make bench BENCH=quiet": "how often a quiet window alarms, over 200 seeds",
}


class View:
    """A renderable that shows the Story as it is at the moment of drawing."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def __rich__(self) -> RenderableType:
        story = self.story
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(story.doing, style="bold"),
            ProgressBar(total=max(story.events, 1), completed=story.sent, width=30),
            Text(f"{len(story.tally.answered):,} of {story.events:,} answered"),
        )
        parts: list[RenderableType] = [head]
        if story.loop is not None and any(number >= story.windows for number in story.reports):
            parts.append(newest_windows(story, story.loop, 10))
        elif story.reports:
            parts.append(windows_table(story, last=10))
        if story.alerts:
            parts.append(Text("\n".join(alert_line(story, seen) for seen in story.alerts[-3:]), style="red"))
        parts.extend(Text(note, style="dim") for note in story.notes[-4:])
        return Panel(Group(*parts), title="Tidemark", border_style="cyan")


def windows_table(story: Story, last: int | None = None) -> Table:
    """One row per closed window: grey for an alarm that pages nobody, red for a page."""
    table = Table(box=None, pad_edge=False)
    for column in ("window", "phase", "events", "verdict", "features, strongest first"):
        table.add_column(column, no_wrap=column != "features, strongest first")
    paged = {story.number(seen.alert.window_start) for seen in story.alerts if seen.alert.transition != "resolve"}
    numbers = [number for number in sorted(story.reports) if number < story.windows]
    for number in numbers[-(last or len(numbers)) :]:
        report, phase = story.reports[number], story.phase_of(number)
        verdict: str = report.status
        style = ""
        if number in paged:
            verdict, style = "PAGE", "bold red"
        elif report.status == "alarm":
            verdict, style = "alarm", "bright_black" if phase is story.quiet else "yellow"
        name = phase.name if phase else "?"
        table.add_row(f"{number + 1}", name, f"{report.rows:,}", verdict, _features(report), style=style)
    return table


def _features(report: DriftReport) -> str:
    shown = ", ".join(_named(report, feature) for feature in report.alarms[:_SHOWN_FEATURES])
    more = len(report.alarms) - _SHOWN_FEATURES
    return shown + (f", {more} more" if more > 0 else "")


def _named(report: DriftReport, feature: str) -> str:
    verdict = report.verdict(feature)
    return feature if verdict is None else f"{feature} ({'+'.join(verdict.findings).replace('_', ' ')})"


def alert_line(story: Story, seen: Delivered) -> str:
    """One delivered alert in one line."""
    features = ", ".join(feature.feature for feature in seen.alert.features[:_SHOWN_FEATURES])
    more = len(seen.alert.features) - _SHOWN_FEATURES
    suffix = f", {more} more" if more > 0 else ""
    window = story.number(seen.alert.window_start) + 1
    about = f"{features}{suffix}" if features else "all clear"
    return f"webhook: {seen.alert.transition} ({seen.alert.severity}) after window {window}: {about}"


def alerts_table(story: Story) -> Table:
    """One row for each alert. The second act's have no delay: the world moves slowly, from no event on."""
    table = Table(box=None, pad_edge=False)
    for column in ("window", "alert", "severity", "about", "delay in events", "in seconds"):
        table.add_column(column, justify="right" if column.startswith(("delay", "in ")) else "left")
    for seen in story.alerts:
        alert, number = seen.alert, story.number(seen.alert.window_start)
        features = ", ".join(feature.feature.removeprefix("performance:") for feature in alert.features)
        whose = () if alert.version == story.version else (f"version {alert.version}",)
        which = ("performance",) if alert.subject == "performance" else ()
        about = Text(": ".join((*whose, *which, features or "all clear")))
        known = story.delay(seen)
        delayed = ("", "") if known is None else (f"{known[0]:,}", f"{known[1]:.1f}")
        table.add_row(f"{number + 1}", alert.transition, alert.severity, about, *delayed)
    return table


def _is_told(story: Story, seen: Delivered) -> bool:
    """In the second act an incident grows and shrinks with the weather: how it began says enough."""
    phase = story.phase_of(story.number(seen.alert.window_start))
    return phase in story.phases or seen.alert.transition == "raise"


def causes_table(alerts: Sequence[DriftAlert]) -> Table:
    """The first causes of each alert, with the change of the mean score to expect; of a resolve its summary."""
    table = Table(box=None, pad_edge=False)
    table.add_column("alert", no_wrap=True)
    table.add_column("likely cause", overflow="fold")
    table.add_column("expected", no_wrap=True)
    for alert in alerts:
        newer = "" if alert.version == alerts[0].version else f" (version {alert.version})"
        name = f"{alert.transition}{newer}"
        if alert.subject == "performance":
            table.add_row(name, Text(alert.summary))
            continue
        for feature in alert.features[:_SHOWN_CAUSES]:
            change = score_change(feature)
            expected = "" if change is None else f"mean score {round(change, 3) + 0:+.3f}"
            table.add_row(name, Text(cause_words(feature)), expected)
            name = ""
        if not alert.features:
            table.add_row(name, Text(alert.summary))
        elif (more := len(alert.features) - _SHOWN_CAUSES) > 0:
            table.add_row("", Text(f"and {more} more"))
    return table


def print_result(
    console: Console,
    story: Story,
    audit: Audit,
    checks: Sequence[Expectation],
    summary_path: Path,
    alerts_path: Path,
) -> None:
    """The final tables: windows, alerts with delays and causes, accounts, promises, and what to try next."""
    console.rule("the first act, window by window", align="left")
    console.print(windows_table(story))
    console.rule("alerts delivered to the webhook, signatures verified", align="left")
    console.print(alerts_table(story))
    words = f"delay: from the first drifted event to the webhook; a window holds {story.plan.rows_per_window:,} events."
    console.print(words, style="dim", highlight=False)
    if any(seen.alert.severity == "harmless" for seen in story.alerts):
        console.print(HARMLESS_PAGES, style="dim", highlight=False)
    console.rule("what the alerts say", align="left")
    console.print(causes_table([seen.alert for seen in story.alerts if _is_told(story, seen)]))
    console.print(Text(f"each alert whole, with its summary: {alerts_path}", style="dim"), soft_wrap=True)
    if story.loop is not None:
        print_loop(console, story, story.loop)
    console.rule("accounts", align="left")
    answered = len(story.tally.answered)
    shadow = f" + scored in shadow {story.loop.shadowed:,}" if story.loop is not None and story.loop.shadowed else ""
    console.print(
        f"answered {answered:,}{shadow} = counted {audit.counted:,} + late {audit.late:,} + dead letters "
        f"{audit.dead_lettered:,}   {'balanced' if audit.balanced else 'NOT balanced'}"
    )
    console.rule("what was promised", align="left")
    for check in checks:
        mark = "[green]held  [/green]" if check.held else "[bold red]BROKEN[/bold red]"
        console.print(f"{mark} {check.promise} [dim]({check.found})[/dim]", highlight=False)
    console.print(f"\n[dim]{taken(story.seconds)}; details in {summary_path}[/dim]", highlight=False)
    console.print("What to try next:")
    for command, what in _NEXT.items():
        console.print(f"  {command:26} {what}", highlight=False)


def taken(seconds: dict[str, float]) -> str:
    """Where the time went, in one line; servers and training run side by side inside the setup."""
    parts = [f"{name} {seconds[name]:.0f} s" for name in _PARTS if name in seconds]
    beside = f"servers {seconds['servers']:.0f} s beside training {seconds['training']:.0f} s"
    setup = f"setup {seconds['setup']:.0f} s ({beside})"
    return f"{seconds['all']:.0f} s in all: {', '.join([setup, *parts])}"
