"""`python -m api`: serve the champion. Everything it is told comes from the environment: API_*."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from typing import Annotated, NoReturn

# One thread for each batch: the batches are small, and more threads than cores make them 20 times slower. Read when
# numpy and scikit-learn are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from api.errors import ApiError, SettingsError
from api.settings import PREFIX, ApiSettings, load_settings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def describe_settings() -> str:
    """One line for each setting, as --help shows them."""
    lines = []
    for name, field in ApiSettings.model_fields.items():
        default = "required" if field.is_required() else f"default {field.default}"
        lines.append(f"{PREFIX}{name.upper()} ({default}): {field.description}")
    return "\n\n".join(lines)


def fail(error: ApiError) -> NoReturn:
    """One line, exit status 2."""
    typer.echo(f"api: {error}", err=True)
    raise SystemExit(2)


def start_logging(level: str) -> None:
    """To stderr. Libraries whose errors reach us as exceptions, and are said once by us, are quiet."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stderr)
    for name, quiet in (("aiokafka", logging.CRITICAL), ("mlflow", logging.ERROR), ("alembic", logging.ERROR)):
        logging.getLogger(name).setLevel(quiet)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is known before anything is started. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # the standard library appends the address to the text of some, and names have numbers of their own (below 0)
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SettingsError(f"API_HOST, API_PORT: cannot listen on {host}:{port}: {reason}") from error


def serve(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    listener = bind(settings.host, settings.port)
    # imported late: it takes seconds, and a wrong setting should be known at once
    import uvicorn

    from api.main import create_app

    app = create_app(settings)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    typer.echo(f"api: http://{shown}:{listener.getsockname()[1]} (docs at /docs)")
    sys.stdout.flush()
    # uvicorn ends gracefully and then raises the signal again; an orderly end has status 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here asks who the client is, and it costs 3 us a request
            timeout_graceful_shutdown=5,
        )
    ).run(sockets=[listener])


def main(
    settings_help: Annotated[bool, typer.Option("--settings", help="Print every setting and its default.")] = False,
) -> None:
    """Serve the champion of a registered model: predictions over HTTP, one event each to Kafka.

    Required: API_MODEL, API_TRACKING_URI, API_BOOTSTRAP. Once it runs: /docs, /health/ready, /metrics.
    """
    if settings_help:
        typer.echo(describe_settings())
        return
    try:
        settings = load_settings()
        start_logging(settings.log_level)
        serve(settings)
    except ApiError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    typer.run(main)
