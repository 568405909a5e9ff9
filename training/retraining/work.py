"""Work: one retraining from data to champion: collect, train, gate, rollout. Each step is put down before the next.

    var/retraining/<id>/work.json    what it is for, and how far it is
    var/retraining/<id>/data/        what was collected

Whoever is started after a crash goes on behind the last step that was put down. A step that was cut short is done
again: collecting begins anew, training registers another version, the gates judge again, a rollout goes on where it is.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from contracts.model_events import ModelEvent, ModelEventKind
from training.asked import asked_by_config
from training.collecting.collect import Wish, collect
from training.errors import PromotionError, PublishError, RegistryError, TrainingError
from training.gate_run import Wish as GateWish
from training.gate_run import run_gates
from training.gate_words import summary
from training.gates.rules import Rules as GateRules
from training.model_events import ModelEvents
from training.promotion_change import Details, Tools
from training.publish import Publisher
from training.registered import Registered
from training.rollout.drive import Drive, Wishes
from training.span import Span
from training.train import train

FILE, DATA = "work.json", "data"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

How = Literal["promoted", "waits", "refused", "ended", "overtaken", "failed", "abandoned"]
"""refused: by the gates. ended, overtaken, waits: the rollout. failed: a step could not be done. abandoned: given up
after a crash."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a retraining is for, and how far it is. heard: event time at which it was decided: nothing later is learnt.

    data, version, gated: steps that are done: the digest of what was collected, what came of training, the gates' word.
    """

    id: str
    model: str
    champion: str
    trigger: str
    reason: str
    heard: datetime
    leave_out: tuple[Span, ...] = ()
    data: str | None = None
    version: str | None = None
    gated: bool = False
    v: Literal[1] = 1


@dataclass(frozen=True)
class Workshop:
    """What a retraining needs. config: a training.yaml. base: a data set whose rows come first, None: none. folder:
    where work is kept. say: told of each step, one line.
    """

    registered: Registered
    events: ModelEvents
    publisher: Publisher
    tools: Tools
    config: Path
    gates: GateRules
    rollout: Wishes
    base: Path | None
    folder: Path
    code_revision: str
    say: Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How it ended; reason: one sentence."""

    how: How
    reason: str


def new_work(shop: Workshop, trigger: str, reason: str, heard: datetime, leave_out: tuple[Span, ...] = ()) -> Work:
    """A retraining for the champion of this moment. Raises PromotionError where there is none."""
    model, champion = shop.registered.model, shop.registered.marks().champion
    if champion is None:
        raise PromotionError(f"{model} has no champion: `python -m training promote VERSION`")
    return Work(
        id=f"{model}-{champion}-{heard:%Y%m%dT%H%M%S}",
        model=model,
        champion=champion,
        trigger=trigger,
        reason=reason,
        heard=heard,
        leave_out=leave_out,
    )


def begin(shop: Workshop, work: Work) -> None:
    """Put it down, and say on `model-events` that it was decided."""
    _put(shop, work)
    details: Details = {
        "work": work.id,
        "trigger": work.trigger,
        "heard": work.heard.isoformat(),
        "leave_out": [
            f"{span.start.isoformat()}/{span.end.isoformat() if span.end else ''}" for span in work.leave_out
        ],
    }
    _write(shop, "retraining-decided", work, work.champion, work.reason, details)


def go_on(shop: Workshop, work: Work) -> Outcome:
    """Do what is left of it, and say how it ended. Blocks for as long as the rollout takes.

    What cannot be done (an error of a step) ends it, and is told; a registry or a broker that is away raises
    RegistryError or PublishError, and it can be gone on with.
    """
    try:
        outcome = _steps(shop, work)
    except (RegistryError, PublishError):
        raise
    except TrainingError as error:
        outcome = Outcome("failed", str(error))
    return end(shop, read_work(shop, work.id) or work, outcome)


