"""Work: one retraining from data to champion: collect, train, gate, rollout. Each step is put down before the next.

Whoever is started after a crash goes on behind the last step that was put down. A step that was cut short is done
again: collecting begins anew, training registers another version, the gates judge again, a rollout goes on where it is.
A step that a crash cut short ATTEMPTS times is not tried again. (A rollout takes days, and any restart of the process
cuts it short: it is not counted.)
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from contracts.errors import ContractError
from contracts.model_events import ModelEvent, ModelEventKind
from training.collecting.told import collected_event
from training.data.span import Span, span_text
from training.errors import PublishError, RegistryError, TrainingError
from training.promotion.change import Details
from training.reports.gate_words import summary
from training.retraining.hands import Hands
from training.retraining.shelf import Outcome, Work
from training.rollout.acts import last_of

ATTEMPTS = 3
Broken = Callable[[], str]


def new_work(
    model: str, champion: str, trigger: str, reason: str, heard: datetime, leave_out: tuple[Span, ...] = ()
) -> Work:
    """A retraining for this champion; `go_on` puts it down. Two that decide alike make the same one."""
    id_ = f"{model}-{champion}-{heard:%Y%m%dT%H%M%S}"
    return Work(
        id=id_, model=model, champion=champion, trigger=trigger, reason=reason, heard=heard, leave_out=leave_out
    )


def go_on(hands: Hands, work: Work, broken: Broken = lambda: "") -> Outcome | None:
    """Do what is left of it, and say how it ended. Blocks for as long as the rollout takes. None: another process is at
    it, or has ended it. broken: what is wrong with the data now, "" for nothing; the rollout waits meanwhile.

    What cannot be done (an error of a step) ends it, and is told; a registry or a broker that is away raises
    RegistryError or PublishError, and it can be gone on with.
    """
    with hands.shelf.held(work.id) as mine:
        found = hands.shelf.taken_up(work) if mine else None
        if found is None:
            hands.say(f"retraining {work.id}: another process {'has ended it' if mine else 'is at it'}")
            return None
        _tell(hands, "retraining-decided", found, found.champion, found.reason, _decided(found))
        if found.outcome is None:
            found = _done(hands, found, broken)
        return _ended(hands, found)


def _done(hands: Hands, work: Work, broken: Broken) -> Work:
    try:
        outcome = _steps(hands, work, broken)
    except (RegistryError, PublishError):
        raise
    except (TrainingError, ContractError) as error:
        outcome = Outcome("failed", str(error))
    except Exception as error:  # a bug would come back with each restart, so it ends here, where people see it
        outcome = Outcome("failed", _unexpected(error))
    work = hands.shelf.now(work)
    if outcome.how in ("failed", "abandoned") and work.version is not None:
        hands.take_out(work.version, outcome.reason)
    return hands.shelf.put(replace(work, outcome=outcome))


def _steps(hands: Hands, work: Work, broken: Broken) -> Outcome:
    if (other := _overtaken(hands, work)) is not None:
        return other
    data = hands.shelf.data(work)
    for step, is_done, do in (
        ("collect", work.data is not None, _collected),
        ("train", work.version is not None, _trained),
        ("gate", work.gated, _gated),
    ):
        if is_done:
            continue
        if work.step == step and work.attempts >= ATTEMPTS:
            return Outcome(
                "abandoned",
                f"{step} was begun {ATTEMPTS} times and cut short each time: was it killed, has it too little memory?",
            )
        # counted before it begins: who is killed cannot count
        attempts = work.attempts + 1 if work.step == step else 1
        begun = hands.shelf.put(replace(work, step=step, attempts=attempts))
        try:
            after = do(hands, begun, data)
        except (RegistryError, PublishError):  # an outage is no fault of the step: it counts as not begun
            hands.shelf.put(work)
            raise
        if isinstance(after, Outcome):
            return after
        work = hands.shelf.put(after)
    ended = hands.roll_out(str(work.version), broken)
    return Outcome(ended.how, ended.reason)


def _overtaken(hands: Hands, work: Work) -> Outcome | None:
    """What happened while nobody was at it."""
    marks = hands.registered.marks()
    rollout = marks.rollout
    if work.version is not None and marks.champion == work.version:
        if work.gated and rollout is not None and rollout.version == work.version:  # its drive tidies up
            return None
        return Outcome("promoted", "it had become the champion before this process began")
    if marks.champion != work.champion:
        return Outcome("abandoned", f"the champion is {marks.champion or 'none'} now, it was {work.champion}")
    if work.version is None:
        return None
    last = last_of(hands.events.read(work.model), work.version)
    if last is not None and last.kind == "promoted":
        return Outcome("abandoned", f"{last.by} made {work.version} the champion, and {work.champion} is it again")
    if rollout is not None and rollout.version == work.version:
        return None
    return Outcome("ended", last.reason) if last is not None and last.kind == "rollout-ended" else None


def _collected(hands: Hands, work: Work, data: Path) -> Work:
    hands.say(f"collect: predictions of {work.model} with their labels, up to {work.heard:%Y-%m-%dT%H:%M:%SZ}")
    found = hands.collect(work, data)
    hands.say(
        f"collected {found.labelled:,} labelled predictions of {found.predictions:,}, {found.left_out:,} left out, "
        f"{found.incomplete:,} in windows whose labels are not complete; {found.rows:,} rows"
    )
    # told before it is put down: after a crash in between, what is collected anew is told anew, if it is something else
    hands.events.write(
        collected_event(
            found,
            id_=f"collected/{work.id}/{found.digest}",
            at=hands.tools.now(),
            champion=work.champion,
            by=hands.by,
            work=work.id,
        )
    )
    return replace(work, data=found.digest, first=found.first)


def _trained(hands: Hands, work: Work, data: Path) -> Work:
    hands.say(f"train: {work.model} on {data}")
    version = hands.train(work, data)
    hands.say(f"trained {work.model}/{version}")
    return replace(work, version=version)


def _gated(hands: Hands, work: Work, _: Path) -> Work | Outcome:
    hands.say(f"gates: {work.model}/{work.version}")
    report = hands.gate(str(work.version))
    hands.say(summary(report))
    return replace(work, gated=True) if report.may_go_on else Outcome("refused", summary(report))


def _ended(hands: Hands, work: Work) -> Outcome:
    outcome = work.outcome
    if outcome is None:
        raise TrainingError(f"retraining {work.id} has not ended")
    details: Details = {"work": work.id, "outcome": outcome.how, "data": work.data}
    _tell(hands, "retraining-ended", work, work.version or work.champion, outcome.reason, details)
    hands.shelf.finish(work)
    hands.say(f"retraining {work.id} {outcome.how}: {outcome.reason}")
    return outcome


def _tell(hands: Hands, kind: ModelEventKind, work: Work, version: str, reason: str, details: Details) -> None:
    """The same id when it is said again after a crash, by which readers know it."""
    hands.events.write(
        ModelEvent(
            id=f"{kind}/{work.id}",
            kind=kind,
            at=hands.tools.now(),
            model=work.model,
            version=version,
            by=hands.by,
            reason=reason,
            previous=work.champion,
            details=details,
        )
    )


def _unexpected(error: Exception) -> str:
    """One line that finds the bug."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__} in {Path(at.filename).name}, line {at.lineno}: {words}; please report this"


def _decided(work: Work) -> Details:
    spans = [span_text(span) for span in work.leave_out]
    return {"work": work.id, "trigger": work.trigger, "heard": work.heard.isoformat(), "leave_out": spans}
