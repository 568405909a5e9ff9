"""Promote a version, or roll back: who may, whom to, what goes on record. The alias is moved by moving.py."""

from __future__ import annotations

from collections.abc import Sequence

from training.errors import GateError, Objected, PromotionError
from training.gate import GateReport, Override
from training.promotion.change import Change, Changed, Details, Tools
from training.promotion.history import Former, champions, former
from training.promotion.moving import FORMER_TAG, Promotion
from training.promotion.objection import objection
from training.registry.registered import Registered
from training.reports.gate_files import kept_report, record_overrides
from training.topics.model_events import ModelEvents
from training.topics.steps import Step

UNGATED = "promotion"
"""What an override of promote is recorded under, as if it were a gate's name."""


def promote(
    registered: Registered,
    events: ModelEvents | None,
    tools: Tools,
    version: str,
    *,
    by: str,
    reason: str,
    override: bool,
) -> Changed:
    """Make the version the champion. override: although its gates object; reason then says why, and stays on record.

    Raises Objected where they object, PromotionError where somebody else was first; RegistryError and PublishError.
    """
    wanted, seen = registered.find(version), registered.marks().champion
    if wanted.version == seen:
        raise PromotionError(f"{registered.model}/{seen} is the champion already")
    report = kept_report(registered, wanted)
    objects = objection(report, wanted.version, seen)
    if objects is not None:
        if not override:
            raise Objected(f"{objects}; or promote --override --reason TEXT, which stays on record")
        if not reason.strip():
            raise GateError("--override needs --reason TEXT: it stays on record for ever")
        record_overrides(registered, wanted, [Override(UNGATED, f"{reason} ({objects})", by, tools.now())])
    details: Details = {**_of(report), "objection": objects}
    change = Change("promoted", wanted.version, seen, by, reason.strip() or _why(report), details)
    return Promotion(registered, events, tools).make(change)


def roll_back(
    registered: Registered, events: ModelEvents | None, tools: Tools, *, to: str | None, by: str, reason: str
) -> Changed:
    """Make the former champion the champion again; to: another version that has been it. No gate is asked, so one that
    never was is refused.

    Raises PromotionError where there is none, RegistryError and PublishError.
    """
    seen = registered.marks().champion
    steps = [] if events is None else events.read(registered.model)
    known = Former(registered.find(to).version) if to is not None else _former(registered, steps, seen)
    if known is None:
        raise PromotionError(
            f"nobody was champion of {registered.model} before {seen or 'now'}: {_way(registered, steps, seen)}"
        )
    if known.version == seen:
        raise PromotionError(f"{registered.model}/{seen} is the champion already")
    if not registered.has(known.version):
        raise PromotionError(
            f"the former champion {registered.model}/{known.version} is gone from MLflow at {registered.where}: "
            f"{_way(registered, steps, seen)}"
        )
    if to is not None and known.version not in _on_record(registered, steps):
        raise PromotionError(
            f"nothing on record says that {registered.model}/{known.version} has been champion, and a roll-back asks "
            f"no gate: `python -m training promote {known.version}` does (--override --reason TEXT where it must be)"
        )
    why = reason.strip() or f"rolled back from {seen or 'none'}"
    done = Promotion(registered, events, tools).make(Change("rolled-back", known.version, seen, by, why))
    return Changed(done.change, (known.remark, *done.remarks)) if known.remark else done


def _former(registered: Registered, steps: Sequence[Step], seen: str | None) -> Former | None:
    if (found := former(steps, seen)) is not None:
        return found
    if seen is None or not registered.has(seen):
        return None
    tagged = registered.tags(registered.find(seen)).get(FORMER_TAG)
    return Former(tagged, "known from the version's tag: no event tells") if tagged else None


def _on_record(registered: Registered, steps: Sequence[Step]) -> set[str]:
    """Versions that have been champion: by the events, and by the tags, which outlive them and need no Kafka.

    A promoted version has the tag, and the tag names the champion before it. It is set before the alias moves, so of a
    version that the steps know they alone are asked whether it did.
    """
    tagged = {one: tags[FORMER_TAG] for one, tags in registered.version_tags().items() if FORMER_TAG in tags}
    known = {step.event.version for step in steps if step.event.kind == "claimed"}
    return champions(steps) | (set(tagged) - known) | set(tagged.values())


def _way(registered: Registered, steps: Sequence[Step], seen: str | None) -> str:
    """Out of there being nobody to go back to."""
    there = _on_record(registered, steps).intersection(registered.versions()) - {seen}
    if there:
        return f"name another with --to VERSION, there are {', '.join(sorted(there, key=int))}"
    return "promote another with `python -m training promote VERSION`, which asks the gates"


def _of(report: GateReport | None) -> Details:
    if report is None:
        return {"gate": None}
    return {"gate": report.status, "gated_at": report.at.isoformat(), "gated_against": report.champion}


def _why(report: GateReport | None) -> str:
    return "the gates let it through" if report is None or report.status == "passed" else "the gates were overridden"
