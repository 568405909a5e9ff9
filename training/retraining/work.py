"""Work: one retraining from data to champion: collect, train, gate, rollout. Each step is put down before the next.

Whoever is started after a crash goes on behind the last step that was put down. A step that was cut short is done
again: collecting begins anew, training registers another version, the gates judge again, a rollout goes on where it is.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from contracts.errors import ContractError
from contracts.model_events import ModelEvent, ModelEventKind
from contracts.rollout import ROLLOUT_TAG, decode_rollout
from training.collecting.collect import Wish, collect
from training.collecting.told import collected_event, span_text
from training.data.span import Span
from training.errors import PromotionError, PublishError, RegistryError, TrainingError
from training.evaluation.record import EVALUATION_FILE, Evaluation
from training.gates.rules import Rules as GateRules
from training.making.asked import asked_by_config
from training.making.train import Plan, train
from training.promotion.change import Details, Tools
from training.registry.registered import CHALLENGER, Registered
from training.reports.gate_run import Wish as GateWish
from training.reports.gate_run import run_gates
from training.reports.gate_words import summary
from training.retraining.asked import asked_of
from training.retraining.shelf import Outcome, Shelf, Work
from training.rollout.drive import Drive
from training.rollout.wishes import Wishes
from training.topics.baselines import Publisher
from training.topics.model_events import ModelEvents

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Workshop:
    """What a retraining needs. config: a training.yaml. base: a data set whose rows come first, None: none.

    say: told of each step, one line.
    """

    registered: Registered
    events: ModelEvents
    publisher: Publisher
    tools: Tools
    config: Path
    gates: GateRules
    rollout: Wishes
    base: Path | None
    shelf: Shelf
    code_revision: str
    say: Callable[[str], None]


def new_work(shop: Workshop, trigger: str, reason: str, heard: datetime, leave_out: tuple[Span, ...] = ()) -> Work:
    """A retraining for the champion of this moment, put down. Raises PromotionError where there is no champion."""
    model, champion = shop.registered.model, shop.registered.marks().champion
    if champion is None:
        raise PromotionError(f"{model} has no champion: `python -m training promote VERSION`")
    return shop.shelf.put(
        Work(
            id=f"{model}-{champion}-{heard:%Y%m%dT%H%M%S}",
            model=model,
            champion=champion,
            trigger=trigger,
            reason=reason,
            heard=heard,
            leave_out=leave_out,
        )
    )


def go_on(shop: Workshop, work: Work) -> Outcome | None:
    """Do what is left of it, and say how it ended. Blocks for as long as the rollout takes. None: another process is at
    it.

    What cannot be done (an error of a step) ends it, and is told; a registry or a broker that is away raises
    RegistryError or PublishError, and it can be gone on with.
    """
    with shop.shelf.held(work) as mine:
        if not mine:
            shop.say(f"retraining {work.id}: another process is at it")
            return None
        _tell(shop, "retraining-decided", work, work.champion, work.reason, _decided(work))
        if work.outcome is None:
            try:
                work, outcome = _steps(shop, work)
            except (RegistryError, PublishError):
                raise
            except (TrainingError, ContractError) as error:
                work, outcome = shop.shelf.read(work.id) or work, Outcome("failed", str(error))
            work = shop.shelf.put(msgspec.structs.replace(work, outcome=outcome))
        return _ended(shop, work)


def _steps(shop: Workshop, work: Work) -> tuple[Work, Outcome]:
    if (other := _overtaken(shop, work)) is not None:
        return work, other
    if work.data is None:
        work = _collected(shop, work)
    if work.version is None:
        work = _trained(shop, work)
    if not work.gated:
        shop.say(f"gates: {work.model}/{work.version}")
        wish = GateWish(str(work.version), shop.gates, shop.rollout.by)
        report = run_gates(shop.registered, shop.events, wish, now=shop.tools.now(), event_id=shop.tools.new_id())
        shop.say(summary(report))
        if not report.may_go_on:
            return work, Outcome("refused", summary(report))
        work = shop.shelf.put(msgspec.structs.replace(work, gated=True))
    drive = Drive(shop.registered, shop.events, shop.tools, shop.rollout)
    ended = asyncio.run(drive.run(str(work.version)))
    return work, Outcome(ended.how, ended.reason)


def _overtaken(shop: Workshop, work: Work) -> Outcome | None:
    """What happened while nobody was at it."""
    marks = shop.registered.marks()
    if work.version is not None and marks.champion == work.version:
        return Outcome("promoted", "it had become the champion before this process began")
    if marks.champion != work.champion:
        return Outcome("abandoned", f"the champion is {marks.champion or 'none'} now, it was {work.champion}")
    if not work.gated:
        return None
    rollout = decode_rollout(marks.tags.get(ROLLOUT_TAG))
    if rollout is not None and rollout.version == work.version:
        return None
    steps = [step.event for step in shop.events.read(work.model)]
    if any(event.kind == "rollout-changed" and event.version == work.version for event in steps):
        return Outcome("ended", "it was taken out of its rollout while nobody was at it")
    return None


def _collected(shop: Workshop, work: Work) -> Work:
    folder = shop.shelf.data(work)
    shop.say(f"collect: predictions of {work.model} with their labels, up to {work.heard:%Y-%m-%dT%H:%M:%SZ}")
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut short
    schema = shop.registered.baseline(shop.registered.find(work.champion)).schema
    wish = Wish(work.model, schema, _BEGINNING, work.heard, work.leave_out, shop.base)
    found = asyncio.run(collect(wish, folder, shop.events.bootstrap, shop.events.topic_prefix))
    shop.say(
        f"collected {found.labelled:,} labelled predictions of {found.predictions:,}, {found.left_out:,} left out, "
        f"{found.incomplete:,} in windows whose labels are not complete; {found.rows:,} rows"
    )
    # told before it is put down: after a crash in between, what is collected anew is told anew, if it is something else
    shop.events.write(
        collected_event(
            found,
            id_=f"collected/{work.id}/{found.digest}",
            at=shop.tools.now(),
            champion=work.champion,
            by=shop.rollout.by,
            work=work.id,
        )
    )
    return shop.shelf.put(msgspec.structs.replace(work, data=found.digest, first=found.first))


def _trained(shop: Workshop, work: Work) -> Work:
    data = shop.shelf.data(work)
    shop.say(f"train: {work.model} on {data}")
    plan = asked_by_config(
        *(shop.config, data, work.model, None, CHALLENGER, {}, shop.code_revision, shop.tools.now()),
    )
    plan = _judged_by_new_rows(shop, plan, work)
    trained = train(plan, shop.registered.registry, shop.publisher, steps=shop.events, by=shop.rollout.by)
    shop.say(f"trained {work.model}/{trained.version.version}")
    return shop.shelf.put(msgspec.structs.replace(work, version=trained.version.version))


def _judged_by_new_rows(shop: Workshop, plan: Plan, work: Work) -> Plan:
    if plan.config is None:
        raise TrainingError(f"{shop.config} gave no configuration")
    champion = shop.registered.find(work.champion)
    record = shop.registered.fetch(champion, EVALUATION_FILE)
    config, said = asked_of(
        plan.config,
        None if record is None else Evaluation.from_bytes(record),
        shop.registered.baseline(champion).schema.names,
        None if shop.base is None else work.first,
    )
    for line in said:
        shop.say(line)
    return replace(plan, config=config)


def _ended(shop: Workshop, work: Work) -> Outcome:
    outcome = work.outcome
    if outcome is None:
        raise TrainingError(f"retraining {work.id} has not ended")
    details: Details = {"work": work.id, "outcome": outcome.how, "data": work.data}
    _tell(shop, "retraining-ended", work, work.version or work.champion, outcome.reason, details)
    shop.shelf.finish(work)
    shop.say(f"retraining {work.id} {outcome.how}: {outcome.reason}")
    return outcome


def _decided(work: Work) -> Details:
    spans = [span_text(span) for span in work.leave_out]
    return {"work": work.id, "trigger": work.trigger, "heard": work.heard.isoformat(), "leave_out": spans}


def _tell(shop: Workshop, kind: ModelEventKind, work: Work, version: str, reason: str, details: Details) -> None:
    """The same id when it is said again after a crash, by which readers know it."""
    shop.events.write(
        ModelEvent(
            id=f"{kind}/{work.id}",
            kind=kind,
            at=shop.tools.now(),
            model=work.model,
            version=version,
            by=shop.rollout.by,
            reason=reason,
            previous=work.champion,
            details=details,
        )
    )
