"""Outcome: the lines of a replay as they come, and at the end its comparison and its summary, for people too.
Pure.

The accounts must balance, as those of a worker do:

read = counted + late + repeats + refused
counted = rows in reports + late at the merge + rows of cut windows + rows of windows still open
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from contracts.dead_letters import DeadLetter
from contracts.times import moment
from stream_app.replay.comparison import Findings, feature_alarms
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.lines import ComparisonLine, CutLine, Line, SummaryLine, lines_of, refused_line
from stream_app.windowing.closing import Closing


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
    """Gathers what there is to say. names: of the judgements; one, or two to be compared."""

    def __init__(self, replay: Replay, judges: Judges, names: Sequence[str]) -> None:
        self._replay, self._judges = replay, judges
        self.judged = tuple(Findings(name) for name in names)
        self.first_refused: dict[str, DeadLetter] = {}
        """By reason."""

    def lines(self, verdicts: Iterable[Verdict]) -> list[Line]:
        """What came of the last step: refused records, then windows."""
        found: list[Line] = [refused_line(letter) for letter in self._replay.refused]
        for letter in self._replay.refused:
            self.first_refused.setdefault(letter.reason, letter)
        self._replay.refused.clear()
        for verdict in verdicts:
            self.judged[verdict.judge].add(verdict)
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
        totals, judged = self._replay.totals, self.judged[0]
        rest, late_at_merge, figures = self._replay.rest(), self._judges.late_rows, judged.figures
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
        )


def refused_text(first: Mapping[str, DeadLetter]) -> list[str]:
    """An example of each reason."""
    return [f"refused  {reason}, first {letter.id}: {letter.detail}" for reason, letter in sorted(first.items())]


def summary_text(summary: SummaryLine) -> list[str]:
    """The accounts and what was found."""
    refused = sum(summary.refused.values())
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in summary.refused.items())
    elsewhere = [
        (summary.late_at_merge, "late at the merge"),
        (summary.cut_rows, f"in {summary.cut_windows:,} cut windows"),
        (summary.open_rows, f"in {summary.open_windows:,} open windows"),
    ]
    return [
        f"read     {summary.read:,} = counted {summary.counted:,} + late {summary.late:,} + repeats "
        f"{summary.repeats:,} + refused {refused:,}" + (f" ({reasons})" if reasons else ""),
        f"counted  {summary.counted:,} = {summary.reported_rows:,} in reports"
        + "".join(f" + {rows:,} {where}" for rows, where in elsewhere if rows),
        f"windows  {summary.windows:,}: too thin to compare {summary.insufficient:,}, with an alarm {summary.alarms:,}",
        f"pages    {summary.pages:,}",
        ("balanced" if summary.balanced else "DOES NOT BALANCE: this is a fault of the replay, please report it")
        + ("" if summary.complete else "; interrupted, so not all was read"),
    ]
