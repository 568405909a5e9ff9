"""ExplainingProcess: the API's end of the process that explains. The event loop does no more than pass bytes on.

Not multiprocessing: a child forked from a process with threads may hang, and a spawned one would import the API's entry
point. Started by Popen in a thread, because a fork of a large process holds whoever does it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import threading
from typing import IO

from api.child import command, environment
from api.explaining.messages import LENGTH, Question, Reply, framed, read_reply

log = logging.getLogger(__name__)

_LONGEST = 500


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
    child = subprocess.Popen(
        command("api.explaining.worker"),
        stdin=channel.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        # a group of its own: Ctrl-C in a terminal is for the API, which ends the process in order. Not a session of its
        # own: with the kernel's autogroups its niceness would then count for nothing
        process_group=0,
    )
    assert child.stdout is not None
    threading.Thread(target=pass_on, args=(child.stdout,), name="explaining-log", daemon=True).start()
    return child


def pass_on(said: IO[bytes]) -> None:
    """Until the process is gone: what it or a library in it prints becomes records of our log, a line each."""
    with said:
        for line in said:
            text = line.decode(errors="replace").strip()
            if text:
                log.warning("explaining: its process says: %s", text[:_LONGEST])
