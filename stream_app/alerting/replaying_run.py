"""`python -m stream_app sink replay`: sends dead alerts again, each through the sink that it failed at.

What is delivered is noted on `resent-letters`; what fails stays in `dead-letters` as it is, for the next replay. So
nothing is lost, nothing loops, and a crash between delivery and note repeats one alert with the same id.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from stream_app.alerting import particulars
from stream_app.alerting.courier import pause
from stream_app.alerting.errors import SinkError, SinkSettingsError
from stream_app.alerting.replaying import DeadAlert, Plan, Selection, plan, unknown_ids
from stream_app.alerting.replaying_topics import Settled, found, settling
from stream_app.alerting.retry import Limits, carry, guarded
from stream_app.alerting.settings import SinkSettings, load
from stream_app.alerting.sink import SINKS, Sink, sink_named, slips

_SIGNALLED = 128
"""A shell's exit status for what a signal ended is this and the signal's number."""
_GIVE_UP_SECONDS = 120.0
_GREATEST_DELAY = 10.0


class Options(msgspec.Struct, frozen=True):
    """attempts: of each alert; somebody waits for this, so there are few."""

    selection: Selection
    attempts: int
    dry_run: bool


class Tally(msgspec.Struct):
    """What became of the alerts. waiting: not tried, behind a failed alert of their model or after a signal."""

    delivered: int = 0
    failed: int = 0
    waiting: int = 0


def replay_dead_alerts(options: Options) -> int:
    """The exit status. 0: all that was asked for is delivered or was before. 1: something was not. 2: a setting, an id
    or the broker is wrong, said in one line on standard error. A dry run finds out the same, and sends nothing.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it is in our own line
    for line in slips(os.environ):
        print(f"sink replay: {line}", file=sys.stderr)
    try:
        return asyncio.run(_replay(options, load(SinkSettings), partial(print, flush=True)))
    except SinkError as error:
        print(f"sink replay: {error}", file=sys.stderr)
        return 2


async def _replay(options: Options, settings: SinkSettings, say: Callable[[str], None]) -> int:
    if options.selection.sink is not None:
        sink_named(options.selection.sink)
    now = await found(settings)
    if unknown := unknown_ids(now.dead, now.useless, options.selection):
        raise SinkError(_nobodys(unknown, options.selection))
    newest_only = {sink.name for sink in SINKS if sink.newest_only}
    planned = plan(now.dead, now.settled, now.newest, newest_only, options.selection)
    to_send = sum(map(len, planned.send.values()))
    say(f"to send: {to_send}, outdated: {len(planned.outdated)}, settled before: {planned.settled}")
    for letter, why in now.useless.items():
        say(f"no alert that could be sent: {letter} ({why})")
    if options.dry_run:
        return await _rehearse(planned, say)
    if not to_send and not planned.outdated:
        return 0
    return await _carry_out(options, settings, planned, say)


async def _rehearse(planned: Plan, say: Callable[[str], None]) -> int:
    """Everything is listed, also where a sink's settings are wrong. Raises SinkSettingsError then."""
    wrong = []
    for one in planned.outdated:
        say(_line(one, "outdated: its incident has had a later alert"))
    for name, alerts in planned.send.items():
        try:
            await _built(name).close()
            what = "would be sent"
        except SinkSettingsError as error:
            wrong.append(str(error))
            what = "would not be sent: a setting of its sink is wrong"
        for one in alerts:
            say(_line(one, what))
    if wrong:
        raise SinkSettingsError("; ".join(wrong))
    return 0


async def _carry_out(options: Options, settings: SinkSettings, planned: Plan, say: Callable[[str], None]) -> int:
    told: list[int] = []
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(number: int) -> None:
        told.append(number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    tally = Tally()
    async with AsyncExitStack() as stack:
        sinks: dict[str, Sink] = {}
        for name in planned.send:  # all of them before the first alert: a wrong setting stops nothing half-way
            sinks[name] = _built(name)
            stack.push_async_callback(sinks[name].close)
        settled = await stack.enter_async_context(settling(settings))
        for one in planned.outdated:
            await settled.put(one, "outdated")
            say(_line(one, "outdated: its incident has had a later alert"))
        for name, alerts in planned.send.items():
            run = Run(sinks[name], settled, _limits(options, settings), tally, stopping, say)
            for one in alerts:
                await run.send(one)
    say(
        f"delivered: {tally.delivered}, failed: {tally.failed}, not tried: {tally.waiting}; what was not delivered "
        "stays in dead-letters"
    )
    if told:
        return _SIGNALLED + told[0]
    return 0 if tally.failed == tally.waiting == 0 else 1


class Run:
    """One sink's dead alerts, one after another."""

    def __init__(
        self,
        sink: Sink,
        settled: Settled,
        limits: Limits,
        tally: Tally,
        stopping: asyncio.Event,
        say: Callable[[str], None],
    ) -> None:
        self._sink, self._settled, self._limits = sink, settled, limits
        self._tally, self._stopping, self._say = tally, stopping, say
        self._held_up: set[str] = set()
        """Models whose next alert must not overtake one that their receiver could take later."""

    async def send(self, one: DeadAlert) -> None:
        """Raises NotAcknowledged."""
        if self._stopping.is_set() or one.alert.model in self._held_up:
            self._tally.waiting += 1
            reason = "stopped" if self._stopping.is_set() else "an earlier alert of its model waits for its receiver"
            self._say(_line(one, f"not tried: {reason}"))
            return
        outcome = await carry(
            guarded(self._sink.deliver),
            one.alert,
            one.body,
            limits=self._limits,
            pause=lambda seconds: pause(self._stopping, seconds),
            random=random.random,
            clock=time.monotonic,
            failed=lambda attempts, why, wait: None,
        )
        if outcome.kind == "delivered":
            await self._settled.put(one, "delivered")
            self._tally.delivered += 1
            self._say(_line(one, "delivered"))
            return
        self._tally.failed += 1
        self._say(_line(one, f"failed: {outcome.detail}"))
        if outcome.away:
            self._held_up.add(one.alert.model)


def _built(name: str) -> Sink:
    try:
        return sink_named(name).from_environment()
    except SinkSettingsError as error:
        raise SinkSettingsError(f"{error} (there are dead letters of sink {name}; --sink replays one alone)") from None


def _limits(options: Options, settings: SinkSettings) -> Limits:
    return Limits(
        attempts=options.attempts,
        give_up_after=min(_GIVE_UP_SECONDS, settings.give_up_after_seconds),
        first_delay=settings.first_delay_seconds,
        greatest_delay=min(_GREATEST_DELAY, settings.greatest_delay_seconds),
    )


def _nobodys(ids: Sequence[str], selection: Selection) -> str:
    """Nothing is sent then: whoever names ids has one in mind."""
    of = f" of sink {selection.sink}" if selection.sink else ""
    since = f" since {selection.since.isoformat()}" if selection.since else ""
    return f"no dead letter{of}{since} has this id: {', '.join(ids)}; --dry-run without --id lists what there is"


def _line(one: DeadAlert, what: str) -> str:
    alert = one.alert
    about = f"{alert.transition} {alert.model}/{alert.version} of {particulars.instant(alert.window_end)}"
    return f"{one.sink}  {alert.id}  {about}  {what}"
