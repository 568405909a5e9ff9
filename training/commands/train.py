"""`python -m training train`: its options, and what it prints."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.registry_address import shown
from training.commands.options import Threshold, Window, check_threshold
from training.commands.shell import (
    given_settings,
    model_events_of,
    one_line_errors,
    publisher_of,
    registry_of,
    say,
    somebody,
)
from training.settings import Settings

if TYPE_CHECKING:
    from training.making.train import Plan, Trained

Config = Annotated[
    Path | None,
    typer.Option(help="A training.yaml: checks of the data, search, calibration, and an evaluation of the version."),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder that holds a dataset.toml, or the path of one. With --config: instead of its data."),
]
Model = Annotated[
    str | None,
    typer.Option(help="Name of the model in the registry, and in its events. With --config: instead of its model."),
]
Seed = Annotated[
    int | None, typer.Option(help="The same seed, data and code give the same model. Default: 0.", min=0, max=2**32 - 1)
]
Estimator = Annotated[str | None, typer.Option(help="hgb (boosted trees), logistic or forest. Default: hgb.")]
Alias = Annotated[
    str | None,
    typer.Option(
        help="What the new version becomes; the api serves the champion. Default: champion where there is none yet, "
        "else challenger; with --config: its alias. A champion that there is only `promote` replaces."
    ),
]

_UNKNOWN = "HOST:PORT"
"""Where the API needs an address that training was not given."""


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""

    @app.command()
    def train(
        config: Config = None,
        data: Data = None,
        model: Model = None,
        seed: Seed = None,
        estimator: Estimator = None,
        threshold: Threshold = None,
        alias: Alias = None,
        window: Window = None,
        out: Annotated[Path | None, typer.Option(help="Also write the new version's number to this file.")] = None,
    ) -> None:
        """Fit a model to described data, register it in MLflow with its baseline, and publish the baseline.

        With --config as the file says; --data, --model, --seed and --alias go before it. Without: fitted to three
        quarters of the rows, and without --threshold decided where F1 is best on the rest.
        """
        with one_line_errors():
            # Imported here: --help need not wait for scikit-learn.
            from training.commands.file_out import write_file
            from training.making.asked import asked, asked_by_config
            from training.making.revision import code_revision

            check_threshold(threshold, most=1.0)
            settings = given_settings()
            revision, now = code_revision(settings.code_revision, Path(__file__).parent), datetime.now(UTC)
            if config is None:
                plan = asked(data, model, estimator, seed, threshold, alias, window, revision, now)
            else:
                inside = {"--estimator": estimator, "--threshold": threshold, "--window": window}
                plan = asked_by_config(config, data, model, seed, alias, inside, revision, now)
            trained = _run(plan, settings)
            if out is not None:
                say([write_file(out, trained.version.version.encode())])
            say([next_line(trained.version.model, trained.version.version, trained.alias, settings)])


def _run(plan: Plan, settings: Settings) -> Trained:
    from rich.console import Console

    from training.commands.narrate import trained_lines
    from training.commands.progress import following
    from training.commands.remarks import column_lines, score_lines, window_lines
    from training.making.train import train as run

    publisher = publisher_of(settings)
    if plan.config is None:
        trained = run(plan, registry_of(settings), publisher)
    else:
        with following(Console()) as audience:
            steps = model_events_of(settings)
            trained = run(plan, registry_of(settings), publisher, audience, steps, somebody())
    where = None if publisher is None else f"topic {publisher.topic} at {publisher.bootstrap}"
    say(trained_lines(trained, plan, shown(settings.tracking_uri), where))
    samples, time = trained.samples, trained.samples.description.time
    say(column_lines(samples.features, samples.schema) + score_lines(trained.fitted.scores))
    say(window_lines([] if time is None else [time], plan.window))
    return trained


def next_line(model: str, version: str, alias: str, settings: Settings) -> str:
    """The command that goes on from here, to be copied into the same shell: with the settings of this training, and
    without a password. A version that is no champion answers nobody.
    """
    from training.registry.registered import CHAMPION

    model = shlex.quote(model)
    if alias == CHAMPION:
        uri = settings.tracking_uri
        given = {
            "API_MODEL": model,
            "API_TRACKING_URI": shlex.quote(uri) if shown(uri) == uri else '"$TRAINING_TRACKING_URI"',
            "API_BOOTSTRAP": shlex.quote(settings.bootstrap or _UNKNOWN),
            **({"API_TOPIC_PREFIX": shlex.quote(settings.topic_prefix)} if settings.topic_prefix else {}),
        }
        first = "serve it" if settings.bootstrap else f"serve it, with Kafka's address for {_UNKNOWN}"
        return f"next        {first}: {' '.join(f'{name}={value}' for name, value in given.items())} python -m api"
    return (
        f"next        no user gets its answers yet: python -m training gate {version} --model {model} "
        f"&& python -m training promote {version} --model {model}"
    )
