"""Promote a version, or roll back: who may, whom to, what goes on record. The alias is moved by moving.py."""

from __future__ import annotations

from training.errors import GateError, Objected, PromotionError
from training.gate import GateReport, Override
from training.promotion.change import Change, Changed, Details, Tools
from training.promotion.history import Former, former
from training.promotion.moving import FORMER_TAG, Promotion
from training.promotion.objection import objection
from training.registry.registered import Registered
from training.reports.gate_files import kept_report, record_overrides
from training.topics.model_events import ModelEvents

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
    """Make the former champion the champion again; to: another version that is to be it.

    Raises PromotionError where there is none, RegistryError and PublishError.
    """
    seen = registered.marks().champion
    known = Former(registered.find(to).version) if to is not None else _former(registered, events, seen)
    if known is None:
        raise PromotionError(
            f"nobody was champion of {registered.model} before {seen or 'now'}: name a version with --to VERSION"
        )
    if known.version == seen:
        raise PromotionError(f"{registered.model}/{seen} is the champion already")
    if not registered.has(known.version):
        there = ", ".join(one for one in registered.versions() if one != seen) or "none"
        raise PromotionError(
            f"the former champion {registered.model}/{known.version} is gone from MLflow at {registered.where}: "
            f"name another with --to VERSION, there are {there}"
        )
    why = reason.strip() or f"rolled back from {seen or 'none'}"
    done = Promotion(registered, events, tools).make(Change("rolled-back", known.version, seen, by, why))
    return Changed(done.change, (known.remark, *done.remarks)) if known.remark else done


def _former(registered: Registered, events: ModelEvents | None, seen: str | None) -> Former | None:
    if events is not None and (found := former(events.read(registered.model), seen)) is not None:
        return found
    if seen is None or not registered.has(seen):
        return None
    tagged = registered.tags(registered.find(seen)).get(FORMER_TAG)
    return Former(tagged, "known from the version's tag: no event tells") if tagged else None


def _of(report: GateReport | None) -> Details:
    if report is None:
        return {"gate": None}
    return {"gate": report.status, "gated_at": report.at.isoformat(), "gated_against": report.champion}


def _why(report: GateReport | None) -> str:
    return "the gates let it through" if report is None or report.status == "passed" else "the gates were overridden"
