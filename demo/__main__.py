"""`python -m demo`: run (the story of `make demo`), up and down, load (the load generator), receiver, data."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from demo.datasets.catalogue import dataset_named
from demo.datasets.dataset import Dataset
from demo.datasets.write import write
from demo.errors import DemoError
from demo.scenario import Plan
from demo.stack.errors import StackError

VAR = Path(__file__).parents[1] / "var"
Result = TypeVar("Result")

_LOOKS = {
    "status": "partitions, workers, open windows, and what holds time back",
    "reports": "what the newest windows say of drift and performance",
    "audit": "is every record accounted for?",
    "replay": "count and judge it again, with other thresholds if you like",
}
"""Commands to look at what is up."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
DataName = Annotated[str, typer.Option(help="Data set: flights or payments.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn.")]


def _dataset(name: str) -> Dataset:
    try:
        return dataset_named(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--data") from error


def _guarded(work: Callable[[], Result]) -> Result:
    """Run it; an error that a user can mend becomes one message and status 2, Ctrl-C becomes status 130."""
    try:
        return work()
    except (DemoError, StackError, ValueError, OSError) as error:
        typer.echo(f"demo: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo("demo: stopped by Ctrl-C; everything it started has ended", err=True)
        raise typer.Exit(130) from None


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    return _guarded(lambda: asyncio.run(work))


@app.command()
def run(
    data: DataName = "flights",
    seed: Seed = 1,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second; 0: as fast as it goes.")] = 500.0,
    quiet_windows: Annotated[int, typer.Option(min=4, help="Windows without drift.")] = 8,
    episode_windows: Annotated[int, typer.Option(min=2, help="Windows of each episode of drift.")] = 4,
    directory: Annotated[Path, typer.Option(show_default="var/demo", help="Where everything is kept.")] = VAR / "demo",
) -> None:
    """The whole loop on real servers; status 0 only if every promise held."""
    from demo.run import run as tell

    plan = Plan(quiet_windows=quiet_windows, episode_windows=episode_windows)
    console = Console(width=None if sys.stdout.isatty() else 140)
    held = _run(tell(_dataset(data), directory.resolve(), seed=seed, rate=rate, plan=plan, console=console))
    raise typer.Exit(0 if held else 1)


@app.command()
def up(
    data: DataName = "flights",
    window_seconds: Annotated[int, typer.Option(min=1, help="Length of a window.")] = 60,
    directory: Annotated[Path, typer.Option(show_default="var/up", help="Where everything is kept.")] = VAR / "up",
) -> None:
    """Start everything and leave it running; prints the URLs."""
    from demo.up import noted_end, refuse_if_up
    from demo.up import up as start

    dataset, home = _dataset(data), directory.resolve()
    _guarded(lambda: refuse_if_up(home))
    if why := _guarded(lambda: noted_end(home)):
        typer.echo(f"the last one ended by itself, {why}", err=True)
    typer.echo("starting Kafka, Redis, training, the API, two workers and the webhook sink: 40 s to 3 minutes ...")
    kept = _guarded(lambda: start(data, home, window_seconds, lambda line: typer.echo(f"  {line}")))
    for what, where in kept.urls.items():
        typer.echo(f"  {what:18} {where}")
    load = f"{_python()} -m demo load --data {data} --url {kept.urls['predictions'].removesuffix('/predict')}"
    episode = dataset.episodes[0]
    typer.echo(
        f"quiet traffic: {load} --events 20000 --rate 100\n"
        f"with drift:    {load} --events 20000 --rate 100 --episode {episode.name}\n"
        f"               a window lasts {window_seconds} s; the alert comes when two of them have ended\n"
        "what is going on:"
    )
    typer.echo("  export " + " ".join(f"{name}={value}" for name, value in kept.stream.items()))
    for command, what in _LOOKS.items():
        typer.echo(f"  {f'{_python()} -m stream_app {command}':40} # {what}")
    typer.echo("end:           make down (the next make up begins anew, without this one's data)")


def _python() -> str:
    """The interpreter, as one would type it here."""
    program = Path(sys.executable)
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)


@app.command()
def down(
    directory: Annotated[Path, typer.Option(show_default="var/up", help="As given to `up`.")] = VAR / "up",
) -> None:
    """End what `up` started."""
    from demo.up import down as stop
    from demo.up import noted_end

    home = directory.resolve()
    if _guarded(lambda: stop(home)):
        typer.echo("stopped")
    elif why := _guarded(lambda: noted_end(home)):
        typer.echo(f"nothing is up: it ended by itself, {why}")
    else:
        typer.echo("nothing is up")


@app.command(hidden=True)
def keep(
    data: DataName, directory: Annotated[Path, typer.Option()], window_seconds: Annotated[int, typer.Option()]
) -> None:
    """The process behind `up`."""
    from demo.up import keep as supervise

    _run(supervise(_dataset(data), directory, Plan(window=timedelta(seconds=window_seconds)), seed=1))


@app.command()
def load(
    url: Annotated[str, typer.Option(help="The API, such as http://127.0.0.1:8000.")],
    data: DataName = "flights",
    events: Annotated[int, typer.Option(min=1, help="How many predictions to ask for.")] = 1_000,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second; 0: as fast as it goes.")] = 500.0,
    connections: Annotated[int, typer.Option(min=1, max=512, help="Kept open in parallel.")] = 16,
    episode: Annotated[str, typer.Option(help="Send rows of this episode of the data set instead of quiet ones.")] = "",
    drift: Annotated[
        str, typer.Option(help="Inject kind:features, or with :size, or :size:share, as unit:distance:1.609:0.33.")
    ] = "",
    start: Annotated[str, typer.Option(help="Event time of the first event, RFC 3339; default: the API's clock.")] = "",
    step: Annotated[
        float, typer.Option(min=0, max=1e8, help="Seconds of event time between events, with --start.")
    ] = 1.0,
    seed: Seed = 1,
    answered: Annotated[Path | None, typer.Option(help="Write the answered ids there, for `audit --answered`.")] = None,
) -> None:
    """Send rows of a data set to an API and count what it answers; status 1 if one was refused."""
    from demo.one_load import Order, deliver

    try:
        begin = datetime.fromisoformat(start) if start else None
    except ValueError as error:
        raise typer.BadParameter(f"{start!r} is no RFC 3339 time", param_hint="--start") from error
    if begin and begin.tzinfo is None:
        begin = begin.replace(tzinfo=UTC)
    order = Order(_dataset(data), events, episode, drift, begin, timedelta(seconds=step), seed)
    if answered:
        _guarded(partial(answered.write_text, ""))  # a place that cannot be written is found out now, not at the end
    tally = _run(deliver(order, url, rate, connections))
    if answered:
        answered.write_text("".join(f"{id_}\n" for id_ in tally.answered), encoding="utf-8")
    refused = ", ".join(f"{count} x {status or 'no connection'}" for status, count in sorted(tally.refused.items()))
    typer.echo(f"answered {len(tally.answered):,} of {events:,}" + (f"; refused: {refused}" if refused else ""))
    if tally.first_refusal:
        typer.echo(f"first refusal: {tally.first_refusal}")
    if tally.gave_up:
        typer.echo("nobody answered any more, so the rest was not sent")
    raise typer.Exit(1 if tally.refused else 0)


@app.command()
def data(
    name: Annotated[str, typer.Argument(help="flights or payments.")],
    out: Annotated[Path, typer.Option(help="Directory to write to.")],
    seed: Seed = 1,
) -> None:
    """Write a data set's reference rows and its dataset.toml, as `python -m training train --data` reads them."""
    typer.echo(_guarded(lambda: write(_dataset(name), out, seed)))


@app.command()
def receiver(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9000,
    file: Annotated[
        Path, typer.Option(show_default="var/alerts.jsonl", help="Append each accepted alert there, one JSON line.")
    ] = VAR / "alerts.jsonl",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    secret: Annotated[str, typer.Option(envvar="DEMO_RECEIVER_SECRET", help="whsec_ and base64, as the sink's.")] = "",
) -> None:
    """A webhook receiver that verifies signatures; the sink's secret comes from DEMO_RECEIVER_SECRET."""
    from demo.receiver import serve

    if not secret:
        raise typer.BadParameter("set it to the sink's SINK_WEBHOOK_SECRET", param_hint="DEMO_RECEIVER_SECRET")
    _guarded(lambda: serve(host, port, secret, file))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its first contacts with a fresh broker log as errors
    app()
