"""Course: a version's rollout in MLflow and on `model-events`: where it stands, the next act, its promotion.

Every call looks first, since somebody else may have moved it. An act is the tag, then its event. When MLflow or Kafka
goes away in between, the act is kept, and the next call finishes it if the tag is as the act was to leave it.
"""

from __future__ import annotations

from contracts.errors import InvalidMessage
from contracts.rollout import ROLLOUT_TAG, Rollout, encode_rollout
from training.errors import Objected, PromotionError, PublishError
from training.promotion.change import Tools
from training.promotion.claims import CLAIM_SECONDS
from training.promotion.objection import objection
from training.promotion.promoting import promote
from training.registry.registered import Marks, Registered
from training.reports.gate_files import kept_report
from training.rollout.acts import Act, Acts, Ended, where
from training.rollout.policy import Move
from training.rollout.watched import Watched
from training.rollout.wishes import Wishes
from training.topics.model_events import ModelEvents

UNTOLD = "it was taken out, and whoever did so could not say why; begin it anew if it is to go on"


class Course:
    """Of one version of one model."""

    def __init__(self, registered: Registered, events: ModelEvents, tools: Tools, wishes: Wishes) -> None:
        self._registered, self._events, self._tools, self._wishes = registered, events, tools, wishes
        self._acts = Acts(registered.model, wishes.by, tools.now)
        self._first: Act | None = None
        self._unfinished: Act | None = None
        self._not_before: float | None = None
        self._tried = False
        self._said = ""

    def found(self, version: str) -> Watched | Ended:
        """What to watch: a rollout that was begun goes on, else it is to begin. Only what a former process could not
        finish is changed. Raises PromotionError where it may not begin; RegistryError, PublishError.
        """
        model, marks = self._registered.model, self._registered.marks()
        wanted = self._registered.find(version)
        if marks.champion is None:
            raise PromotionError(f"{model} has no champion to compare with: `python -m training promote {version}`")
        rollout = marks.rollout
        if rollout is not None and rollout.version == marks.champion:  # its promotion could not tidy up
            self._registered.set_model_tag(ROLLOUT_TAG, "")
            if marks.champion == wanted.version:
                return Ended("promoted", "it had become the champion already")
            rollout = None
        if marks.champion == wanted.version:
            raise PromotionError(f"{model}/{version} is the champion already")
        if rollout is not None and rollout.version != wanted.version:
            raise PromotionError(in_the_way(model, marks))
        if rollout is not None:
            self._unfinished = self._acts.go_on(rollout, marks.champion)
            return Watched(model, marks.champion, rollout)
        if (lost := self._acts.lost(self._events.read(model), wanted.version, UNTOLD)) is not None:
            self._told(lost)
            return Ended("ended", UNTOLD)
        refused = objection(kept_report(self._registered, wanted), wanted.version, marks.champion)
        if refused is not None:
            raise PromotionError(refused)
        rollout = Rollout(version=wanted.version, stage="shadow", since=self._tools.now())
        self._first = self._acts.change(rollout, marks.champion, "the gates let it through")
        return Watched(model, marks.champion, rollout)

    def begin(self) -> None:
        """Set the tag of what is to begin; the first `act` tells of it. Raises RegistryError."""
        if self._first is not None:
            self._unfinished = self._first
            self._set_tag(self._first)

    def act(self, watched: Watched, move: Move) -> Ended | None:
        """Do it, unless somebody else was here. Raises RegistryError and PublishError: then again, after a while."""
        marks = self._registered.marks()
        if self._unfinished is not None and marks.rollout == self._unfinished.rollout:
            return self._finished(self._unfinished, watched)
        self._unfinished = None
        rollout, champion = watched.rollout, watched.champion_version
        if (over := self._overtaken(marks, watched)) is not None:
            return over
        if move.kind == "end":
            return self._take(self._acts.out(rollout, champion, Ended("ended", move.reason)), watched)
        last = move.kind == "promote" or (move.kind == "canary" and move.share >= 100)
        if last and self._wishes.approve == "manual":
            model, stays = self._registered.model, "stays " * (rollout.stage == "shadow") + where(rollout)
            self.say_once(
                f"{model}/{rollout.version}: {move.reason}; it {stays} until a person decides: "
                f"`python -m training promote {rollout.version}`"
            )
        elif move.kind == "canary":
            next_ = Rollout(version=rollout.version, stage="canary", since=self._tools.now(), share=move.share)
            return self._take(self._acts.change(next_, champion, move.reason), watched)
        elif move.kind == "promote":
            return self._promoted(watched, move.reason)
        return None

    def end(self, version: str, reason: str, *, clear: bool = False) -> None:
        """Take the version out: the champion answers everybody from now on. clear: and a tag that cannot be read.

        Raises PromotionError, RegistryError, InvalidMessage; PublishError: it is out, but that could not be said.
        """
        marks, model = self._registered.marks(), self._registered.model
        try:
            rollout, unreadable = marks.rollout, False
        except InvalidMessage:
            if not clear:
                raise
            rollout, unreadable = None, True
            self._registered.set_model_tag(ROLLOUT_TAG, "")
            self._wishes.say(f"the tag {ROLLOUT_TAG} of {model} was no rollout: it is taken away")
        if rollout is not None and rollout.version == version:
            act = self._acts.out(rollout, marks.champion, Ended("ended", reason))
            self._set_tag(act)
        elif rollout is None and (lost := self._acts.lost(self._events.read(model), version, reason)) is not None:
            act = lost
        elif unreadable:  # nobody was told of a rollout
            return
        else:
            raise PromotionError(f"version {version} of {model} is not on its way")
        try:
            self._told(act)
        except PublishError as error:
            raise PublishError(
                f"{model}/{version} is out, but no event says so: give the same command again: {error}"
            ) from error

    def say_once(self, line: str) -> None:
        """Unless it was the last thing that was said."""
        if line != self._said:
            self._said = line
            self._wishes.say(line)

    def _promoted(self, watched: Watched, reason: str) -> Ended | None:
        if self._not_before is not None and self._tools.seconds() < self._not_before:
            return None
        rollout = watched.rollout
        what = (self._registered, self._events, self._tools, rollout.version)
        self._tried = True
        try:
            done = promote(*what, by=self._wishes.by, reason=reason, override=False)
        except Objected as error:
            return self._take(self._acts.out(rollout, watched.champion_version, Ended("ended", str(error))), watched)
        except (
            PromotionError
        ) as error:  # a claim is held: by somebody who is at it, or by us where its end is not known
            self._tried = False
            self._not_before = self._tools.seconds() + CLAIM_SECONDS
            self.say_once(f"{error}; it stays where it is, and is tried again after {CLAIM_SECONDS} s")
            return None
        for remark in done.remarks:
            self._wishes.say(remark)
        return Ended("promoted", reason)

    def _overtaken(self, marks: Marks, watched: Watched) -> Ended | None:
        """What somebody else did to the rollout. Nobody watches it any more then, so it is taken out."""
        now, rollout, champion = marks.rollout, watched.rollout, watched.champion_version
        if marks.champion == rollout.version:
            if now == rollout:
                self._registered.set_model_tag(ROLLOUT_TAG, "")
            by_us = "it became the champion while MLflow or Kafka was away"
            return Ended("promoted", by_us if self._tried else "somebody promoted it")
        if marks.champion != champion:
            reason = f"the champion is {marks.champion or 'none'} now, it was {champion}: somebody else moved it"
            over = Ended("overtaken", reason)
            return self._take(self._acts.out(rollout, marks.champion, over), watched) if now == rollout else over
        if now != rollout:
            return Ended("overtaken", f"somebody else {'ended' if now is None else 'changed'} the rollout")
        return None

    def _take(self, act: Act, watched: Watched) -> Ended | None:
        self._unfinished = act  # before the tag: when MLflow goes away, nobody knows whether it is set
        self._set_tag(act)
        return self._finished(act, watched)

    def _finished(self, act: Act, watched: Watched) -> Ended | None:
        self._unfinished = act
        if act.rollout is not None and act.rollout != watched.rollout:
            watched.begin(act.rollout)
        self._told(act)
        self._unfinished = None
        return act.ended

    def _set_tag(self, act: Act) -> None:
        self._registered.set_model_tag(ROLLOUT_TAG, "" if act.rollout is None else encode_rollout(act.rollout))

    def _told(self, act: Act) -> None:
        self._events.write(act.event)
        self._wishes.say(act.line)


def in_the_way(model: str, marks: Marks) -> str:
    """What no other rollout can begin beside, one sentence; "" for nothing."""
    try:
        rollout = marks.rollout
    except InvalidMessage as error:
        return str(error)
    if rollout is None or rollout.version == marks.champion:  # a promotion that could not tidy up
        return ""
    return (
        f"version {rollout.version} of {model} is on its way ({rollout.stage}): let it end, or end it with "
        f"`python -m training rollout {rollout.version} --end --reason TEXT`"
    )
