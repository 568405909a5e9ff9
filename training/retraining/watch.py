"""Watch: follow the topics, and retrain when the policy says so. One process for a model; a second one does no harm to
the champion (a promotion has one winner), but it trains twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from contracts.alerts import decode_alert
from contracts.errors import InvalidMessage
from contracts.model_events import decode_model_event
from contracts.performance import decode_performance
from contracts.topics import DRIFT_ALERTS, MODEL_EVENTS, PERFORMANCE, Topic
from training.errors import PromotionError
from training.following import following
from training.retraining.known import Known, hear_alert, hear_model_event, hear_performance
from training.retraining.policy import Decision, Rules, decide
from training.retraining.work import Outcome, Workshop, begin, go_on, new_work, unfinished

_LOOK_SECONDS = 0.5
_TOPICS = (MODEL_EVENTS, DRIFT_ALERTS, PERFORMANCE)
"""In the order in which what was there before is heard: which version the champion is comes first."""


class Watch:
    """Of one model. told: of every new decision, also of those to wait."""

    def __init__(self, shop: Workshop, rules: Rules, told: Callable[[Decision], None]) -> None:
        self._shop, self._rules, self._told = shop, rules, told
        self._model = shop.registered.model
        self._said: Decision | None = None

    async def run(self, until: Callable[[Outcome | None], bool]) -> None:
        """Until `until` says so; it is given how a retraining ended, or None. Raises TrainingError."""
        for work in unfinished(self._shop, self._model):
            self._shop.say(f"retraining {work.id} was cut short: it goes on")
            if until(await asyncio.to_thread(go_on, self._shop, work)):
                return
        while True:
            if await self._watched(until):
                return

    async def _watched(self, until: Callable[[Outcome | None], bool]) -> bool:
        """From the beginning of the topics up to the next retraining, which tells most things anew."""
        shop = self._shop
        async with following(
            shop.events.bootstrap, shop.events.topic_prefix, [(topic, None) for topic in _TOPICS]
        ) as topics:
            before: list[tuple[Topic, ConsumerRecord]] = []
            while not await topics.caught_up():
                before += await topics.take(_LOOK_SECONDS)
            known = await self._known(before)
            while True:
                decision = decide(known, self._rules)
                self._say(decision)
                if decision.kind == "retrain" and known.heard is not None:
                    return until(await self._retrain(known, decision))
                if until(None):
                    return True
                for topic, record in await topics.take(_LOOK_SECONDS):
                    known = _hear(known, topic, record)

    async def _known(self, records: list[tuple[Topic, ConsumerRecord]]) -> Known:
        marks = await asyncio.to_thread(self._shop.registered.marks)
        if marks.champion is None:
            raise PromotionError(f"{self._model} has no champion to watch: `python -m training promote VERSION`")
        known = Known(model=self._model, version=marks.champion)
        steps = [(topic, record) for topic, record in records if topic is MODEL_EVENTS]
        for topic, record in steps:
            known = _hear(known, topic, record)
        # the alias is the truth: it may have been moved by hand, or without Kafka
        known = replace(known, version=marks.champion)
        for wanted in _TOPICS[1:]:
            for topic, record in records:
                if topic is wanted:
                    known = _hear(known, topic, record)
        return known

    async def _retrain(self, known: Known, decision: Decision) -> Outcome:
        shop, heard = self._shop, known.heard
        if heard is None or decision.trigger is None:
            raise ValueError("a decision to retrain has a trigger, and was heard at some time")
        work = await asyncio.to_thread(
            lambda: new_work(shop, str(decision.trigger), decision.reason, heard, decision.leave_out)
        )
        await asyncio.to_thread(begin, shop, work)
        return await asyncio.to_thread(go_on, shop, work)

    def _say(self, decision: Decision) -> None:
        if decision != self._said:
            self._said = decision
            self._told(decision)


def _hear(known: Known, topic: Topic, record: ConsumerRecord) -> Known:
    """What cannot be read was not written by us: it decides nothing."""
    data = record.value or b""
    try:
        if topic is MODEL_EVENTS:
            return hear_model_event(known, decode_model_event(data))
        if topic is DRIFT_ALERTS:
            return hear_alert(known, decode_alert(data))
        return hear_performance(known, decode_performance(data))
    except InvalidMessage:
        return known
