"""Workers of version N and N + 1 side by side: each reads what the other has stored or sent, or says that it cannot.

N + 1 is made up here: its structs are those of today with one field more. See docs/decisions/0007.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic

import msgspec
import pytest

from contracts import events
from contracts.baseline import Baseline
from contracts.errors import InvalidBaseline
from contracts.events import FeaturesT, PredictionEvent, event_decoder, version_decoder
from contracts.histogram import Counts
from contracts.partials import Heartbeat, decode_partial
from tests.builders import a_baseline
from tests.contracts.messages import EXAMPLES, MESSAGES, PARTIAL, Message

# The features of an event are the model's: its decoder is made from the baseline's schema.
BEFORE_CAUSES = EXAMPLES / "before-causes"
BEFORE_WORDS = EXAMPLES / "before-words"
READ = [message for message in MESSAGES if message.file != "prediction-event.json"]


def _codec(message: Message) -> Any:
    return msgspec.msgpack if message.file.endswith(".msgpack") else msgspec.json


def next_version(message: Message) -> type[msgspec.Struct]:
    """The struct of this message as version N + 1 has it: a new field at the end, optional, with a default."""
    config = type(message.value).__struct_config__
    return msgspec.defstruct(
        type(message.value).__name__,
        [("added", int, 7)],
        bases=(type(message.value),),
        kw_only=True,
        frozen=True,
        tag=config.tag,
        dict=config.dict,
    )


@pytest.mark.parametrize("message", READ, ids=lambda m: m.file)
def test_what_the_next_version_writes_with_a_new_field_is_read_by_this_one(message: Message) -> None:
    codec = _codec(message)
    later = next_version(message)(**{name: getattr(message.value, name) for name in message.value.__struct_fields__})
    written = codec.encode(later)
    assert b"added" in written
    assert message.decode(written) == message.value


@pytest.mark.parametrize("message", READ, ids=lambda m: m.file)
def test_what_this_version_has_written_is_read_by_the_next_one_with_the_default_of_a_new_field(
    message: Message,
) -> None:
    read = _codec(message).decode((EXAMPLES / message.file).read_bytes(), type=next_version(message), strict=False)
    assert read.added == 7
    assert all(getattr(read, name) == getattr(message.value, name) for name in message.value.__struct_fields__)


def test_an_event_of_a_later_api_with_a_new_field_is_counted_by_this_version() -> None:
    golden = (EXAMPLES / "prediction-event.json").read_bytes()
    decoder = event_decoder(a_baseline(rows=60).schema)
    assert decoder.decode(b'{"added":{"deep":[1]},' + golden[1:]) == decoder.decode(golden)


class Later(PredictionEvent[FeaturesT], Generic[FeaturesT], frozen=True, gc=False):
    """An event of version N + 1."""

    tags: list[str] = msgspec.field(default_factory=list)
    site: str | None = msgspec.field(default=None, name="at")


def of_its_version() -> Any:
    baseline = a_baseline(rows=60)
    return version_decoder(baseline.schema, baseline.model, baseline.version)


def test_an_event_of_a_later_api_is_the_same_to_the_decoder_of_its_version() -> None:
    golden = (EXAMPLES / "prediction-event.json").read_bytes()
    later = golden[:-1] + b',"tags":["x"],"at":"here"}'
    assert of_its_version().decode(later).id == event_decoder(a_baseline(rows=60).schema).decode(golden).id


@pytest.mark.parametrize(
    ("added", "tags", "site"), [(b"", [], None), (b',"tags":["x"],"at":"here"', ["x"], "here")], ids=["without", "with"]
)
def test_the_next_versions_decoder_of_one_model_version_knows_its_new_fields(
    added: bytes, tags: list[str], site: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = msgspec.json.decode((EXAMPLES / "prediction-event.json").read_bytes())
    required = {field.name for field in msgspec.structs.fields(PredictionEvent) if field.required}
    written = msgspec.json.encode({name: value for name, value in golden.items() if name in required})
    today = of_its_version().decode(written)
    monkeypatch.setattr(events, "PredictionEvent", Later)
    read = of_its_version().decode(written[:-1] + added + b"}")
    assert (read.tags, read.site) == (tags, site)
    for name in PredictionEvent.__struct_fields__:
        assert str(getattr(read, name)) == str(getattr(today, name))
    assert (read.role, read.decision, read.latency_ms, read.entity_id, read.v) == ("champion", None, None, None, 1)


def test_counts_grow_at_their_end_only_and_both_versions_read_them() -> None:
    # they travel as a list: their fields are known by their places
    later = msgspec.defstruct("Counts", [("added", int, 7)], bases=(Counts,), frozen=True, array_like=True)
    today, tomorrow = PARTIAL.score, later(*msgspec.structs.astuple(PARTIAL.score), 9)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(tomorrow), type=Counts) == today
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(today), type=later).added == 7
    fields = msgspec.msgpack.decode((EXAMPLES / "window-partial.msgpack").read_bytes())
    fields["score"].append(9)
    assert decode_partial(msgspec.msgpack.encode(fields)) == PARTIAL


def test_both_versions_give_a_baseline_the_same_name_and_hand_it_on_whole() -> None:
    # N + 1 has added a field; windows that N and N + 1 count must be found to be made with one baseline
    golden = (EXAMPLES / "baseline.json").read_bytes()
    later = golden[:-1] + b',"added":7}'
    read = Baseline.from_bytes(later)
    assert read.to_bytes() == later
    assert read.digest != Baseline.from_bytes(golden).digest
    assert Baseline.from_bytes(read.to_bytes()).digest == read.digest
    changed = msgspec.structs.replace(read, created=datetime(2026, 1, 2, tzinfo=UTC))
    assert b"added" not in changed.to_bytes()
    assert changed.digest != read.digest


@pytest.mark.parametrize(
    ("where", "words"),
    [(b'"kind":"numeric",', "added"), (b'"type":"numeric",', "added")],
    ids=["a feature", "bins"],
)
def test_what_says_how_to_count_is_refused_where_it_has_a_field_that_this_version_does_not_know(
    where: bytes, words: str
) -> None:
    golden = (EXAMPLES / "baseline.json").read_bytes()
    later = golden.replace(where, where + b'"added":7,', 1)
    assert later != golden
    with pytest.raises(InvalidBaseline, match=words):
        Baseline.from_bytes(later)


def test_a_heartbeat_from_before_owners_were_named_has_none() -> None:
    fields = msgspec.msgpack.decode((EXAMPLES / "heartbeat.msgpack").read_bytes())
    assert fields.pop("owner") == "worker-1"
    older = decode_partial(msgspec.msgpack.encode(fields))
    assert isinstance(older, Heartbeat)
    assert (older.partition, older.owner) == (3, "")


@pytest.mark.parametrize("file", sorted(path.name for path in BEFORE_CAUSES.iterdir()))
def test_what_was_written_before_there_were_causes_reminders_and_mutes_is_read(file: str) -> None:
    (message,) = [message for message in MESSAGES if message.file == file]
    assert (BEFORE_CAUSES / file).read_bytes() != (EXAMPLES / file).read_bytes()
    assert type(message.decode((BEFORE_CAUSES / file).read_bytes())) is type(message.value)


def test_a_heartbeat_from_before_idle_ones_named_another_has_no_name_and_names_none() -> None:
    former = (BEFORE_WORDS / "heartbeat.msgpack").read_bytes()
    assert b"said" not in former
    assert b"behind" not in former
    read = decode_partial(former)
    assert isinstance(read, Heartbeat)
    assert (read.partition, read.idle, read.owner, read.said, read.behind) == (3, True, "worker-1", 0, 0)
