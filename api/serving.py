"""Serving: a port, and the process or processes that answer on it.

One process listens from its start and says "no model" until it has one. With several each listens on a socket of its
own (SO_REUSEPORT) as soon as it has a model: the kernel gives new connections only to those that can answer, by a hash
of their addresses. (On one shared socket the first worker to wake takes all that wait: of 16 long-lived connections
one worker may get none.)
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from api.errors import ApiError, SettingsError
from api.guard.silent import SilentConnections
from api.guard.unread import UnreadAnswers
from api.logs.start import start_logging
from api.settings import ApiSettings
from api.tls.certificates import Certificates, open_certificates
from api.workers.board import Worker
from api.workers.supervisor import Supervisor

GRACE_SECONDS = 5
"""For requests under way when the end comes."""
BACKLOG = 2048


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound socket, so that a taken port is known before anything is started. Raises SettingsError.

    shared: others of this user may bind it too, and it does not listen yet.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not shared:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((host, port))
        except BaseException:
            made.close()
            raise
        return made
    except OSError as error:
        # the standard library appends the address to the text of some, and names have numbers of their own (below 0)
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SettingsError(f"API_HOST, API_PORT: cannot listen on {host}:{port}: {reason}") from error


def serve(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT. Ends the process with its exit status. Raises ApiError."""
    certificates = open_certificates(settings)
    listener = bind(settings.host, settings.port)
    port = listener.getsockname()[1]

    def started() -> None:
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        scheme = "http" if certificates is None else "https"
        print(f"api: {scheme}://{shown}:{port} (docs at /docs)", flush=True)

    if settings.workers == 1:
        # uvicorn ends gracefully and then raises the signal again; an orderly end has status 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        _answer(settings, certificates, listener, started)
        return
    listener.close()  # it was free: now it is reserved, for sockets that may share it
    with bind(settings.host, port, shared=True):
        sys.exit(_supervise(settings, certificates, port, started))


def _supervise(settings: ApiSettings, certificates: Certificates | None, port: int, started: Callable[[], None]) -> int:
    def work(worker: Worker, ready: Callable[[], None]) -> None:
        start_logging(settings.log_level, settings.log_format, worker=f"{worker.number:02d}")
        try:
            _answer(settings, certificates, bind(settings.host, port, shared=True), ready, worker)
        except ApiError as error:
            print(f"api: {error}", file=sys.stderr)
            sys.exit(2)

    import api.main  # noqa: F401  # once, for all workers: they share its memory, and their starts are short

    gc.collect()
    gc.freeze()  # otherwise the first collection of each worker would copy what they share
    return Supervisor(settings.workers, work, stop_seconds=GRACE_SECONDS + settings.drain_seconds + 10).run(started)


def _answer(
    settings: ApiSettings,
    certificates: Certificates | None,
    listener: socket.socket,
    built: Callable[[], None],
    worker: Worker | None = None,
) -> None:
    """Serve in this process. built: called when every part could be made. Raises ApiError."""
    # imported late: it takes seconds, and a wrong setting should be known at once
    import uvicorn

    from api.http.light_door import door_to
    from api.main import create_app

    app = create_app(settings, worker=worker, certificates=certificates)
    built()
    # whoever loads a version in a thread lets the event loop have its turn ten times as often as usual
    sys.setswitchinterval(0.0005)
    overdue = (SilentConnections(settings.header_timeout_seconds), UnreadAnswers(settings.header_timeout_seconds))

    async def each_second() -> None:
        for each in overdue:
            each.close(tuple(server.server_state.connections), time.monotonic())

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=door_to(app),
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here asks who the client is, and it costs 3 us a request
            backlog=BACKLOG,
            callback_notify=each_second,
            timeout_notify=1,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    if certificates is None:
        server.run(sockets=[listener])
        return
    from api.tls.loop import loop_with

    with asyncio.Runner(loop_factory=loop_with(certificates.context, settings.header_timeout_seconds)) as runner:
        runner.run(server.serve(sockets=[listener]))
