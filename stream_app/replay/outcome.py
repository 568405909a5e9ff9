"""Outcome: the lines of a replay as they come, and at the end its comparison and its summary, for people too.
Pure.

The accounts must balance, as those of a worker do:

read = counted + late + repeats + refused
counted = rows in reports + late at the merge + rows of cut windows + rows of windows still open
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from contracts.dead_letters import DeadLetter
from contracts.times import moment
from stream_app.replay.comparison import Findings, feature_alarms
from stream_app.replay.judging import Judges, Plan, Verdict
from stream_app.replay.lines import ComparisonLine, CutLine, Line, SummaryLine, lines_of
from stream_app.replay.refusals import Place, Refusals
from stream_app.replay.spelling import spelt
from stream_app.windowing.closing import Closing
from stream_app.windowing.typed import Version

_AMPLE = 1.5
"""Rows that a window should have on average, in multiples of those it needs."""
_LATE_SHARE = 0.1
"""Of the rows of a file, so many that come late are a sign of its order, and not of some events."""
_LENGTHS = (60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0, 31 * 86400.0)


class Totals:
    """What became of everything that a replay has read so far. refused: by reason."""

    def __init__(self) -> None:
        self.read = self.counted = self.late = self.repeats = 0
        self.refused: Counter[str] = Counter()


class Replay(Protocol):
    """A replay of any source. refused: letters that nobody has taken out yet."""

    totals: Totals
    refused: list[DeadLetter]

    def rest(self) -> list[Closing]: ...


class Outcome:
    """Gathers what there is to say. names: of the plan's judgements; one, or two to be compared. place: what a record
    is named by.
    """

    def __init__(
        self, replay: Replay, judges: Judges, names: Sequence[str], plan: Plan, place: Place = "offset"
    ) -> None:
        self._replay, self._judges, self._plan = replay, judges, plan
        self.judged = tuple(Findings(name) for name in names)
        self.refusals = Refusals(place)
        self._versions: set[Version] = set()

    def lines(self, verdicts: Iterable[Verdict]) -> list[Line]:
        """What came of the last step: refused records, then windows."""
        found: list[Line] = [self.refusals.add(letter) for letter in self._replay.refused]
        self._replay.refused.clear()
        for verdict in verdicts:
            self.judged[verdict.judge].add(verdict)
            self._versions.add((verdict.report.model, verdict.report.version))
            found += lines_of(verdict)
        return found

    def cut(self) -> list[CutLine]:
        """The windows that are left out."""
        return [
            CutLine(model, version, moment(start), rows)
            for (model, version, start), rows in sorted(self._judges.cut.items(), key=lambda item: item[0][::-1])
        ]

    def comparison(self) -> ComparisonLine | None:
        """The two judgements side by side; None where there is one only."""
        if len(self.judged) == 1:
            return None
        asked, compared = self.judged
        return ComparisonLine(
            asked.figures, compared.figures, feature_alarms(asked, compared), asked.differences(compared)
        )

    def summary(self, *, complete: bool) -> SummaryLine:
        """The accounts. Ends the replay: what is still open is closed to be counted."""
        totals, judged, rule = self._replay.totals, self.judged[0], self._plan.judgements[0].rule
        rest, late_at_merge, figures = self._replay.rest(), self._judges.late_rows, judged.figures
        self._versions |= {(closing.model, closing.version) for closing in rest}
        self._versions |= {(model, version) for model, version, _ in self._judges.cut}
        cut_rows, open_rows = sum(self._judges.cut.values()), sum(closing.rows for closing in rest)
        explained = judged.rows + late_at_merge + cut_rows + open_rows
        read = totals.counted + totals.late + totals.repeats + totals.refused.total()
        return SummaryLine(
            complete=complete,
            balanced=totals.read == read and totals.counted == explained,
            read=totals.read,
            counted=totals.counted,
            late=totals.late,
            repeats=totals.repeats,
            refused=dict(sorted(totals.refused.items())),
            windows=figures.windows,
            insufficient=judged.insufficient,
            alarms=figures.alarms,
            pages=figures.pages,
            reported_rows=judged.rows,
            late_at_merge=late_at_merge,
            cut_windows=len(self._judges.cut),
            cut_rows=cut_rows,
            open_windows=len(rest),
            open_rows=open_rows,
            window_seconds=self._plan.windows.size_ms / 1000,
            lateness_seconds=self._plan.windows.lateness_ms / 1000,
            preset=rule.name,
            n_min=rule.n_min,
        )

    def without_events(self, baselines: Iterable[Version]) -> list[str]:
        """Baselines that were given and judged nothing. To be asked behind summary()."""
        counted = ", ".join("/".join(version) for version in sorted(self._versions)) or "none"
        return [
            f"--baseline for {'/'.join(version)}: no event of that version was counted; counted were {counted}"
            for version in sorted(set(baselines) - self._versions)
        ]


def summary_text(summary: SummaryLine, *, sortable: bool = False) -> list[str]:
    """The accounts and what was found. sortable: of a file that was counted in its own order."""
    refused = sum(summary.refused.values())
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in summary.refused.items())
    elsewhere = [
        (summary.late_at_merge, "late at the merge"),
        (summary.cut_rows, f"in {summary.cut_windows:,} cut windows"),
        (summary.open_rows, f"in {summary.open_windows:,} open windows"),
    ]
    return [
        f"with     --window {spelt(summary.window_seconds)} --lateness {spelt(summary.lateness_seconds)} "
        f"--preset {summary.preset} --n-min {summary.n_min}",
        f"read     {summary.read:,} = counted {summary.counted:,} + late {summary.late:,} + repeats "
        f"{summary.repeats:,} + refused {refused:,}" + (f" ({reasons})" if reasons else ""),
        *(_order(summary) if sortable else ()),
        f"counted  {summary.counted:,} = {summary.reported_rows:,} in reports"
        + "".join(f" + {rows:,} {where}" for rows, where in elsewhere if rows),
        f"windows  {summary.windows:,}: too thin to compare {summary.insufficient:,}, with an alarm {summary.alarms:,}",
        *_advice(summary),
        f"pages    {summary.pages:,}",
        ("balanced" if summary.balanced else "DOES NOT BALANCE: this is a fault of the replay, please report it")
        + ("" if summary.complete else "; interrupted before the end: these are the accounts up to then"),
    ]


def _order(summary: SummaryLine) -> list[str]:
    """Where many rows were late: a file that holds one partition after the other, for example."""
    if summary.late < _LATE_SHARE * summary.read or not summary.late:
        return []
    return [
        f"         {summary.late:,} rows were late: is the file in the order of its times? With --sort it is counted "
        "in that order"
    ]


def _advice(summary: SummaryLine) -> list[str]:
    """A longer window, where most are too thin."""
    if 2 * summary.insufficient <= summary.windows or not summary.reported_rows:
        return []
    needed = summary.window_seconds * summary.windows / summary.reported_rows * summary.n_min * _AMPLE
    longer = next((seconds for seconds in _LENGTHS if seconds >= needed), _LENGTHS[-1])
    if longer <= summary.window_seconds:
        return []
    return [
        f"         most of them are too thin: a window has {summary.reported_rows / summary.windows:,.1f} rows on "
        f"average and needs {summary.n_min:,}; try --window {spelt(longer)}"
    ]
