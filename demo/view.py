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
from demo.story import Delivered, Story
from demo.verdict import Audit, Expectation, delay

_SHOWN_FEATURES = 4
_SHOWN_CAUSES = 3

HARMLESS_PAGES = (
    "harmless: hardly moves the model's answers; by default that pages nobody, the demo sets STREAM_PAGE_HARMLESS=true."
)


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
        if story.reports:
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
    for number in sorted(story.reports)[-(last or len(story.reports)) :]:
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
    return f"webhook: {seen.alert.transition} ({seen.alert.severity}) after window {window}: {features}{suffix}"


def causes_table(alerts: Sequence[DriftAlert]) -> Table:
    """The first causes of each alert, with the change of the mean score to expect; of a resolve its summary."""
    table = Table(box=None, pad_edge=False)
    table.add_column("alert", no_wrap=True)
    table.add_column("likely cause", overflow="fold")
    table.add_column("expected", no_wrap=True)
    for alert in alerts:
        name: str = alert.transition
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
    console.rule("windows", align="left")
    console.print(windows_table(story))
    console.rule("alerts delivered to the webhook, signatures verified", align="left")
    table = Table(box=None, pad_edge=False)
    for column in ("alert", "severity", "features, strongest first", "delay in events", "in seconds"):
        table.add_column(column, justify="right" if column.startswith(("delay", "in ")) else "left")
    for seen in story.alerts:
        phase = story.phase_of(story.number(seen.alert.window_start))
        events, seconds = delay(story, phase, seen) if phase and phase.name in story.began else (0, 0.0)
        features = ", ".join(feature.feature for feature in seen.alert.features)
        table.add_row(seen.alert.transition, seen.alert.severity, features, f"{events:,}", f"{seconds:.1f}")
    console.print(table)
    console.print("[dim]delay: from the first drifted event to the webhook; a window holds 1,000 events.[/dim]")
    if any(seen.alert.severity == "harmless" for seen in story.alerts):
        console.print(HARMLESS_PAGES, style="dim", highlight=False)
    console.rule("what the alerts say", align="left")
    console.print(causes_table([seen.alert for seen in story.alerts]))
    console.print(Text(f"each alert whole, with its summary: {alerts_path}", style="dim"), soft_wrap=True)
    console.rule("accounts", align="left")
    answered = len(story.tally.answered)
    console.print(
        f"answered {answered:,} = counted {audit.counted:,} + late {audit.late:,} + dead letters "
        f"{audit.dead_lettered:,}   {'balanced' if audit.balanced else 'NOT balanced'}"
    )
    console.rule("what was promised", align="left")
    for check in checks:
        mark = "[green]held  [/green]" if check.held else "[bold red]BROKEN[/bold red]"
        console.print(f"{mark} {check.promise} [dim]({check.found})[/dim]", highlight=False)
    console.print(f"\n[dim]{taken(story.seconds)}; details in {summary_path}[/dim]", highlight=False)
    console.print("What to try next:")
    console.print("  make demo DATA=payments    the same plot on synthetic card payments", highlight=False)
    console.print(
        "  make up                    the stack stays up: send your own requests to its URLs", highlight=False
    )
    console.print("  make bench BENCH=quiet     how often a quiet window alarms, over 200 seeds", highlight=False)


def taken(seconds: dict[str, float]) -> str:
    """Where the time went, in one line; servers and training run side by side inside the setup."""
    parts = [f"{name} {seconds[name]:.0f} s" for name in ("traffic", "last windows", "stop") if name in seconds]
    beside = f"servers {seconds['servers']:.0f} s beside training {seconds['training']:.0f} s"
    setup = f"setup {seconds['setup']:.0f} s ({beside})"
    return f"{seconds['all']:.0f} s in all: {', '.join([setup, *parts])}"
