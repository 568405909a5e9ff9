"""Drive: take a version through its rollout: look at what the topics say, ask the policy, do what it says, say why.

The state is in MLflow (contracts.rollout) and the evidence on the topics, so whoever is started after a crash goes on
where the former stopped. Two at once do no harm: both read the same, and a promotion has one winner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.times import milliseconds
from contracts.topics import MODEL_EVENTS, PERFORMANCE, PREDICTIONS
from training.errors import PublishError, RegistryError
from training.promotion.change import Tools
from training.registry.registered import Registered
from training.rollout.acts import Ended
from training.rollout.course import Course
from training.rollout.policy import Move, decide
from training.rollout.watched import Watched
from training.rollout.wishes import Wishes
from training.topics.following import Follow, following
from training.topics.model_events import ModelEvents

_LOOK_SECONDS = 0.5
_MARKS_SECONDS = 2.0
_AWAY_SECONDS = 2.0


class Drive:
    """Of one version of one model. broken: what is wrong with the data now, "" for nothing, as whoever listens to
    alerts knows it. follow: opens the topics; away_seconds: between two tries while MLflow or Kafka is away.
    """

    def __init__(
        self,
        registered: Registered,
        events: ModelEvents,
        tools: Tools,
        wishes: Wishes,
        broken: Callable[[], str] = lambda: "",
        follow: Follow = following,
        away_seconds: float = _AWAY_SECONDS,
    ) -> None:
        self._course = Course(registered, events, tools, wishes)
        self._events, self._tools, self._wishes = events, tools, wishes
        self._broken, self._follow, self._away_seconds = broken, follow, away_seconds

    async def run(self, version: str) -> Ended:
        """Until the version is the champion or is not on its way any more. While it goes, a registry or a broker that
        is away is waited for.

        Raises PromotionError where it may not begin; RegistryError, PublishError: it has not begun.
        """
        watched = await asyncio.to_thread(self._course.found, version)
        if isinstance(watched, Ended):
            return watched
        since = milliseconds(watched.rollout.since)
        beginnings = ((PREDICTIONS, since), (MODEL_EVENTS, since), (PERFORMANCE, None))
        async with self._follow(self._events.bootstrap, self._events.topic_prefix, beginnings) as topics:
            await asyncio.to_thread(self._course.begin)
            looked: float | None = None
            acted: Move | None = None
            while True:
                for topic, record in await topics.take(_LOOK_SECONDS):
                    watched.add(topic, record.value or b"", record.timestamp)
                if not await topics.caught_up():
                    continue
                move = self._decided(watched)
                due = looked is None or self._tools.seconds() - looked >= _MARKS_SECONDS
                # a person or another's claim may be waited for, for days, while records come all the time
                if not due and (move.kind == "hold" or move.same(acted)):
                    continue
                looked, acted = self._tools.seconds(), move
                try:
                    ended = await asyncio.to_thread(self._course.act, watched, move)
                except (RegistryError, PublishError) as error:  # an alias that moved all the same is seen next time
                    self._course.say_once(f"{error}; it is tried again")
                    await asyncio.sleep(self._away_seconds)
                    looked = None
                    continue
                if ended is not None:
                    return ended

    def end(self, version: str, reason: str, *, clear: bool = False) -> None:
        """As Course.end."""
        self._course.end(version, reason, clear=clear)

    def _decided(self, watched: Watched) -> Move:
        seconds = (self._tools.now() - watched.rollout.since).total_seconds()
        broken = self._broken()
        if broken:
            whom = f"{watched.model}/{watched.rollout.version}"
            self._course.say_once(f"{whom} goes no further until the data is repaired: {broken}")
        seen = (watched.challenger, watched.champion, seconds)
        wishes, paces = self._wishes, watched.latencies.paces
        return decide(watched.rollout, *seen, wishes.steps, wishes.limits, watched.performance, broken, paces)
