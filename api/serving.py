"""Serving: a port, and the processes that answer on it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys

from api.errors import SettingsError
from api.settings import ApiSettings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


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
    print(f"api: http://{shown}:{listener.getsockname()[1]} (docs at /docs)", flush=True)
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
