"""`python -m training`: every command, in the order of the help page. To add one: a file in commands/, a name here."""

from __future__ import annotations

import os

import typer

from training.commands import alias, baseline, card, collect, gate, pipeline, promotion, rollout, train, watch

# onnxruntime would report to its maker; read when it is imported, which is late
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

app = typer.Typer(
    help="Train a model, or fit a baseline to a model that was trained elsewhere.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (train, baseline, card, pipeline, gate, promotion, alias, rollout, collect, watch):
    command.add_to(app)

if __name__ == "__main__":
    app()
