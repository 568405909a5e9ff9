"""`python -m api`: serve the champion. Everything it is told comes from the environment: API_*."""

from __future__ import annotations

import logging
import os
from typing import Annotated, NoReturn

# One thread for each batch: the batches are small, and more threads than cores make them 20 times slower. Read when
# numpy and scikit-learn are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# onnxruntime would report to its maker, from a thread of its own. Read when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import typer

from api.errors import ApiError
from api.guard.commands import keys
from api.logs.start import start_logging
from api.publishing.commands import aside
from api.receipts.commands import receipts
from api.settings import PREFIX, ApiSettings, load_settings, slips

log = logging.getLogger("api")

cli = typer.Typer(
    add_completion=False,
    # a plain traceback: typer's own may show the values of variables, a key too
    pretty_exceptions_enable=False,
)
cli.add_typer(keys, name="keys")
cli.add_typer(receipts, name="receipts")
cli.add_typer(aside, name="aside")


def describe_settings() -> str:
    """One line for each setting, as --settings shows them."""
    lines = []
    for name, field in ApiSettings.model_fields.items():
        default = "required" if field.is_required() else f"default {field.default}"
        lines.append(f"{PREFIX}{name.upper()} ({default}): {field.description}")
    return "\n\n".join(lines)


def fail(error: ApiError) -> NoReturn:
    """One line, exit status 2."""
    typer.echo(f"api: {error}", err=True)
    raise SystemExit(2)


@cli.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    settings_help: Annotated[bool, typer.Option("--settings", help="Print every setting and its default.")] = False,
) -> None:
    """Serve the champion of a registered model: predictions over HTTP, one event each to Kafka.

    Without a command it serves, until SIGTERM or Ctrl-C.

    Required: API_MODEL, API_TRACKING_URI, API_BOOTSTRAP.

    Once it runs: /docs, /health/ready, /metrics.
    """
    if context.invoked_subcommand is not None:
        return
    if settings_help:
        typer.echo(describe_settings())
        return
    from api.serving import serve  # not for the other commands

    nearly = list(slips(os.environ))
    try:
        settings = load_settings()
    except ApiError as error:
        for line in nearly:
            typer.echo(f"api: {line}", err=True)
        fail(error)
    try:
        start_logging(settings.log_level, settings.log_format)
        for line in nearly:
            log.warning("settings: %s", line)
        serve(settings)
    except ApiError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    cli(prog_name="python -m api")
