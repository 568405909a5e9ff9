"""Request: what a replay is asked to do, made of the command line. Every fault is one line that names the option."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from contracts.baseline import Baseline
from contracts.errors import InvalidBaseline, InvalidMessage
from contracts.mutes import Mute, decode_mute
from stream_app.agents.configured import limits, window_config
from stream_app.errors import ReplayError
from stream_app.replay import spelling
from stream_app.replay.judging import Plan
from stream_app.replay.kinds import LINES, TABLES
from stream_app.replay.settings import COMPARABLE, OPTIONS, compared, described, has_broker, judging, settings_of
from stream_app.replay.spelling import OffsetRange
from stream_app.settings import StreamSettings
from stream_app.windowing.typed import Version


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The command line, as it was written; see command.py for what each means."""

    file: Path | None = None
    from_: str | None = None
    to: str | None = None
    offsets: str | None = None
    baseline: Sequence[str] = ()
    model: str | None = None
    model_version: str | None = None
    column: Sequence[str] = ()
    utc: bool = False
    sort: bool = False
    durations: Mapping[str, str] = {}
    numbers: Mapping[str, object] = {}
    compare: Sequence[str] = ()
    mutes: Path | None = None
    strict: bool = False
    keep_cut: bool = False
    output: Path | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """since, before: milliseconds UTC. offsets: by partition; None: all there is. names: of the plan's judgements.

    mutes: None is those of the topic `alert-mutes`. settings: where the topics are. ask_broker: the baselines are to be
    found there, too.
    """

    file: Path | None
    is_table: bool
    sort: bool
    since: int | None
    before: int | None
    offsets: Mapping[int, OffsetRange] | None
    columns: Mapping[str, str]
    model: str | None
    model_version: str | None
    utc: bool
    baselines: Mapping[Version, Baseline]
    strict: bool
    keep_cut: bool
    output: Path | None
    plan: Plan
    mutes: tuple[Mute, ...] | None
    names: tuple[str, ...]
    settings: StreamSettings
    ask_broker: bool


def request_of(words: Words) -> Request:
    """Check and read everything that can be before anything is replayed. Raises StreamError."""
    is_table = _check(words)
    durations = {field: spelling.duration(OPTIONS[field], text) for field, text in words.durations.items()}
    given: dict[str, object] = {**durations, **words.numbers}
    settings = settings_of(given, broker=words.file is None)
    judgements, names = [judging(settings, given)], ["asked"]
    if words.compare:
        (compare,) = words.compare
        changes = spelling.pairs("--compare", compare.split(","), tuple(COMPARABLE))
        other = compared(changes)
        changed = settings_of({**given, **other}, broker=words.file is None, option="--compare")
        judgements.append(judging(changed, {**given, **other}, prefix=f"--compare {compare}"))
        names = [described(settings, other), compare]
    since = None if words.from_ is None else spelling.moment("--from", words.from_)
    before = None if words.to is None else spelling.moment("--to", words.to)
    if since is not None and before is not None and before <= since:
        raise ReplayError(f"--to {words.to}: it is not after --from {words.from_}")
    baselines = _read_baselines(words.baseline)
    if words.file is not None and not baselines and not has_broker():
        raise ReplayError("a file needs the baseline of its model: give --baseline FILE, or set STREAM_BOOTSTRAP")
    return Request(
        file=words.file,
        is_table=is_table,
        sort=words.sort,
        since=since,
        before=before,
        offsets=None if words.offsets is None else spelling.offsets("--offsets", words.offsets),
        columns=spelling.pairs("--column", words.column),
        model=words.model,
        model_version=words.model_version,
        utc=words.utc,
        baselines=baselines,
        strict=words.strict,
        keep_cut=words.keep_cut,
        output=words.output,
        plan=Plan(
            windows=window_config(settings),
            idle_ms=round(settings.idle_seconds * 1000),
            limits=limits(settings),
            judgements=tuple(judgements),
        ),
        mutes=_mutes(words),
        names=tuple(names),
        settings=settings,
        ask_broker=words.file is None or not baselines,
    )


