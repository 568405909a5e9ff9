"""The steps of a file's replay: JSON Lines line by line, CSV and Parquet by column."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Self

from stream_app.errors import ReplayError
from stream_app.replay import topic
from stream_app.replay.counting import Portion
from stream_app.replay.jsonl import line_portions, read_lines
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.known import ALWAYS, KnownBaselines, check_fit
from stream_app.replay.refusals import Place
from stream_app.replay.request import Request
from stream_app.replay.unclocked import FileReplay


class FileSource:
    """A file whose replay has not begun. empty: what to say when nothing is in it. at_end: all has been counted.

    sortable: it is counted in its own order, which --sort would change.
    """

    def __init__(self, request: Request, path: Path, known: KnownBaselines) -> None:
        self._request, self._path = request, path
        self._baselines, _ = known.at(ALWAYS)
        self.judges = Judges(request.plan.judgements, known.by_digest, mutes=request.mutes or ())
        self.replay = FileReplay(request.plan.windows, known.by_digest, self.judges)
        self.empty = f"{path} holds no event"
        self.place: Place = "row" if request.is_table else "line"
        self.at_end, self.sortable = False, not request.sort
        self._portions = self._of_table() if request.is_table else self._of_lines()

    @classmethod
    async def opened(cls, request: Request, path: Path, say: Callable[[str], None]) -> Self:
        """With the baselines given, or else those of the topic. Raises StreamError."""
        changes = []
        if request.ask_broker:
            async with topic.topics(request.settings, say) as existing:
                changes = await topic.baseline_changes(request.settings, existing, say)
        known = KnownBaselines(changes, given=request.baselines)
        if not known.versions:
            raise ReplayError(f"the topic `baselines` at {request.settings.bootstrap} is empty: give --baseline FILE")
        return cls(request, path, known)

    def steps(self) -> Generator[list[Verdict], None, None]:
        """What each step found; the last is the end of the file. To be closed. Raises ReplayError."""
        with closing(self._portions) as portions:
            for portion in portions:
                yield self.replay.count(portion)
        found = self.replay.end()
        self.at_end = True
        yield found

    def _of_lines(self) -> Generator[list[Portion], None, None]:
        unchecked = True
        for lines in read_lines(self._path, sort=self._request.sort):
            if unchecked:
                check_fit((line.value for line in lines), self._request.baselines)
                unchecked = False
            yield line_portions(lines, self._baselines)

    def _of_table(self) -> Generator[list[Portion], None, None]:
        """Raises ReplayError at once, not at the first step, when the table does not fit."""
        try:
            from stream_app.replay.table.layout import Layout
            from stream_app.replay.table.rows import TableRows
        except ModuleNotFoundError as error:
            raise ReplayError(
                f"CSV and Parquet need pyarrow: pip install -r requirements/replay.txt, in the repository ({error})"
            ) from error
        asked = self._request
        layout = Layout(columns=asked.columns, model=asked.model, version=asked.model_version, assume_utc=asked.utc)
        rows = TableRows(self._path, layout, self._baselines)

        def portions() -> Generator[list[Portion], None, None]:
            with closing(rows.portions(sort=asked.sort)) as found:
                for portion in found:
                    yield [portion]

        return portions()
