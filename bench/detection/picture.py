"""Power against the size of a shift, each tool at the same number of rows: one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from bench.detection.drifts import shifted
from bench.detection.power import Case, Trial, power
from bench.detection.share import Share

ROWS = 1_000
FEATURE = "normal"
SIZES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
_LOOKS = (  # colour, line, width: lines that nearly coincide can be told apart
    ("#c1121f", "-", 2.8),
    ("#c9ced6", "-", 4.5),
    ("#1d6996", "--", 1.5),
    ("#38a6a5", "-.", 1.5),
    ("#e17c05", "-", 1.5),
    ("#94346e", "-", 1.5),
    ("#333333", ":", 1.8),
    ("#7fb800", "--", 1.5),
)


def curves(trials: Sequence[Trial], seed: int, windows: int) -> dict[str, list[Share]]:
    """For each rule the share of windows in which it flags the shifted feature, by size. windows: of each trial."""
    found: dict[str, list[Share]] = {}
    for size in SIZES:
        case = Case(f"curve {size}", f"+{size} sd", ROWS, (FEATURE,), lambda sample, by=size: shifted(sample, by))  # type: ignore[misc]
        for entry in power(trials, case, seed, windows, beside=windows):
            found.setdefault(entry.tool, []).append(entry.together)
    return found


def draw(found: Mapping[str, Sequence[Share]], false_alarms: Mapping[str, Share], file: Path) -> None:
    """Write the figure; its format is that of the file's ending. false_alarms: of each rule, per quiet window."""
    with rc_context({"svg.hashsalt": "tidemark", "font.size": 10, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(9.6, 4.8), layout="constrained")
        axes = figure.subplots()
        for number, (name, shares) in enumerate(found.items()):
            colour, line, width = _LOOKS[number]
            axes.plot(
                SIZES,
                [100 * share.rate for share in shares],
                color=colour,
                linestyle=line,
                linewidth=width,
                zorder=2 if width > 3 else 4 if not number else 3,
                label=f"{name}: {false_alarms[name].rate:.1%}",
            )
        axes.set_xlabel(f"shift of one normal feature of 20, standard deviations (n = {ROWS:,} rows a window)")
        axes.set_ylabel("windows in which the feature is flagged, %")
        axes.set_ylim(-2, 102)
        axes.set_xlim(SIZES[0], SIZES[-1])
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(
            loc="outside right upper",
            title="rule, and how many of the windows\nwithout drift hold a false alarm of it",
            frameon=False,
            alignment="left",
        )
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
