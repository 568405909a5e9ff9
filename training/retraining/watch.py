"""Watch: follow the topics, and retrain when the policy says so. One process for a model; of two, one is at a
retraining and the other one lets it be.
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
from training.errors import PromotionError, PublishError, RegistryError
from training.retraining.known import Known, hear_alert, hear_model_event, hear_performance, hear_report
from training.retraining.policy import Decision, Rules, decide
from training.retraining.shelf import Outcome
from training.retraining.work import Workshop, go_on, new_work
from training.topics.following import following

_LOOK_SECONDS = 0.5
_MARKS_SECONDS = 15.0
_RETRY_SECONDS = (1.0, 60.0)
_TOPICS = (MODEL_EVENTS, DRIFT_ALERTS, DRIFT_REPORTS, PERFORMANCE)
"""In the order in which what was there before is heard: which version the champion is comes first."""
Message = ModelEvent | DriftAlert | DriftReport | PerformanceReport
Until = Callable[[Outcome | None], bool]


class Watch:
    """Of one model. told: of every new decision, also of those to wait."""

    def __init__(self, shop: Workshop, rules: Rules, told: Callable[[Decision], None]) -> None:
        self._shop, self._rules, self._told = shop, rules, told
        self._model = shop.registered.model
        self._said: Decision | None = None

    async def run(self, until: Until) -> None:
        """Until `until` says so; it is given how a retraining ended, or None. A registry or a broker that is away is
        waited for. Raises TrainingError for what waiting does not mend.
        """
        pause = _RETRY_SECONDS[0]
        while True:
            try:
                if await self._left_behind(until) or await self._watched(until):
                    return
                pause = _RETRY_SECONDS[0]
            except (RegistryError, PublishError) as error:
                self._shop.say(f"{error}; next try in {pause:g} s")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_SECONDS[1])

    async def _left_behind(self, until: Until) -> bool:
        for work in self._shop.shelf.unfinished(self._model):
            self._shop.say(f"retraining {work.id} was cut short: it goes on")
            if until(await asyncio.to_thread(go_on, self._shop, work)):
                return True
        return False

    async def _watched(self, until: Until) -> bool:
        """From the beginning of the topics to the next retraining, or the next champion: then all is heard anew."""
        events, everything = self._shop.events, [(topic, None) for topic in _TOPICS]
        async with following(events.bootstrap, events.topic_prefix, everything) as topics:
            before: dict[str, list[Message]] = {topic.name: [] for topic in _TOPICS}
            async for topic, record in topics.held():
                before[topic.name] += _read(topic, record)
            known = await self._known(before)
            version, looked = known.version, self._shop.tools.seconds()
            while known.version == version:
                decision = decide(known, self._rules)
                self._say(decision)
                if decision.kind == "retrain" and known.heard is not None:
                    return until(await self._retrain(known.heard, decision))
                if until(None):
                    return True
                for topic, record in await topics.take(_LOOK_SECONDS):
                    for message in _read(topic, record):
                        known = _hear(known, message)
                if self._shop.tools.seconds() - looked > _MARKS_SECONDS:  # an alias may be moved without a word
                    looked = self._shop.tools.seconds()
                    marks = await asyncio.to_thread(self._shop.registered.marks)
                    known = known if marks.champion == version else replace(known, version=marks.champion or "")
        return False

    async def _known(self, before: dict[str, list[Message]]) -> Known:
        marks = await asyncio.to_thread(self._shop.registered.marks)
        if marks.champion is None:
            raise PromotionError(f"{self._model} has no champion to watch: `python -m training promote VERSION`")
        known = Known(model=self._model, version=marks.champion)
        for message in before[MODEL_EVENTS.name]:
            known = _hear(known, message)
        # the alias is the truth: it may have been moved by hand, or without Kafka
        known = replace(known, version=marks.champion)
        for topic in _TOPICS[1:]:
            for message in before[topic.name]:
                known = _hear(known, message)
        return known

    async def _retrain(self, heard: datetime, decision: Decision) -> Outcome | None:
        words = str(decision.trigger), decision.reason, heard, decision.leave_out
        work = await asyncio.to_thread(new_work, self._shop, *words)
        return await asyncio.to_thread(go_on, self._shop, work)

    def _say(self, decision: Decision) -> None:
        if decision != self._said:
            self._said = decision
            self._told(decision)


def _read(topic: Topic, record: ConsumerRecord) -> list[Message]:
    """None or one. What cannot be read was not written by us: it decides nothing."""
    data = record.value or b""
    try:
        if topic is MODEL_EVENTS:
            return [decode_model_event(data)]
        if topic is DRIFT_ALERTS:
            return [decode_alert(data)]
        if topic is PERFORMANCE:
            return [decode_performance(data)]
        # months of reports are kept until all topics are read: only what is heard of them
        report = decode_report(data)
        return [replace(report, features=tuple(one for one in report.features if one.cause), partitions={}, notes=())]
    except InvalidMessage:
        return []


def _hear(known: Known, message: Message) -> Known:
    match message:
        case ModelEvent():
            return hear_model_event(known, message)
        case DriftAlert():
            return hear_alert(known, message)
        case DriftReport():
            return hear_report(known, message)
        case PerformanceReport():
            return hear_performance(known, message)
