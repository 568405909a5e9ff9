"""`python -m stream_app mute`, `unmute` and `mutes`: their options, and what they print."""

# No `from __future__ import annotations`: typer makes the options of them.
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from contracts.mutes import Mute, encode_mute
from stream_app.muting.order import Subject, ended, mute_of, standing, unknown
from stream_app.muting.topic import MuteTopic
from stream_app.settings import StreamSettings
from stream_app.tables import aligned

Ask = Callable[[Callable[[StreamSettings], Coroutine[Any, Any, int]]], None]
"""Runs a command that somebody waits for, given the settings; its result is the exit status."""
Say = Callable[[str], None]
_Model = Annotated[str, typer.Argument(help="The model's name, as `mutes` and alerts have it.", metavar="MODEL")]
_OfVersion = Annotated[str | None, typer.Option("--version", help="This version alone. Default: every one.")]
_Feature = Annotated[str | None, typer.Option("--feature", help="This feature alone. Default: the whole model.")]


def add_to(cli: typer.Typer, ask: Ask, say: Say) -> None:
    """Give the command line its three commands. say: a line for people, on standard error."""

    @cli.command("mute")
    def mute(
        model: _Model,
        version: _OfVersion = None,
        feature: _Feature = None,
        until: Annotated[str | None, typer.Option(help="A time: 2026-01-31T12:00:00Z.", metavar="TIME")] = None,
        for_: Annotated[str | None, typer.Option("--for", help="Or a length: 30m, 2h, 7d.", metavar="DURATION")] = None,
        since: Annotated[
            str | None, typer.Option(help="From then on. Default: now. For events of the past.", metavar="TIME")
        ] = None,
        reason: Annotated[str, typer.Option(help="Why, for whoever reads `mutes`.", metavar="TEXT")] = "",
    ) -> None:
        """Page nobody for a model or a feature, in windows that end until a time. Resolves are still sent."""
        subject = Subject(model, version, feature)

        async def order(settings: StreamSettings) -> int:
            now = datetime.now(UTC)
            wanted = mute_of(subject, until=until, for_=for_, since=since, reason=reason, now=now)
            async with MuteTopic.opened(settings, say) as topic:
                if (words := unknown(subject, await topic.features())) is not None:
                    say(f"warning: {words}; the mute is kept for when it comes")
                former = subject.found(await topic.read())
                await topic.write(wanted, now.isoformat())
            print(
                f"muted: {wanted.subject}, in windows that end between {_time(wanted.since)} and {_time(wanted.until)}"
            )
            if former is not None and former.until > now:
                print(f"in place of the mute until {_time(former.until)}")
            return 0

        ask(order)

    @cli.command("unmute")
    def unmute(model: _Model, version: _OfVersion = None, feature: _Feature = None) -> None:
        """End a mute now; what still drifts pages at its next window."""

        async def order(settings: StreamSettings) -> int:
            now = datetime.now(UTC)
            async with MuteTopic.opened(settings, say) as topic:
                mutes = await topic.read()
                over = ended(Subject(model, version, feature), mutes, now)
                await topic.write(over, now.isoformat())
            if (former := mutes[over.key]).until > now:
                print(f"no longer muted: {over.subject}")
            else:
                between = f"between {_time(former.since)} and {_time(former.until)}"
                print(f"nothing was muted now; taken back: the mute of {over.subject} in windows that end {between}")
            return 0

        ask(order)

    @cli.command("mutes")
    def mutes(
        every: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines, as `replay --mutes` takes them.")] = False,
    ) -> None:
        """Show what is muted, the first to end first."""

        async def show(settings: StreamSettings) -> int:
            now = datetime.now(UTC)
            async with MuteTopic.opened(settings, say) as topic:
                known = (await topic.read()).values()
            listed = sorted(known, key=lambda mute: (mute.until, mute.key)) if every else standing(known, now)
            if as_json:
                print("".join(encode_mute(mute).decode() + "\n" for mute in listed), end="")
            elif listed:
                rows = [_row(mute, now) for mute in listed]
                print("\n".join(aligned(["muted", "since", "until", "is", "reason"], rows, left=True)))
            else:
                print("nothing is muted")
            return 0

        ask(show)


def _row(mute: Mute, now: datetime) -> list[str]:
    state = "over" if mute.until <= max(now, mute.since) else "in force" if mute.since < now else "to come"
    return [mute.subject, _time(mute.since), _time(mute.until), state, mute.reason]


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
