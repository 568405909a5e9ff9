"""The figures of the benchmark `detection`, and its tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bench.detection.accidents import Accident
from bench.detection.exactness import Exactness
from bench.detection.others import Beside
from bench.detection.power import CONTINUOUS, NORMAL, Case, Found
from bench.detection.quiet import Quiet

_BLAMED = 4


class DetectionFigures(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "power_shift_small_n1000": "power_shift_0.2_n1000",
        "power_shift_n10000": "power_shift_0.3_n10000",
    },
):
    """Of the preset `calibrated`; None where it was not asked for (--only). Shares from 0 to 1.

    false_alarms: by rows of a window, share of quiet windows with an alarm. false_pages: of all of these, share with a
    page. power_...: mean over the features of the share of windows in which the drifting feature alarms.
    cause_accuracy, effect_rank_correlation, close_ms_..., state_kb_...: see causes.py, effects.py, bench/closing.py; of
    two data sets the worse one. The rest says how the other rows of the issue's table came out.
    """

    false_alarms: dict[int, float] | None = None
    false_pages: float | None = None
    power_shift_small_n1000: float | None = None
    power_shift_n10000: float | None = None
    power_unit_bug_n9600: float | None = None
    power_default_fill_n9600: float | None = None
    power_ratio_n1000: float | None = None
    power_missing_n2000: float | None = None
    power_new_level_n2000: float | None = None
    false_alarms_classic: dict[int, float] | None = None
    psi_streamed_difference: float | None = None
    ks_binned_error: float | None = None
    accidents_alarmed: int | None = None
    empty_columns_found: float | None = None
    cause_accuracy: float | None = None
    effect_rank_correlation: float | None = None
    close_ms_23: float | None = None
    close_ms_1000: float | None = None
    state_kb_23: float | None = None


def quiet_table(rows: Sequence[Quiet]) -> list[str]:
    """False alarms by rows and rule, and what is blamed for them."""
    return _table(
        ("rows a window", "preset", "windows", "false alarms, 95 % Wilson", "pages", "most often"),
        (
            (
                f"{quiet.rows:,}",
                quiet.rule,
                f"{quiet.alarms.of:,}",
                str(quiet.alarms),
                str(quiet.pages.hits),
                ", ".join(f"`{what}` {how} {count}" for (what, how), count in quiet.blamed.most_common(_BLAMED)),
            )
            for quiet in rows
        ),
    )


def beside_table(rows: Sequence[Beside]) -> list[str]:
    """False alarms of ours and others on the same windows."""
    return _table(
        ("rows a window", "rule", "windows", "with a false alarm, 95 % Wilson", "most often"),
        (
            (
                f"{entry.rows:,}",
                entry.name,
                str(entry.alarms.of),
                str(entry.alarms),
                ", ".join(f"`{what}` {count}" for what, count in entry.blamed.most_common(_BLAMED)),
            )
            for entry in rows
        ),
    )


def power_table(found: Sequence[tuple[Case, Sequence[Found]]]) -> list[str]:
    """The share found, by case and tool; a column for each tool."""
    tools = [entry.tool for entry in found[0][1]]
    rows = []
    for case, entries in found:
        goal = "" if case.goal is None else f"{case.goal:.0%}"
        rows.append((case.title, str(len(case.features)), goal, *(f"{entry.mean():.1%}" for entry in entries)))
    return _table(("drift of one feature", "features", "goal", *tools), rows)


def detail_table(found: Sequence[tuple[Case, Sequence[Found]]]) -> list[str]:
    """What the calibrated preset found, more closely: windows, interval, kinds of features, and the worst ones."""
    rows = []
    for case, (ours, *_) in found:
        worst = sorted(ours.by_feature.items(), key=lambda pair: pair[1].rate)[:_BLAMED]
        kinds = [f"{ours.mean(some):.1%}" if set(some) <= set(case.features) else "" for some in (CONTINUOUS, NORMAL)]
        rows.append(
            (
                case.title,
                f"{ours.together.of:,}",
                str(ours.together),
                *kinds,
                ", ".join(f"`{name}` {share.rate:.1%}" for name, share in worst if share.rate < 1) or "all 100 %",
            )
        )
    heads = ("drift of one feature", "windows", "found, 95 % Wilson", "continuous ones", "normal ones", "weakest")
    return _table(heads, rows)


def accident_table(found: Sequence[Accident]) -> list[str]:
    """One line for each accident."""
    rows = [
        (
            entry.name,
            str(entry.features),
            f"{entry.alarms.of:,}",
            str(entry.before.hits),
            str(entry.alarms.hits),
            f"{entry.counted.rate:.1%}",
            "" if entry.named is None else f"{entry.named.rate:.1%}",
        )
        for entry in found
    ]
    heads = ("accident", "features", "windows", "alarms without it", "alarms with it", "counted", "named `missing`")
    return _table(heads, rows)


def exact_lines(found: Exactness) -> list[str]:
    """In words."""
    return [
        f"Any statistic, streamed in parts against counted at once: difference {found.streamed:g} "
        f"({found.windows} windows).",
        f"KS on bins against scipy's on the rows: error at most {found.binned:.4f} of {found.comparisons} comparisons "
        f"({found.worst}).",
    ]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
