"""ExplainingProcess: the API's end of the process that explains. The event loop does no more than pass bytes on.

Not multiprocessing: a child forked from a process with threads may hang, and a spawned one would import the API's entry
point. Started by Popen in a thread, because a fork of a large process holds whoever does it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

from api.explaining.messages import LENGTH, Question, Reply, framed, read_reply

_ROOT = Path(__file__).parents[2]
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class ProcessEnded(Exception):
    """The process is gone: killed, or it ran out of memory."""


class ExplainingProcess:
    """Made by start(). One question at a time."""

    def __init__(
        self, child: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = child.pid
        self._child = child
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> ExplainingProcess:
        """Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = await asyncio.to_thread(_spawn, theirs)
            except OSError:
                ours.close()
                raise
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(child, reader, writer)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._reader.at_eof() and self._child.poll() is None

    async def ask(self, question: Question) -> Reply:
        """Raises ProcessEnded. Whoever gives up waiting must kill() the process: its reply would answer the next."""
        try:
            self._writer.write(framed(question))
            await self._writer.drain()
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            return read_reply(await self._reader.readexactly(size))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ProcessEnded from error

    def kill(self) -> None:
        """At once; its end is waited for by `wait`."""
        self._child.kill()
        self._writer.close()

    async def wait(self) -> None:
        """Until a killed one is gone."""
        await asyncio.to_thread(self._child.wait)


def _spawn(channel: socket.socket) -> subprocess.Popen[bytes]:
    # of the environment only what Python needs: the API's settings hold passwords
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment |= {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "api.explaining.worker"],
        stdin=channel.fileno(),
        stdout=2,  # what a library prints goes to the log
        env=environment,
        # a group of its own: Ctrl-C in a terminal is for the API, which ends the process in order. Not a session of its
        # own: with the kernel's autogroups its niceness would then count for nothing
        process_group=0,
    )
