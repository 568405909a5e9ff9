"""What the demo promised and whether it held: from a Story and the audit to expectations. Pure."""

from __future__ import annotations

import msgspec

from demo.causes import finds
from demo.datasets.dataset import TrueCause
from demo.loop_verdict import promises
from demo.promise import Expectation
from demo.scenario import Phase
from demo.story import Story

_PAGES = ("raise", "escalate")


class Audit(msgspec.Struct, frozen=True):
    """The accounts as the demo needs them. counted, late, dead_lettered: events, over all model versions."""

    counted: int
    late: int
    dead_lettered: int
    balanced: bool


class _Version(msgspec.Struct, frozen=True):
    counted: int
    late: int


class _Partition(msgspec.Struct, frozen=True):
    refused: dict[str, int]


class _Accounts(msgspec.Struct, frozen=True):
    versions: list[_Version]
    partitions: list[_Partition]


class _AuditLine(msgspec.Struct, frozen=True):
    balanced: bool
    accounts: _Accounts


def read_audit(line: str) -> Audit:
    """What `python -m stream_app audit --json` printed. Raises msgspec.MsgspecError."""
    found = msgspec.json.decode(line, type=_AuditLine)
    return Audit(
        counted=sum(version.counted for version in found.accounts.versions),
        late=sum(version.late for version in found.accounts.versions),
        dead_lettered=sum(sum(partition.refused.values()) for partition in found.accounts.partitions),
        balanced=found.balanced,
    )


def expectations(story: Story, audit: Audit) -> tuple[Expectation, ...]:
    """Every promise of the demo, in the order of the plot."""
    first = [report for number, report in story.reports.items() if number < story.windows]
    exact = sum(report.rows == story.plan.rows_per_window for report in first)
    pages = [seen for seen in story.alerts_of(story.quiet) if seen.alert.transition != "resolve"]
    raw = raw_quiet_alarms(story)
    alarms = f"{raw} windows with an alarm, which alone pages nobody" if raw else "and no window alarms"
    checks = [
        Expectation(
            f"each of {story.windows} windows is reported with exactly {story.plan.rows_per_window:,} events",
            exact == len(first) == story.windows,
            f"{exact} of {len(first)} reports exact",
        ),
        Expectation("nobody is paged in the quiet phase", not pages, f"{len(pages)} pages, {alarms}"),
        Expectation("a worker was killed with SIGKILL and came back", bool(story.kill), story.kill or "it was not"),
    ]
    checks += [_paged(story, phase) for phase in story.phases if phase.blames]
    checks += [_caused(story, phase, phase.cause) for phase in story.phases if phase.cause]
    shadowed = 0
    if story.loop is not None:
        checks += promises(story, story.loop)
        shadowed = story.loop.shadowed
    answered, counted = len(story.tally.answered), audit.counted + audit.late + audit.dead_lettered
    shadow = f" + {shadowed:,} scored in shadow" if shadowed else ""
    checks.append(
        Expectation(
            "every answered prediction is accounted for, and every label"
            if story.loop
            else "every answered prediction is accounted for",
            audit.balanced and answered + shadowed == counted,
            f"{answered:,} answered{shadow} = {audit.counted:,} counted + {audit.late:,} late "
            f"+ {audit.dead_lettered:,} dead letters",
        )
    )
    return tuple(checks)


def _paged(story: Story, phase: Phase) -> Expectation:
    """The page of an episode: at its second window, and it names the culprit first (or all of several)."""
    second = phase.first + 1
    pages = [seen for seen in story.alerts_of(phase) if seen.alert.transition in _PAGES]
    promise = f"{phase.name}: the page comes at its second window and names {', '.join(phase.blames)}"
    if not pages:
        return Expectation(promise, False, "no page")
    first = pages[0]
    named = [feature.feature for feature in first.alert.features]
    at_second = story.number(first.alert.window_start) == second
    # a single cause must come first; of several, each must be there
    blamed = set(phase.blames) <= set(named) and (len(phase.blames) > 2 or named[0] in phase.blames)
    window = story.number(first.alert.window_start) - phase.first + 1
    return Expectation(promise, at_second and blamed, f"window {window}: {', '.join(named)}")


def _caused(story: Story, phase: Phase, true: TrueCause) -> Expectation:
    """The first page of an episode says what really happened."""
    truth = f"{true.feature} times {true.factor:.4g} in {100 * true.share:.0f} % of the rows"
    promise = f"{phase.name}: the alert names the cause, {truth}"
    pages = [seen.alert for seen in story.alerts_of(phase) if seen.alert.transition in _PAGES]
    held, found = finds(pages[0], true) if pages else (False, "no page")
    return Expectation(promise, held, found)


def raw_quiet_alarms(story: Story) -> int:
    """Quiet windows in which something alarmed without paging."""
    return sum(story.reports[n].status == "alarm" for n in story.quiet.window_numbers if n in story.reports)
