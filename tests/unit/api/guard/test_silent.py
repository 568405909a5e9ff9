"""Silent connections are closed in time, and no other is."""

from dataclasses import dataclass, field
from typing import Any

from api.guard.silent import SilentConnections


@dataclass(eq=False)
class Request:
    response_complete: bool = False


@dataclass(eq=False)
class Connection:
    """As uvicorn's: opened, nothing received. It is its own transport."""

    cycle: Request | None = None
    timeout_keep_alive_task: Any = None
    closed: bool = False
    transport: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transport = self

    def close(self) -> None:
        self.closed = True


def looked_over(connection: Connection, *moments: float) -> bool:
    silent = SilentConnections(10)
    for now in moments:
        silent.close([connection], now)
    return connection.closed


def test_one_that_never_sends_its_headers_is_closed_after_its_time():
    assert not looked_over(Connection(), 0, 5, 9.9)
    assert looked_over(Connection(), 0, 5, 10)


def test_one_whose_next_headers_do_not_come_to_an_end_is_closed():
    assert looked_over(Connection(Request(True)), 0, 10)


def test_one_that_is_idle_after_an_answer_is_uvicorns_to_close():
    assert not looked_over(Connection(Request(True), timeout_keep_alive_task=object()), 0, 100)


def test_one_whose_request_is_worked_on_is_left_alone_however_long_that_takes():
    assert not looked_over(Connection(Request(False)), 0, 100)


def test_one_that_was_used_between_two_looks_begins_anew():
    silent, connection = SilentConnections(10), Connection(Request(True))
    silent.close([connection], 0)
    connection.cycle = Request(True)

    assert silent.close([connection], 10) == 0
    assert silent.close([connection], 19) == 0
    assert silent.close([connection], 20) == 1


def test_what_is_gone_is_forgotten():
    silent = SilentConnections(10)
    silent.close([Connection()], 0)
    silent.close([], 1)

    assert silent._waits == {}
