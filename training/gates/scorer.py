"""Can the version be served: what its scorer takes, and whether the callers' requests still fit."""

from __future__ import annotations

from contracts.schema import FeatureSchema
from training.gates.evidence import NO_CHAMPION, Evidence, Verdict, passed, verdict
from training.gates.rules import Rules


def scorer(evidence: Evidence, rules: Rules) -> Verdict:
    """Latency and size of the form that the API answers with, as training measured them."""
    rule, size = rules.scorer, evidence.evaluation.scorer
    megabytes = size.bytes / 1e6
    measured = (
        ("one row", size.one_row, rule.one_row, "us"),
        ("a row of a batch", size.batch_row, rule.batch_row, "us"),
        ("its file", megabytes, rule.megabytes, "MB"),
    )
    wrong = [
        f"{what} takes {value:,.4g} {unit}, at most {most:,.4g} is allowed"
        for what, value, most, unit in measured
        if value > most
    ]
    return verdict(
        wrong,
        f"{size.kind}: {size.one_row:.3g} us for one row, {size.batch_row:.3g} us in a batch, {megabytes:.3g} MB",
        one_row=size.one_row,
        batch_row=size.batch_row,
        megabytes=megabytes,
    )


def schema(evidence: Evidence, rules: Rules) -> Verdict:
    """What callers send to the champion is what this version takes: a request that was right stays right."""
    if evidence.champion is None:
        return NO_CHAMPION
    wrong, new = changes(evidence.champion.baseline.schema, evidence.baseline.schema)
    more = f"; new and optional: {', '.join(new)}" if new else ""
    same = f"takes what callers send to version {evidence.champion.version}"
    return verdict([*wrong], same + more) if wrong else passed(same + more, new=len(new))


def changes(sent: FeatureSchema, taken: FeatureSchema) -> tuple[list[str], list[str]]:
    """What breaks a request that is right for `sent` where `taken` decides; and the new features that are optional."""
    wrong, new = [], []
    before = {feature.name: feature for feature in sent.features}
    for feature in taken.features:
        former = before.pop(feature.name, None)
        if former is None and not feature.nullable:
            wrong.append(f"feature {feature.name!r} is new and required: no caller sends it; make it nullable")
        elif former is None:
            new.append(feature.name)
        elif former.kind != feature.kind:
            wrong.append(f"feature {feature.name!r} was {former.kind} and is {feature.kind} now")
        elif former.nullable and not feature.nullable:
            wrong.append(f"feature {feature.name!r} could be missing and is required now")
    wrong += [f"feature {name!r} is gone: requests that send it would be refused" for name in before]
    return wrong, new
