"""The steps of a file's replay: JSON Lines line by line, CSV and Parquet by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from stream_app.errors import ReplayError
from stream_app.replay import topic
from stream_app.replay.fitting import check_fit
from stream_app.replay.jsonl import read_lines
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.known import ALWAYS, KnownBaselines
from stream_app.replay.request import Request
from stream_app.replay.unclocked import LineReplay, TableReplay


class FileSource:
    """A file whose replay has not begun. empty: what to say when nothing is in it."""

    def __init__(self, request: Request, path: Path, known: KnownBaselines) -> None:
        self._request, self._path = request, path
        self._baselines, _ = known.at(ALWAYS)
        self.judges = Judges(request.plan.judgements, known.by_digest)
        self.replay: LineReplay | TableReplay
        self.empty = f"{path} holds no event"
        if request.is_table:
            self.replay, self._steps = self._table()
        else:
            self.replay, self._steps = self._lines()

    @classmethod
    async def opened(cls, request: Request, path: Path, say: Callable[[str], None]) -> Self:
        """With the baselines given, or else those of the topic. Raises StreamError."""
        changes = []
        if request.ask_broker:
            existing = await topic.topics(request.settings, say)
            changes = await topic.baseline_changes(request.settings, existing, say)
        known = KnownBaselines(changes, given=request.baselines)
        if not known.versions:
            raise ReplayError(f"the topic `baselines` at {request.settings.bootstrap} is empty: give --baseline FILE")
        return cls(request, path, known)

    def steps(self) -> Iterator[list[Verdict]]:
        """What each step found; the last is the end of the file. Raises ReplayError."""
        return self._steps

    def _lines(self) -> tuple[LineReplay, Iterator[list[Verdict]]]:
        replay = LineReplay(self._request.plan, self._baselines, self.judges)

        def steps() -> Iterator[list[Verdict]]:
            unchecked = True
            for lines in read_lines(self._path, sort=self._request.sort):
                if unchecked:
                    check_fit((line.value for line in lines), self._request.baselines)
                    unchecked = False
                yield replay.count(lines)
            yield replay.end()

        return replay, steps()

    def _table(self) -> tuple[TableReplay, Iterator[list[Verdict]]]:
        try:
            from stream_app.replay.layout import Layout
            from stream_app.replay.rows import TableRows
        except ModuleNotFoundError as error:
            raise ReplayError(f"CSV and Parquet need pyarrow: pip install 'tidemark[replay]' ({error})") from error
        asked = self._request
        layout = Layout(columns=asked.columns, model=asked.model, version=asked.model_version, assume_utc=asked.utc)
        rows = TableRows(self._path, layout, self._baselines)
        replay = TableReplay(asked.plan, self.judges)

        def steps() -> Iterator[list[Verdict]]:
            for stretch in rows.stretches(sort=asked.sort):
                yield replay.count(stretch)
            yield replay.end()

        return replay, steps()
