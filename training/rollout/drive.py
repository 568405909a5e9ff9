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
from training.errors import PromotionError, PublishError, RegistryError
from training.promotion.change import Details, Tools
from training.promotion.objection import objection
from training.promotion.promoting import promote
from training.registry.registered import Registered
from training.reports.gate_files import kept_report
from training.rollout.policy import Limits, Move, Steps, decide
from training.rollout.watched import Watched
from training.topics.following import following
from training.topics.model_events import ModelEvents

_LOOK_SECONDS = 0.5
_MARKS_SECONDS = 2.0
_AWAY_SECONDS = 2.0


@dataclass(frozen=True)
class Wishes:
    """by: who asks. approve: manual: before everybody is answered, and before it is the champion, a person's `promote`
    is waited for. say: told of each step, one line.
    """

    steps: Steps
    limits: Limits
    by: str
    approve: Literal["auto", "manual"]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How it ended. reason: one sentence."""

    how: Literal["promoted", "ended", "overtaken"]
    reason: str


class Drive:
    """Of one version of one model."""

    def __init__(self, registered: Registered, events: ModelEvents, tools: Tools, wishes: Wishes) -> None:
        self._registered, self._events, self._tools, self._wishes = registered, events, tools, wishes
        self._told = ""

    async def run(self, version: str) -> Ended:
        """Until the version is the champion or is not on its way any more. While it goes, a registry or a broker that
        is away is waited for.

        Raises PromotionError where it may not begin; RegistryError, PublishError: it has not begun.
        """
        champion, rollout = await asyncio.to_thread(self._begun, version)
        watched = Watched(self._registered.model, champion, rollout)
        since = milliseconds(rollout.since)
        before = since - round(1000 * max(self._wishes.steps.seconds, self._wishes.steps.shadow_seconds))
        beginnings = ((PREDICTIONS, before), (MODEL_EVENTS, since), (PERFORMANCE, None))
        async with following(self._events.bootstrap, self._events.topic_prefix, beginnings) as topics:
            looked = self._tools.seconds()
            while True:
                for topic, record in await topics.take(_LOOK_SECONDS):
                    _take(watched, topic, record)
                if not await topics.caught_up():
                    continue
                move = self._decided(watched)
                due = self._tools.seconds() - looked >= _MARKS_SECONDS
                if move.kind == "hold" and not due:
                    continue
                looked = self._tools.seconds()
                try:
                    ended = await asyncio.to_thread(self._act, watched, champion, move)
                except (RegistryError, PublishError) as error:  # an alias that moved all the same is seen next time
                    self._say_once(f"{error}; it is tried again")
                    await asyncio.sleep(_AWAY_SECONDS)
                    continue
                if ended is not None:
                    return ended

    def end(self, version: str, reason: str) -> None:
        """Take the version out: the champion answers everybody from now on. Raises PromotionError, RegistryError."""
        marks = self._registered.marks()
        rollout = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        if rollout is None or rollout.version != version:
            raise PromotionError(f"version {version} of {self._registered.model} is not on its way")
        self._out(rollout, marks.champion, reason)

    def _begun(self, version: str) -> tuple[str, Rollout]:
        """The champion, and the rollout as it is now: one that was begun goes on."""
        model, marks = self._registered.model, self._registered.marks()
        wanted = self._registered.find(version)
        if marks.champion is None:
            raise PromotionError(f"{model} has no champion to compare with: `python -m training promote {version}`")
        if marks.champion == wanted.version:
            raise PromotionError(f"{model}/{version} is the champion already")
        rollout = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        if rollout is not None and rollout.version == marks.champion:  # its promotion could not tidy up
            rollout = None
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
        """Look first: somebody else may have ended it meanwhile."""
        rollout = watched.rollout
        if (over := self._overtaken(rollout, champion)) is not None:
            return over
        if move.kind == "end":
            self._out(rollout, champion, move.reason)
            return Ended("ended", move.reason)
        last = move.kind == "promote" or (move.kind == "canary" and move.share >= 100)
        if move.kind == "hold" or (last and self._wishes.approve == "manual"):
            if last:
                model = self._registered.model
                self._say_once(
                    f"{model}/{rollout.version}: {move.reason}; it {_stays(rollout)} until a person decides: "
                    f"`python -m training promote {rollout.version}`"
                )
            return None
        if move.kind == "canary":
            next_ = Rollout(version=rollout.version, stage="canary", since=self._tools.now(), share=move.share)
            self._change(next_, champion, move.reason)
            watched.begin(next_)
            return None
        return self._promoted(rollout, champion, move.reason)

    def _promoted(self, rollout: Rollout, champion: str, reason: str) -> Ended:
        try:
            done = promote(
                *(self._registered, self._events, self._tools, rollout.version),
                by=self._wishes.by,
                reason=reason,
                override=False,
            )
        except PromotionError as error:
            self._out(rollout, champion, str(error))
            return Ended("ended", str(error))
        for remark in done.remarks:
            self._wishes.say(remark)
        return Ended("promoted", reason)

    def _overtaken(self, rollout: Rollout, champion: str) -> Ended | None:
        """What somebody else did to the rollout. Nobody watches it any more then, so it is taken out."""
        marks = self._registered.marks()
        now = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        if marks.champion == rollout.version:
            if now == rollout:
                self._registered.set_model_tag(ROLLOUT_TAG, "")
            return Ended("promoted", "somebody promoted it")
        if marks.champion != champion:
            reason = f"the champion is {marks.champion or 'none'} now, it was {champion}: somebody else moved it"
            if now == rollout:
                self._out(rollout, marks.champion, reason)
            return Ended("overtaken", reason)
        if now != rollout:
            return Ended(
                "overtaken", "somebody else " + ("ended the rollout" if now is None else "changed the rollout")
            )
        return None

    def _out(self, rollout: Rollout, champion: str | None, reason: str) -> None:
        self._registered.set_model_tag(ROLLOUT_TAG, "")
        details: Details = {"stage": rollout.stage, "share": rollout.share}
        self._write(
            "rollout-ended", rollout.version, champion, reason, details, f"rollout-ended/{_name(self, rollout)}"
        )
        self._wishes.say(f"{self._registered.model}/{rollout.version} is out: {reason}")

    def _change(self, rollout: Rollout, champion: str, reason: str) -> None:
        self._registered.set_model_tag(ROLLOUT_TAG, encode_rollout(rollout))
        self._tell(rollout, champion, f"{_where(rollout)}: {reason}")

    def _tell(self, rollout: Rollout, champion: str, words: str) -> None:
        details: Details = {"stage": rollout.stage, "share": rollout.share}
        self._write("rollout-changed", rollout.version, champion, words, details, f"rollout/{_name(self, rollout)}")
        self._wishes.say(f"{self._registered.model}/{rollout.version} {words}")

    def _write(
        self, kind: ModelEventKind, version: str, champion: str | None, reason: str, details: Details, id_: str
    ) -> None:
        self._events.write(
            ModelEvent(
                id=id_,
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

    def _say_once(self, line: str) -> None:
        if line != self._told:
            self._told = line
            self._wishes.say(line)

    @property
    def model(self) -> str:
        """Whose version is on its way."""
        return self._registered.model


def _name(drive: Drive, rollout: Rollout) -> str:
    """Of one step of one rollout: an event that is written again after a crash has it again."""
    return f"{drive.model}/{rollout.version}/{rollout.since.isoformat()}"


def _stays(rollout: Rollout) -> str:
    return "stays in shadow" if rollout.stage == "shadow" else _where(rollout)


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
