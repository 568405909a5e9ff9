"""Drive: take a version through its rollout: look at what the topics say, ask the policy, do what it says, say why.

The state is in MLflow (contracts.rollout) and the evidence on the topics, so whoever is started after a crash goes on
where the former stopped. Two at once do no harm: both read the same, and a promotion has one winner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiokafka import ConsumerRecord

from contracts.errors import InvalidEvent, InvalidMessage
from contracts.events import decode_envelope
from contracts.model_events import ModelEvent, ModelEventKind, decode_model_event
from contracts.performance import decode_performance
from contracts.rollout import ROLLOUT_TAG, Rollout, decode_rollout, encode_rollout
from contracts.times import milliseconds
from contracts.topics import MODEL_EVENTS, PERFORMANCE, PREDICTIONS, Topic
from training.errors import PromotionError
from training.following import following
from training.gate_files import kept_report
from training.model_events import ModelEvents
from training.promoting import promote
from training.promotion_change import Details, Tools
from training.promotion_gate import objection
from training.registered import Registered
from training.rollout.policy import Limits, Move, Steps, decide
from training.rollout.watched import Watched

_LOOK_SECONDS = 0.5
_MARKS_SECONDS = 2.0


@dataclass(frozen=True)
class Wishes:
    """by: who asks. approve: manual: at the end wait for a person's `promote`. say: told of each step, one line."""

    steps: Steps
    limits: Limits
    by: str
    approve: Literal["auto", "manual"]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How it ended. reason: one sentence."""

    how: Literal["promoted", "ended", "waits", "overtaken"]
    reason: str


class Drive:
    """Of one version of one model."""

    def __init__(self, registered: Registered, events: ModelEvents, tools: Tools, wishes: Wishes) -> None:
        self._registered, self._events, self._tools, self._wishes = registered, events, tools, wishes

    async def run(self, version: str) -> Ended:
        """Until the version is the champion or is not on its way any more.

        Raises PromotionError where it may not begin; RegistryError, PublishError: the rollout stays where it is.
        """
        champion, rollout = await asyncio.to_thread(self._begun, version)
        since = milliseconds(rollout.since)
        beginnings = ((PREDICTIONS, since), (MODEL_EVENTS, since), (PERFORMANCE, None))
        watched = Watched(self._registered.model, champion, rollout)
        async with following(self._events.bootstrap, self._events.topic_prefix, beginnings) as topics:
            looked = self._tools.seconds()
            while True:
                for topic, record in await topics.take(_LOOK_SECONDS):
                    _take(watched, topic, record)
                if self._tools.seconds() - looked >= _MARKS_SECONDS:
                    looked = self._tools.seconds()
                    if (overtaken := await asyncio.to_thread(self._overtaken, watched.rollout, champion)) is not None:
                        return Ended("overtaken", overtaken)
                if not await topics.caught_up():
                    continue
                ended = await asyncio.to_thread(self._act, watched, champion, self._decided(watched))
                if ended is not None:
                    return ended

    def _begun(self, version: str) -> tuple[str, Rollout]:
        """The champion, and the rollout as it is now: one that was begun goes on."""
        model, marks = self._registered.model, self._registered.marks()
        wanted = self._registered.find(version)
        if marks.champion is None:
            raise PromotionError(f"{model} has no champion to compare with: `python -m training promote {version}`")
        if marks.champion == wanted.version:
            raise PromotionError(f"{model}/{version} is the champion already")
        rollout = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        if rollout is not None and rollout.version != wanted.version:
            raise PromotionError(
                f"version {rollout.version} of {model} is on its way ({rollout.stage}): let it end, or end it with "
                f"`python -m training rollout {rollout.version} --end --reason TEXT`"
            )
        if rollout is not None:
            # whoever died between the tag and its event could not say it; who reads it twice knows it by its id
            self._tell(rollout, marks.champion, f"goes on {_where(rollout)}, since {rollout.since:%H:%M:%S} UTC")
            return marks.champion, rollout
        refused = objection(kept_report(self._registered, wanted), wanted.version, marks.champion)
        if refused is not None:
            raise PromotionError(refused)
        rollout = Rollout(version=wanted.version, stage="shadow", since=self._tools.now())
        self._change(rollout, marks.champion, "the gates let it through")
        return marks.champion, rollout

    def _decided(self, watched: Watched) -> Move:
        seconds = (self._tools.now() - watched.rollout.since).total_seconds()
        seen = watched.challenger, watched.champion, seconds
        return decide(watched.rollout, *seen, self._wishes.steps, self._wishes.limits, watched.performance)

    def _act(self, watched: Watched, champion: str, move: Move) -> Ended | None:
        if move.kind == "hold":
            return None
        version = watched.rollout.version
        if move.kind == "canary":
            rollout = Rollout(version=version, stage="canary", since=self._tools.now(), share=move.share)
            self._change(rollout, champion, move.reason)
            watched.begin(rollout)
            return None
        if move.kind == "end":
            self.end(version, move.reason)
            return Ended("ended", move.reason)
        if self._wishes.approve == "manual":
            return Ended("waits", f"{move.reason}; a person decides: `python -m training promote {version}`")
        done = promote(
            *(self._registered, self._events, self._tools, version),
            by=self._wishes.by,
            reason=move.reason,
            override=False,
        )
        for remark in done.remarks:
            self._wishes.say(remark)
        return Ended("promoted", move.reason)

    def end(self, version: str, reason: str) -> None:
        """Take the version out: the champion answers everybody from now on. Raises PromotionError, RegistryError."""
        marks = self._registered.marks()
        rollout = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        if rollout is None or rollout.version != version:
            raise PromotionError(f"version {version} of {self._registered.model} is not on its way")
        self._registered.set_model_tag(ROLLOUT_TAG, "")
        self._write("rollout-ended", version, marks.champion, reason, {"stage": rollout.stage, "share": rollout.share})
        self._wishes.say(f"{self._registered.model}/{version} is out: {reason}")

    def _overtaken(self, rollout: Rollout, champion: str) -> str | None:
        marks = self._registered.marks()
        if marks.champion != champion:
            return f"the champion is {marks.champion or 'none'} now, it was {champion}: somebody else moved it"
        now = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        if now != rollout:
            return "somebody else changed the rollout" if now is not None else "somebody else ended the rollout"
        return None

    def _change(self, rollout: Rollout, champion: str, reason: str) -> None:
        self._registered.set_model_tag(ROLLOUT_TAG, encode_rollout(rollout))
        self._tell(rollout, champion, f"{_where(rollout)}: {reason}")

    def _tell(self, rollout: Rollout, champion: str, words: str) -> None:
        details: Details = {"stage": rollout.stage, "share": rollout.share}
        id_ = f"rollout/{self._registered.model}/{rollout.version}/{rollout.since.isoformat()}"
        self._write("rollout-changed", rollout.version, champion, words, details, id_)
        self._wishes.say(f"{self._registered.model}/{rollout.version} {words}")

    def _write(
        self,
        kind: ModelEventKind,
        version: str,
        champion: str | None,
        reason: str,
        details: Details,
        id_: str | None = None,
    ) -> None:
        self._events.write(
            ModelEvent(
                id=id_ or self._tools.new_id(),
                kind=kind,
                at=self._tools.now(),
                model=self._registered.model,
                version=version,
                by=self._wishes.by,
                reason=reason,
                previous=champion,
                details=details,
            )
        )


def _where(rollout: Rollout) -> str:
    return "in shadow" if rollout.stage == "shadow" else f"answers {rollout.share:g} % of the entities"


def _take(watched: Watched, topic: Topic, record: ConsumerRecord) -> None:
    """What cannot be read is for the readers whose work it is: they keep dead letters."""
    try:
        if topic is PREDICTIONS:
            watched.add_event(decode_envelope(record.value or b""), record.timestamp)
        elif topic is MODEL_EVENTS:
            watched.add_model_event(decode_model_event(record.value or b""), record.timestamp)
        else:
            watched.add_performance(decode_performance(record.value or b""))
    except (InvalidEvent, InvalidMessage):
        return
