"""The live view of the demo in the terminal, and its final tables. Draws a Story; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from contracts.reports import DriftReport
from demo.alert_view import alert_line, print_alerts
from demo.loop_view import newest_windows, print_loop
from demo.promise import Expectation
from demo.story import Story
from demo.verdict import Audit

_SHOWN_FEATURES = 4
_PARTS = ("first act", "second act", "last windows", "stop")

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
    print_alerts(console, story, alerts_path)
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
