"""The events that are counted in the measurements."""

from __future__ import annotations

import json

from bench.stream.material import ROWS, Material, event_id, iso, wire
from contracts.baseline import Baseline
from contracts.events import EventId, decode_event, encode_event, event_decoder, event_time_ms, parse_id
from contracts.window import WindowCounts
from stream_app.drift.report import report

MATERIAL = Material(20, seed=3)
NOON_MS = 1_767_268_800_007
ID = event_id(b"bench.00", 1_732_195_000_000, 42)


def values(templates: list, number: int = ROWS) -> list:
    decoder = event_decoder(MATERIAL.schema)
    return [decoder.decode(wire(templates[i], ID, iso(NOON_MS))) for i in range(number)]


def test_an_id_is_one_that_the_stream_knows_as_the_apis() -> None:
    assert parse_id(ID.decode()) == EventId("bench.00", 1_732_195_000_000, 42)
    assert ID.decode() == str(EventId("bench.00", 1_732_195_000_000, 42))


def test_an_event_is_in_the_wire_format_with_its_own_id_and_time() -> None:
    data = wire(MATERIAL.rows[7], ID, iso(NOON_MS))
    event = decode_event(data)
    assert (event.id, event_time_ms(event), event.model, event.model_version) == (ID.decode(), NOON_MS, "bench", "1")
    assert json.loads(encode_event(event)) | {"event_time": ""} == json.loads(data) | {"event_time": ""}
    assert tuple(event.features) == MATERIAL.schema.names


def test_of_20_features_16_are_numbers_4_are_categories_some_are_null_and_an_event_has_about_640_bytes() -> None:
    kinds = [feature.kind for feature in MATERIAL.schema.features]
    assert (kinds.count("numeric"), kinds.count("categorical")) == (16, 4)
    sizes = [len(wire(row, ID, iso(NOON_MS))) for row in MATERIAL.rows]
    assert 620 < sum(sizes) / len(sizes) < 660
    nulls = sum(row.after.count(b"null") - row.after.count(b'"entity_id":null') for row in MATERIAL.rows)
    assert 0.015 < nulls / (20 * ROWS) < 0.025


def test_rows_fit_the_baseline_and_drifted_ones_do_not() -> None:
    assert Baseline.from_bytes(MATERIAL.baseline.to_bytes()) == MATERIAL.baseline
    for templates, status in ((MATERIAL.rows, "quiet"), (MATERIAL.drifted, "alarm")):
        counts = WindowCounts(MATERIAL.baseline)
        counts.add_events(values(templates))
        found = report(
            MATERIAL.baseline,
            counts,
            window_start=0,
            window_end=60_000,
            rows=counts.rows,
            merged_windows=0,
            partitions={0: 0},
        )
        assert found.status == status


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    assert Material(20, seed=3).rows == MATERIAL.rows
    assert Material(20, seed=4).rows != MATERIAL.rows
