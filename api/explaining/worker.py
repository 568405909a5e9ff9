"""The explaining process: `python -m api.explaining.worker`, started by api.explaining.process and by nobody else.

Its standard input is a socket: questions come in, replies go out, one at a time. It ends when the API does, because the
socket then ends. It has the lowest priority: where there is one core, predictions have it.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from types import TracebackType
from typing import Protocol

from api.explaining.desk import Desk
from api.explaining.messages import LENGTH, framed, read_question

NICENESS = 19


class Stream(Protocol):
    """Both directions of the socket."""

    def read(self, size: int, /) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


def serve(desk: Desk, stream: Stream) -> None:
    """Until the questions end."""
    while len(head := stream.read(LENGTH.size)) == LENGTH.size:
        question = read_question(stream.read(LENGTH.unpack(head)[0]))
        stream.write(framed(desk.answer(question)))
        stream.flush()


def say(kind: type[BaseException], _: BaseException, trace: TracebackType | None) -> None:
    """What ends the process, in one line: never an error's message, which may quote a row (api.logs.lines)."""
    places = [f"{place.filename}:{place.lineno} in {place.name}" for place in traceback.extract_tb(trace)]
    print(kind.__name__, *places, sep=" < ", file=sys.stderr, flush=True)


def main() -> None:
    """Serve on standard input."""
    sys.excepthook = say
    os.nice(NICENESS)
    with socket.socket(fileno=0) as channel, channel.makefile("rwb") as stream:
        serve(Desk(), stream)


if __name__ == "__main__":
    main()
