"""The command line of the benchmarks. To add one: a file that makes a `Benchmark`, and a line in BENCHMARKS."""

# No `from __future__ import annotations`: the help of NAME is made from what there is to measure.
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from bench.benchmark import BenchError, Benchmark, Options
from bench.episodes import EPISODES
from bench.quiet import QUIET

BENCHMARKS: tuple[Benchmark, ...] = (QUIET, EPISODES)


def command_line(benchmarks: Sequence[Benchmark]) -> typer.Typer:
    """The command that takes any of these measurements; status 2 with one line where it cannot be taken."""
    known = ", ".join(benchmark.name for benchmark in benchmarks)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def bench(
        name: Annotated[str, typer.Argument(help=f"{known}; without it the list.", show_default=False)] = "",
        as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object of figures.")] = False,
        seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.", min=0)] = 1,
        quick: Annotated[bool, typer.Option("--quick", help="A smaller run.")] = False,
        data: Annotated[str, typer.Option(help="Data set: flights or payments.")] = "flights",
    ) -> None:
        """Take one measurement; without NAME list what can be measured."""
        if not name:
            typer.echo("\n".join(f"{benchmark.name:10} {benchmark.title}" for benchmark in benchmarks))
            return
        try:
            figures = _named(name, benchmarks).run(Options(seed=seed, quick=quick, data=data), typer.echo)
        except BenchError as error:
            typer.echo(f"bench: {error}", err=True)
            raise typer.Exit(2) from error
        if as_json:
            typer.echo(msgspec.json.encode(figures).decode())

    return app


def _named(name: str, benchmarks: Sequence[Benchmark]) -> Benchmark:
    for benchmark in benchmarks:
        if benchmark.name == name:
            return benchmark
    known = ", ".join(benchmark.name for benchmark in benchmarks)
    raise BenchError(f"no benchmark {name!r}: choose one of {known}")