def _check(words: Words) -> bool:
    """Options that do not go together, and files that are not there. Returns whether the file is a table."""
    if words.offsets is not None and (words.from_ is not None or words.to is not None):
        raise ReplayError("--offsets and --from or --to: a range is of offsets or of times, give one of the two")
    if len(words.compare) > 1:
        raise ReplayError(
            f"--compare is there {len(words.compare)} times, and one judgement is compared with one other: put all "
            f"changes into one, such as --compare preset=classic,page-after=3, or replay once for each"
        )
    of_table = {
        "--model": words.model,
        "--model-version": words.model_version,
        "--column": words.column,
        "--utc": words.utc,
    }
    of_topic = {"--from": words.from_, "--to": words.to, "--offsets": words.offsets, "--strict": words.strict}
    if words.file is None:
        _refuse({**of_table, "--sort": words.sort}, "is for a file, name one with --file")
        return False
    if words.file.is_dir():
        raise ReplayError(f"--file {words.file}: it is a directory, name one file in it")
    if not words.file.is_file():
        raise ReplayError(f"--file {words.file}: there is no such file")
    if words.output is not None and words.output.exists() and words.output.samefile(words.file):
        raise ReplayError(f"--output {words.output}: that is the file to be read; name another")
    _refuse({**of_topic, "--keep-cut": words.keep_cut}, "is for the topic, not for a file")
    if words.file.name.endswith(TABLES):
        return True
    if not words.file.name.endswith(LINES):
        raise ReplayError(f"--file {words.file}: unknown kind of file: use {', '.join((*LINES, *TABLES))}")
    _refuse(of_table, "is for CSV and Parquet; an event in JSON Lines says all of that itself")
    return False


def _refuse(options: Mapping[str, object], why: str) -> None:
    for option, value in options.items():
        if value:
            raise ReplayError(f"{option} {why}")


def _read_baselines(texts: Iterable[str]) -> dict[Version, Baseline]:
    """By the version they are for: that before the "=", else their own. Raises ReplayError.

    A baseline that is to stand for another version takes that one's name, so its reports name the events' version.
    """
    found: dict[Version, Baseline] = {}
    for text in texts:
        name, equals, file = text.rpartition("=")
        path = Path(file)
        if equals and not path.exists() and Path(text).exists():  # a file with "=" in its name
            name, path = "", Path(text)
        baseline = _read_baseline(path)
        if name:
            model, slash, version = name.rpartition("/")
            if not (model and slash and version):
                raise ReplayError(f"--baseline {text}: {name!r} is not MODEL/VERSION, such as flights/3=baseline.json")
            baseline = msgspec.structs.replace(baseline, model=model, version=version)
        key = baseline.model, baseline.version
        if key in found:
            raise ReplayError(f"--baseline {text}: {baseline.key} has one already; give one for each version")
        found[key] = baseline
    return found


def _mutes(words: Words) -> tuple[Mute, ...] | None:
    """Those of the file that was named; None: those of the topic. A replay of a file has no topic of mutes."""
    if words.mutes is None:
        return None if words.file is None else ()
    try:
        lines = words.mutes.read_bytes().splitlines()
    except OSError as error:
        raise ReplayError(f"--mutes {words.mutes}: cannot be read: {error.strerror or error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [decode_mute(line)] if line.strip() else []
        except InvalidMessage as error:
            raise ReplayError(
                f"--mutes {words.mutes}, line {number}: {error}; `python -m stream_app mutes --all --json` prints such"
            ) from error
    return tuple(found)


def _read_baseline(path: Path) -> Baseline:
    try:
        return Baseline.from_bytes(path.read_bytes())
    except OSError as error:
        raise ReplayError(f"--baseline {path}: cannot be read: {error.strerror or error}") from error
    except InvalidBaseline as error:
        raise ReplayError(
            f"--baseline {path}: {error}; training writes one beside each model: baseline.json"
        ) from error
