"""Feed: the rows of the second act in their order, each window's labels when they are due."""

from __future__ import annotations

from datetime import datetime

from demo.batches import Answer, Batches
from demo.errors import DemoError
from demo.loop import Loop
from demo.scenario import LABEL_WINDOWS, event_times
from demo.story import Story
from demo.traffic import bodies
from training.data.description import Description


class Feed:
    """Of one act. The demo's clock goes on with each row and stands still between them."""

    def __init__(self, story: Story, loop: Loop, description: Description, api: Batches) -> None:
        self._story, self._loop, self._api = story, loop, api
        act = loop.act
        times = event_times(self._start(0), story.plan.window / act.rows_per_window, len(act.rows))
        self._bodies = list(bodies(act.rows, description, times))
        self._truths: list[int] = act.rows[str(description.label)].tolist()
        self._answers: list[Answer] = []
        self._labelled = 0
        self._before = story.windows * story.plan.rows_per_window

    @property
    def left(self) -> int:
        """Rows that are still to be sent."""
        return len(self._bodies) - len(self._answers)

    async def send(self, rows: int) -> None:
        """So many more, or what is left, and then the labels that are due. Raises DemoError."""
        first = len(self._answers)
        wanted = self._bodies[first : first + rows]
        answers = await self._api.predict(wanted)
        if len(answers) < len(wanted):
            raise DemoError(f"the API did not answer: {self._story.tally.first_refusal[:300]}")
        self._answers += answers
        self._loop.sent = len(self._answers)
        self._story.sent = self._before + self._loop.sent
        size = self._loop.act.rows_per_window
        await self._label((self._loop.sent // size - LABEL_WINDOWS) * size)

    async def window(self) -> None:
        """What is left of the window that is being sent, or a whole one."""
        size = self._loop.act.rows_per_window
        await self.send(size - self._loop.sent % size)

    async def end(self) -> None:
        """The labels that have not come yet."""
        await self._label(len(self._answers))

    async def _label(self, until: int) -> None:
        """All rows up to there, each window's with the moment at which its labels are due."""
        size = self._loop.act.rows_per_window
        while self._labelled < until:
            window = self._labelled // size
            upto = min(until, (window + 1) * size)
            known = self._start(window + 1 + LABEL_WINDOWS)
            await self._api.label(self._answers[self._labelled : upto], self._truths[self._labelled : upto], known)
            self._labelled = upto
            self._loop.labels = self._api.labels

    def _start(self, window: int) -> datetime:
        return self._story.start + (self._loop.phase.first + window) * self._story.plan.window
