"""Events of a file, replayed in their order as one source partition. Pure.

No clock stamped them, so none is held against them: nothing is ancient or in the future, and time passes by the events'
own times alone. The end of the file ends every window, as a pause of the traffic would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from stream_app.replay.counting import CountedPartition, Portion, rest
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.outcome import Totals
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import Limits
from stream_app.windowing.forever import FOREVER
from stream_app.windowing.tumbling import WindowConfig

NO_LIMITS = Limits(max_future_ms=1 << 60, max_age_ms=1 << 60)


class FileReplay:
    """The replay of lines, or of rows. baselines: by digest."""

    def __init__(self, windows: WindowConfig, baselines: Mapping[str, Baseline], judges: Judges) -> None:
        self._judges = judges
        self._counter = CountedPartition(0, windows, baselines)
        self.totals = Totals()
        self.refused: list[DeadLetter] = []

    def count(self, portions: Iterable[Portion]) -> list[Verdict]:
        """Events behind those counted before."""
        for portion in portions:
            self.refused += self._counter.count(portion, self.totals)
        return self._hand_on()

    def end(self) -> list[Verdict]:
        """The file has ended, and with it every window."""
        self._counter.idle(FOREVER)
        return self._hand_on()

    def rest(self) -> list[Closing]:
        """What is in no report. Ends the replay."""
        return rest([self._counter], self._judges)

    def _hand_on(self) -> list[Verdict]:
        """The windows that are over: those that the only partition there is has passed."""
        finals = self._counter.finals()
        return self._judges.hear(finals, [self._counter.partition.heartbeat(0, 1, False)])
