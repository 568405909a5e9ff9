"""A gate report for people: lines for a terminal, and Markdown."""

from __future__ import annotations

from training.gate import GateReport

_WORDS = {"passed": "passed", "failed": "FAILED", "overridden": "OVERRIDDEN"}


def gate_lines(report: GateReport) -> list[str]:
    """One line for each gate, and the end of it."""
    widest = max(len(finding.gate) for finding in report.findings)
    lines = [f"{_WORDS[f.status]:10}  {f.gate:{widest}}  {f.says}" for f in report.findings]
    return [*lines, summary(report)]


def summary(report: GateReport) -> str:
    """The report in one sentence."""
    whom = f"{report.model}/{report.version}"
    against = "without a champion" if report.champion is None else f"against champion {report.champion}"
    if report.status == "failed":
        return (
            f"{whom} {against}: {len(report.failed)} of {len(report.findings)} gates failed: {', '.join(report.failed)}"
        )
    if report.status == "overridden":
        given = ", ".join(f.gate for f in report.findings if f.status == "overridden")
        return f"{whom} {against}: {len(report.findings)} gates, passed or overridden ({given})"
    return f"{whom} {against}: all {len(report.findings)} gates passed"


def gate_markdown(report: GateReport) -> str:
    """The report as a page."""
    lines = [
        f"# Gates of {report.model} version {report.version}",
        "",
        f"{summary(report)}. {report.at:%Y-%m-%d %H:%M:%S} UTC, by {report.by}, thresholds {report.rules}.",
        "",
        "| gate | result | what was found |",
        "|---|---|---|",
        *(f"| {f.gate} | {_WORDS[f.status]} | {_cell(f.says)} |" for f in report.findings),
    ]
    if report.overrides:
        lines += ["", "## Overrides", "", "| gate | by | at | reason |", "|---|---|---|---|"]
        lines += [
            f"| {o.gate} | {_cell(o.by)} | {o.at:%Y-%m-%d %H:%M:%S} | {_cell(o.reason)} |" for o in report.overrides
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
