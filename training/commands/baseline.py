"""`python -m training baseline`: its options, and what it prints."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Threshold, Window, check_threshold
from training.commands.shell import given_settings, one_line_errors, publisher_of, registered_of, registry_of, say
from training.errors import DataError

Model = Annotated[str, typer.Option(help="Name of the model in the registry, and in its events.")]
Seed = Annotated[int, typer.Option(help="The same seed, data and code give the same model.", min=0, max=2**32 - 1)]


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""
    app.command()(baseline)


def baseline(
    model: Model,
    version: Annotated[str, typer.Option(help="Version of the model, as in its events.")],
    reference: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet file of rows from when all was well. Default: none, see above."),
    ] = None,
    score_column: Annotated[
        str | None, typer.Option(help="Column that holds the model's scores of these rows.")
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Column that holds the truths: 0 and 1, or a regression's values. Performance needs it."),
    ] = None,
    threshold: Threshold = None,
    schema: Annotated[Path | None, typer.Option(help="A dataset.toml; without it the kinds are inferred.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the baseline to this file (JSON).")] = None,
    publish: Annotated[bool, typer.Option(help="Publish to Kafka at TRAINING_BOOTSTRAP.")] = True,
    attach: Annotated[
        bool, typer.Option(help="Also attach it to the version in MLflow, so the api serves it.")
    ] = False,
    time: Annotated[
        str | None, typer.Option(help="Column that holds the rows' times; without it the one the dataset.toml names.")
    ] = None,
    window: Window = None,
    seed: Seed = 0,
) -> None:
    """Fit a baseline to your own file, so that the predictions of any model can be monitored.

    Use rows that the model was not fitted on: it is too sure of those. With --attach and no --score-column the model
    itself scores the rows. Without --reference nothing is fitted: the baseline that the version has in MLflow is handed
    on to --out and to Kafka.
    """
    with one_line_errors():
        from training.commands.narrate import baseline_lines, guess_lines
        from training.commands.remarks import column_lines, score_lines, threshold_lines, window_lines
        from training.compiled.export import export
        from training.making.revision import code_revision
        from training.trained_elsewhere.place import Place
        from training.trained_elsewhere.reference import fit_to_reference, read_reference

        if reference is None:
            _hand_on(
                model,
                version,
                {
                    "--score-column": score_column,
                    "--label-column": label_column,
                    "--threshold": threshold,
                    "--schema": schema,
                    "--attach": attach,
                    "--time": time,
                    "--window": window,
                },
                out,
                publish,
            )
            return
        check_threshold(threshold)
        length = _length(window)
        if time is not None and length is None:
            raise DataError(f"--time {time} needs --window: how long the stream's windows are, such as 1h or 1d")
        settings = given_settings()
        place = Place(out, publisher_of(settings) if publish else None, registry_of(settings) if attach else None)
        place.check()
        registry, registered = place.registry, None if place.registry is None else place.registry.find(model, version)
        read = read_reference(
            reference,
            schema,
            score_column,
            time,
            timed=length is not None,
            label_column=label_column,
            decided=threshold is not None,
        )
        say(guess_lines(read.guesses))
        if registry is not None and registered is not None:
            if read.scores is None:
                read = read.scored_by(registry.load(registered))
            if threshold is None:
                present = registry.present_baseline(registered)
                threshold = None if present is None else present.threshold
                say(threshold_lines(present, f"{model}/{version}"))
        say(column_lines(read.features, read.schema, read.guesses) + score_lines(read.scores))
        say(window_lines(read.time_columns, length))
        fitted = fit_to_reference(
            read,
            model,
            version,
            threshold=threshold,
            code_revision=code_revision(settings.code_revision, Path(__file__).parent),
            seed=seed,
            now=datetime.now(UTC),
            window=length,
        )
        exported = None
        if read.estimator is not None:
            exported = export(read.estimator, read.schema, read.features, model=model, version=version, seed=seed)
        say(baseline_lines(fitted, place.put(fitted, exported), read.times))


def _hand_on(model: str, version: str, given: dict[str, object], out: Path | None, publish: bool) -> None:
    from training.commands.narrate import baseline_lines
    from training.trained_elsewhere.kept_baseline import kept_baseline
    from training.trained_elsewhere.place import Place

    settings = given_settings()
    place = Place(out, publisher_of(settings) if publish else None, None)
    place.check()
    kept = kept_baseline(registered_of(settings, model), version, given)
    say(baseline_lines(kept, place.put(kept)))


def _length(window: str | None) -> int | None:
    from training.baselines.windows import window_length

    return None if window is None else window_length(window)
