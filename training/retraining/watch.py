"""Watch: follow the topics, and retrain when the policy says so. One process for a model; of two, one is at a
retraining and the other one lets it be.

While a retraining is at work the topics are listened to on: data that breaks meanwhile holds its rollout up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from contracts.alerts import DriftAlert, decode_alert
from contracts.errors import InvalidMessage
from contracts.model_events import ModelEvent, decode_model_event
from contracts.performance import PerformanceReport, decode_performance
from contracts.reports import DriftReport, decode_report
from contracts.topics import DRIFT_ALERTS, DRIFT_REPORTS, MODEL_EVENTS, PERFORMANCE, Topic
from training.data.span import Span, merged
from training.errors import PromotionError, PublishError, RegistryError
from training.retraining.hands import Hands
from training.retraining.known import Known, hear_alert, hear_model_event, hear_performance, hear_report
from training.retraining.policy import Decision, Rules, broken_words, decide
from training.retraining.shelf import Outcome, Work
from training.retraining.work import go_on, new_work
from training.rollout.course import in_the_way
from training.topics.following import Follow, Following, following

_LOOK_SECONDS = 0.5
_MARKS_SECONDS = 15.0
_RETRY_SECONDS = (1.0, 60.0)
_TOPICS = (MODEL_EVENTS, DRIFT_ALERTS, DRIFT_REPORTS, PERFORMANCE)
Message = ModelEvent | DriftAlert | DriftReport | PerformanceReport
Until = Callable[[Outcome | None], bool]


class Watch:
    """Of one model. told: of every new decision, also of those to wait. follow: opens the topics. retry: seconds before
    the first try again, and at most, while MLflow or Kafka is away.
    """

    def __init__(
        self,
        hands: Hands,
        rules: Rules,
        told: Callable[[Decision], None],
        follow: Follow = following,
        retry: tuple[float, float] = _RETRY_SECONDS,
    ) -> None:
        self._hands, self._rules, self._told, self._follow, self._retry = hands, rules, told, follow, retry
        self._model = hands.registered.model
        self._said: Decision | None = None
        self._broken = ""

    async def run(self, until: Until) -> None:
        """Until `until` says so; it is given how a retraining ended, or None. A registry or a broker that is away is
        waited for. Raises TrainingError for what waiting does not mend.
        """
        pause = self._retry[0]
        while True:
            try:
                if await self._watched(until):
                    return
                pause = self._retry[0]
            except (RegistryError, PublishError) as error:
                self._hands.say(f"{error}; next try in {pause:g} s")
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._retry[1])

    async def _watched(self, until: Until) -> bool:
        """From the beginning of the topics to the next retraining, or the next champion: then all is heard anew. What
        was cut short goes on first.
        """
        events, everything = self._hands.events, [(topic, None) for topic in _TOPICS]
        async with self._follow(events.bootstrap, events.topic_prefix, everything) as topics:
            known = await self._known(topics)
            version, looked = known.version, self._hands.tools.seconds()
            left_to_others: datetime | None = None
            beside = ""  # what a retraining could not be rolled out beside
            for work in await asyncio.to_thread(self._hands.shelf.unfinished, self._model):
                self._hands.say(f"retraining {work.id} was cut short: it goes on")
                outcome, known = await self._at_work(_without_broken(work, known), topics, known)
                if outcome is not None:
                    return until(outcome)
            while known.version == version:
                decision = decide(known, self._rules)
                wanted = decision.kind == "retrain" and known.heard != left_to_others
                if (wanted and not beside) or self._hands.tools.seconds() - looked > _MARKS_SECONDS:
                    looked = self._hands.tools.seconds()
                    marks = await asyncio.to_thread(self._hands.registered.marks)
                    beside = in_the_way(self._model, marks)
                    if marks.champion != version:  # an alias may be moved without a word
                        break
                if wanted and beside:
                    decision = replace(decision, kind="held", reason=f"{decision.reason}; but {beside}")
                self._say(decision)
                if decision.kind == "retrain" and wanted and known.heard is not None:
                    left_to_others = known.heard
                    words = str(decision.trigger), decision.reason, known.heard, decision.leave_out
                    work = new_work(self._model, version, *words)
                    outcome, known = await self._at_work(work, topics, known)
                    if outcome is not None:
                        return until(outcome)
                if until(None):
                    return True
                known = await self._heard(topics, known)
        return False

    async def _known(self, topics: Following) -> Known:
        """Of what was there before. Which version the champion is comes first. Of a window's performance there may be
        a revision for each label: only the newest is kept.
        """
        steps: list[Message] = []
        others: list[Message] = []
        windows: dict[tuple[str, datetime], PerformanceReport] = {}
        async for topic, record in topics.held():
            for message in _read(topic, record):
                if message.model != self._model:
                    continue
                if isinstance(message, PerformanceReport):
                    newest = windows.setdefault((message.version, message.window_start), message)
                    if newest.revision < message.revision:
                        windows[message.version, message.window_start] = message
                else:
                    (steps if isinstance(message, ModelEvent) else others).append(message)
        marks = await asyncio.to_thread(self._hands.registered.marks)
        if marks.champion is None:
            raise PromotionError(f"{self._model} has no champion to watch: `python -m training promote VERSION`")
        known = _hear(Known(model=self._model, version=marks.champion), steps)
        # the alias is the truth: it may have been moved by hand, or without Kafka
        return _hear(replace(known, version=marks.champion), [*others, *windows.values()])

    async def _at_work(self, work: Work, topics: Following, known: Known) -> tuple[Outcome | None, Known]:
        """Listening meanwhile."""
        self._broken = broken_words(known)
        going = asyncio.create_task(asyncio.to_thread(go_on, self._hands, work, lambda: self._broken))
        while not going.done():
            try:
                known = await self._heard(topics, known)
            except PublishError as error:  # what the data is like is not known any more: it stays as it was
                self._hands.say(f"{error}; the retraining goes on")
                break
            self._broken = broken_words(known)
        return await going, known

    async def _heard(self, topics: Following, known: Known) -> Known:
        taken = await topics.take(_LOOK_SECONDS)
        return _hear(known, [message for topic, record in taken for message in _read(topic, record)])

    def _say(self, decision: Decision) -> None:
        if decision != self._said:
            self._said = decision
            self._told(decision)


def _without_broken(work: Work, known: Known) -> Work:
    """What was found to be broken since it was decided is not collected either."""
    found = [
        Span(one.start, min(one.end or work.heard, work.heard)) for one in known.left_out if one.start < work.heard
    ]
    return replace(work, leave_out=merged([*work.leave_out, *found]))


def _read(topic: Topic, record: ConsumerRecord) -> list[Message]:
    """None or one. What cannot be read was not written by us: it decides nothing."""
    data = record.value or b""
    try:
        if topic is MODEL_EVENTS:
            return [decode_model_event(data)]
        if topic is DRIFT_ALERTS:
            return [decode_alert(data)]
        # months of reports are kept until all topics are read: only what is heard of them
        if topic is PERFORMANCE:
            return [replace(decode_performance(data), metrics=(), degraded=(), partitions={}, notes=())]
        report = decode_report(data)
        return [replace(report, features=tuple(one for one in report.features if one.cause), partitions={}, notes=())]
    except InvalidMessage:
        return []


def _hear(known: Known, messages: list[Message]) -> Known:
    for message in messages:
        match message:
            case ModelEvent():
                known = hear_model_event(known, message)
            case DriftAlert():
                known = hear_alert(known, message)
            case DriftReport():
                known = hear_report(known, message)
            case PerformanceReport():  # together, below
                pass
    return hear_performance(known, *(one for one in messages if isinstance(one, PerformanceReport)))
