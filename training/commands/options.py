"""Options that several commands have."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from training.errors import DataError

Threshold = Annotated[float | None, typer.Option(help="Decide positively at this score.")]
Window = Annotated[
    str | None,
    typer.Option(help="Learn natural variation from windows of the reference this long, such as 1h or 1d."),
]
Version = Annotated[
    str, typer.Argument(help="Its number in MLflow, or an alias such as challenger.", metavar="VERSION")
]
Model = Annotated[str | None, typer.Option(help="Name of the model; needed where the registry has several.")]
By = Annotated[str | None, typer.Option(help="Who does this, for the record. Default: user@host.")]


def check_threshold(threshold: float | None, most: float = math.inf) -> None:
    """most: what a score may be. Raises DataError."""
    if threshold is not None and not math.isfinite(threshold):
        raise DataError(f"--threshold {threshold}: give a number; nothing would ever be decided at this one")
    if threshold is not None and most == 1 and not 0 <= threshold <= 1:
        raise DataError(f"--threshold {threshold:g}: scores are between 0 and 1, every row would be decided alike")
