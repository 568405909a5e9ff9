"""Whether the gates let a version through now. Pure: its report and the present champion in, an objection out."""

from __future__ import annotations

from training.gate import GateReport
from training.reports.gate_words import summary


def objection(report: GateReport | None, version: str, champion: str | None) -> str | None:
    """Why the version may not be promoted, with the fix; None: it may. A report about another champion says nothing of
    this one.
    """
    gate = f"python -m training gate {version}"
    again = f"run `{gate}`"
    if report is None:
        return f"version {version} has no gate report: {again}"
    if report.version != version:
        return f"the gate report of version {version} is about version {report.version}: {again}"
    if not report.may_go_on:
        return f"{summary(report)}: see its report, or run `{gate} --override GATE --reason TEXT`"
    if report.champion != champion:
        then = "without a champion" if report.champion is None else f"against champion {report.champion}"
        now = "there is none" if champion is None else f"it is {champion}"
        return f"version {version} was gated {then}, and now {now}: {again}"
    return None
