"""The command line of the benchmarks. To add one: a file that makes a `Benchmark`, a line in BENCHMARKS and its name
in names.py.

An option that only some benchmarks take is a field of `Options`, a name in `Extra` and a parameter below.
"""

# No `from __future__ import annotations`: the help of NAME is made from what there is to measure.
import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from bench.api.run import API
from bench.benchmark import EXTRA, BenchError, Benchmark, Extra, Options
from bench.closing import CLOSING
from bench.counting import COUNTING
from bench.days.run import DAYS
from bench.detection.causes import CAUSES
from bench.detection.effects import EFFECTS
from bench.detection.run import DETECTION
from bench.drain.run import DRAIN
from bench.episodes import EPISODES
from bench.fitting import TRAINING
from bench.gates import GATES_BENCH
from bench.growth.run import GROWTH
from bench.labelling import LABELS_STREAM
from bench.labels.run import LABELS_TAKEN
from bench.latency.run import LATENCY
from bench.loop.run import LOOP
from bench.names import check_name
from bench.nemesis.run import NEMESIS
from bench.performance.run import PERFORMANCE
from bench.quiet import QUIET
from bench.references import REFERENCES_NEEDED
from bench.replay import REPLAY
from bench.scoring import SCORING
from bench.stream.run import STREAM
from bench.swap.run import SWAP

BENCHMARKS: tuple[Benchmark, ...] = (
    QUIET,
    EPISODES,
    GATES_BENCH,
    DAYS,
    DETECTION,
    CAUSES,
    EFFECTS,
    PERFORMANCE,
    COUNTING,
    CLOSING,
    SCORING,
    API,
    DRAIN,
    LABELS_TAKEN,
    LABELS_STREAM,
    REFERENCES_NEEDED,
    NEMESIS,
    STREAM,
    LATENCY,
    LOOP,
    GROWTH,
    REPLAY,
    SWAP,
    TRAINING,
)


_OF = re.compile(r" ?\(Of: [^)]*\)")
"""Who takes an option: said in the help of all, not in that of one."""


def command_line(benchmarks: Sequence[Benchmark]) -> typer.Typer:
    """The command that takes any of these measurements; status 2 with one line where it cannot be taken."""
    known = ", ".join(benchmark.name for benchmark in benchmarks)

    def _of(extra: Extra, text: str) -> str:
        """The help of an option that only some benchmarks take."""
        return f"{text} (Of: {', '.join(benchmark.name for benchmark in benchmarks if extra in benchmark.takes)}.)"

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command(add_help_option=False)  # its --help knows NAME
    def bench(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help=f"{known}; without it the list.", show_default=False)] = "",
        as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object of figures.")] = False,
        seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.", min=0)] = 1,
        quick: Annotated[bool, typer.Option("--quick", help="A smaller run.")] = False,
        data: Annotated[str, typer.Option(help=_of("data", "Data set: flights or payments."))] = "flights",
        seconds: Annotated[float | None, typer.Option(help=_of("seconds", "Length of the load."), min=1)] = None,
        rate: Annotated[float | None, typer.Option(help=_of("rate", "Events a second."), min=1)] = None,
        events: Annotated[int | None, typer.Option(help=_of("events", "Events in all."), min=1)] = None,
        workers: Annotated[int | None, typer.Option(help=_of("workers", "How many."), min=1)] = None,
        partitions: Annotated[int | None, typer.Option(help=_of("partitions", "Of the topic."), min=1)] = None,
        only: Annotated[str, typer.Option(help=_of("only", "Parts to run, with commas between."))] = "",
        faults: Annotated[str | None, typer.Option(help=_of("faults", "Which faults: all, dynamic or kill."))] = None,
        profile: Annotated[bool, typer.Option("--profile", help=_of("profile", "Say where the time goes."))] = False,
        figure: Annotated[str | None, typer.Option(help=_of("figure", "File for a picture: .svg or .png."))] = None,
        wanted: Annotated[bool, typer.Option("--help", help="Show this; behind NAME, show what is of NAME.")] = False,
    ) -> None:
        """Take one measurement; without NAME list what can be measured, how long it takes and which options it has."""
        if wanted and not name:
            typer.echo(context.get_help())
            return
        if not name:
            typer.echo("\n".join(benchmark.listed for benchmark in benchmarks))
            typer.echo("All take --seed, --quick and --json.")
            return
        try:
            options = Options(
                seed=seed,
                quick=quick,
                data=data,
                seconds=seconds,
                rate=rate,
                events=events,
                workers=workers,
                partitions=partitions,
                only=tuple(part.strip() for part in only.split(",") if part.strip()),
                faults=faults,
                profile=profile,
                figure=figure,
            )
            benchmark = _named(name, benchmarks)
            if wanted:
                typer.echo(_help(benchmark, context))
                return
            _refuse_what_it_does_not_take(benchmark, options)
            figures = benchmark.run(options, typer.echo)
        except BenchError as error:
            typer.echo(f"bench: {error}", err=True)
            raise typer.Exit(2) from error
        if as_json:
            typer.echo(msgspec.json.encode(figures).decode())
        if not benchmark.held(figures):
            raise typer.Exit(1)

    return app


def _named(name: str, benchmarks: Sequence[Benchmark]) -> Benchmark:
    by_name = {benchmark.name: benchmark for benchmark in benchmarks}
    check_name(name, by_name)
    return by_name[name]


def _help(benchmark: Benchmark, context: typer.Context) -> str:
    """What one benchmark measures, how long that takes, and the options that mean something to it."""
    foreign = set(EXTRA) - set(benchmark.takes)
    options = [option for option in context.command.params if option.name not in {"name", *foreign}]
    records = [record for option in options if (record := option.get_help_record(context))]
    text = context.make_formatter()
    text.write_usage(context.command_path, f"{benchmark.name} [OPTIONS]")
    text.write_paragraph()
    text.write_text(benchmark.title)
    if benchmark.lasts:
        text.write_text(f"Lasts {benchmark.lasts}.")
    with text.section("Options"):
        text.write_dl([(names, _OF.sub("", words)) for names, words in records])
    return text.getvalue().rstrip()


def _refuse_what_it_does_not_take(benchmark: Benchmark, options: Options) -> None:
    default = Options()
    given = [extra for extra in EXTRA if getattr(options, extra) != getattr(default, extra)]
    if foreign := [f"--{extra}" for extra in given if extra not in benchmark.takes]:
        takes = ", ".join(f"--{extra}" for extra in benchmark.takes) or "none of them"
        raise BenchError(f"{benchmark.name} does not take {', '.join(foreign)} (of such options it takes {takes})")