def end(shop: Workshop, work: Work, outcome: Outcome) -> Outcome:
    """Say how it ended; its data stays for whoever wants to look."""
    details: Details = {"work": work.id, "outcome": outcome.how, "data": work.data}
    _write(shop, "retraining-ended", work, work.version or work.champion, outcome.reason, details)
    (shop.folder / work.id / FILE).rename(shop.folder / work.id / f"ended-{FILE}")
    shop.say(f"retraining {work.id} {outcome.how}: {outcome.reason}")
    return outcome


def read_work(shop: Workshop, id_: str) -> Work | None:
    """As it was put down; None where it is not here, or has ended."""
    try:
        return msgspec.json.decode((shop.folder / id_ / FILE).read_bytes(), type=Work)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise TrainingError(
            f"{shop.folder / id_ / FILE}: {error}: mend it, or remove the folder to give it up"
        ) from error


def unfinished(shop: Workshop, model: str) -> list[Work]:
    """Retrainings of the model that a crash has left here, oldest first."""
    if not shop.folder.is_dir():
        return []
    found = [read_work(shop, path.name) for path in sorted(shop.folder.iterdir()) if path.is_dir()]
    return sorted((work for work in found if work is not None and work.model == model), key=lambda work: work.heard)


def _steps(shop: Workshop, work: Work) -> Outcome:
    if work.data is None:
        work = _collected(shop, work)
    if work.version is None:
        work = _trained(shop, work)
    version = str(work.version)
    if not work.gated:
        shop.say(f"gates: {work.model}/{version}")
        wish = GateWish(version, shop.gates, shop.rollout.by)
        report = run_gates(shop.registered, shop.events, wish, now=shop.tools.now(), event_id=shop.tools.new_id())
        shop.say(summary(report))
        if not report.may_go_on:
            return Outcome("refused", summary(report))
        work = _put(shop, msgspec.structs.replace(work, gated=True))
    if shop.registered.marks().champion == version:  # promoted, and then the process died
        return Outcome("promoted", "it had become the champion before this process began")
    drive = Drive(shop.registered, shop.events, shop.tools, shop.rollout)
    ended = asyncio.run(drive.run(version))
    return Outcome(ended.how, ended.reason)


def _collected(shop: Workshop, work: Work) -> Work:
    folder = shop.folder / work.id / DATA
    shop.say(f"collect: predictions of {work.model} with their labels, up to {work.heard:%Y-%m-%dT%H:%M:%SZ}")
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut short
    schema = shop.registered.baseline(shop.registered.find(work.champion)).schema
    wish = Wish(work.model, schema, _BEGINNING, work.heard, work.leave_out, shop.base)
    found = asyncio.run(collect(wish, folder, shop.events.bootstrap, shop.events.topic_prefix))
    shop.say(f"collected {found.labelled:,} labelled predictions, {found.left_out:,} left out; {found.rows:,} rows")
    return _put(shop, msgspec.structs.replace(work, data=found.digest))


def _trained(shop: Workshop, work: Work) -> Work:
    data = shop.folder / work.id / DATA
    shop.say(f"train: {work.model} on {data}")
    revision, now = shop.code_revision, shop.tools.now()
    plan = asked_by_config(shop.config, data, work.model, None, None, {}, revision, now)
    trained = train(plan, shop.registered.registry, shop.publisher, steps=shop.events, by=shop.rollout.by)
    shop.say(f"trained {work.model}/{trained.version.version}")
    return _put(shop, msgspec.structs.replace(work, version=trained.version.version))


def _put(shop: Workshop, work: Work) -> Work:
    folder = shop.folder / work.id
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"new-{FILE}"
    with new.open("wb") as file:
        file.write(msgspec.json.encode(work))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    return work


def _write(shop: Workshop, kind: ModelEventKind, work: Work, version: str, reason: str, details: Details) -> None:
    shop.events.write(
        ModelEvent(
            id=f"{kind}/{work.id}",  # the same when it is said again after a crash
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
