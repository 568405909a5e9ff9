"""Stored formats: they come back as they were, carry a version, and say so when they cannot be read."""

from __future__ import annotations

import msgspec
import pytest

from contracts.errors import InvalidMessage, NewerFormat
from contracts.partials import Heartbeat, encode_partial
from stream_app.windowing.merged_state import (
    PartKey,
    VersionKey,
    VersionRecord,
    decode_version,
    encode_version,
    parse_merged_key,
    part_key,
    version_key,
)
from stream_app.windowing.state import (
    MetaKey,
    PartitionMeta,
    VersionAccount,
    WindowKey,
    age_of,
    decode_meta,
    decode_part,
    encode_meta,
    meta_key,
    parse_key,
    window_key,
)
from tests.unit.stream_app.windowing.stand import a_partial

META = PartitionMeta(
    partition=3,
    first_offset=100,
    last_offset=107,
    watermark=-5,
    read=6,
    sequences={"api.00-0000000000ff": 16},
    accounts={("flights", "1"): VersionAccount(3, 1, 1)},
    refused={"malformed": 1},
    absent=2,
)
RECORD = VersionRecord(
    model="flights",
    version="1",
    horizon=-100,
    reports=2,
    reported_rows=9,
    late_rows=1,
    offset=44,
    closed={-100: {100: {7: 5}}},
    thin=(-100,),
    policy=b"\x00\xff",
)


def test_keys_and_records_come_back_as_they_were() -> None:
    window, part = WindowKey(3, "größe/1", "1", -100), PartKey(2, "flights", "1", 1 << 41, 3)
    assert parse_key(window_key(window)) == window
    assert parse_key(meta_key(300)) == MetaKey(300)
    assert parse_merged_key(part_key(part)) == part
    assert parse_merged_key(version_key(VersionKey(2, "flights", "1"))) == VersionKey(2, "flights", "1")
    assert decode_meta(encode_meta(META)) == META
    assert decode_version(encode_version(RECORD)) == RECORD


def test_the_stored_bytes_are_these_and_a_worker_of_another_build_reads_them() -> None:
    # golden: what is in somebody's changelog today
    assert parse_key(bytes.fromhex("9403a7666c6967687473a13164")) == WindowKey(3, "flights", "1", 100)
    assert meta_key(3).hex() == "9103"
    assert version_key(VersionKey(2, "flights", "1")).hex() == "9302a7666c6967687473a131"
    assert msgspec.msgpack.decode(encode_meta(META), strict=False) == {
        "partition": 3,
        "first_offset": 100,
        "last_offset": 107,
        "watermark": -5,
        "read": 6,
        "sequences": {"api.00-0000000000ff": 16},
        "accounts": {("flights", "1"): {"counted": 3, "late": 1, "repeats": 1}},
        "refused": {"malformed": 1},
        "absent": 2,
        "v": 1,
    }


def test_a_meta_record_from_before_absent_offsets_were_counted_has_none() -> None:
    fields = msgspec.msgpack.decode(encode_meta(META), strict=False)
    del fields["absent"]
    assert decode_meta(msgspec.msgpack.encode(fields)) == msgspec.structs.replace(META, absent=0)


def test_a_format_of_another_version_is_refused_by_name() -> None:
    newer = msgspec.msgpack.encode({**msgspec.to_builtins(RECORD, builtin_types=(bytes,)), "v": 2})
    with pytest.raises(NewerFormat, match="stored version record of stage 2 is of format 2 and this version reads 1"):
        decode_version(newer)


def test_a_field_that_a_newer_build_added_is_passed_over() -> None:
    newer = msgspec.msgpack.encode({**msgspec.to_builtins(RECORD, builtin_types=(bytes,)), "added": 7})
    assert decode_version(newer) == RECORD


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x91", b"\x91\xa1x", b"\x94\x01\x02\x03\x04", b"\xff"])
def test_bytes_that_are_no_key_are_named(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="key of stage 1"):
        parse_key(data)
    with pytest.raises(InvalidMessage, match="key of stage 2"):
        parse_merged_key(data)


def test_a_heartbeat_where_a_window_should_be_is_named() -> None:
    with pytest.raises(InvalidMessage, match="heartbeat"):
        decode_part(encode_partial(Heartbeat(partition=0, partitions=1, generation=1, watermark=1)))


def test_the_age_of_what_is_no_partial_or_of_a_newer_format_is_an_error_that_a_recovery_knows() -> None:
    key = window_key(WindowKey(0, "flights", "1", 0))
    with pytest.raises(InvalidMessage, match="not a partial"):
        age_of(key, encode_partial(Heartbeat(partition=0, partitions=1, generation=1, watermark=1)))
    with pytest.raises(InvalidMessage, match="not a partial"):
        age_of(key, b"\xff")
    newer = msgspec.msgpack.encode({**msgspec.msgpack.decode(encode_partial(a_partial(offset=9))), "v": 2})
    with pytest.raises(NewerFormat, match="a partial is of format 2 and this version reads 1"):
        age_of(key, newer)


def test_a_former_owners_late_write_is_older_than_the_new_owners() -> None:
    key = window_key(WindowKey(0, "flights", "1", 0))
    assert age_of(key, encode_partial(a_partial(offset=9))) < age_of(key, encode_partial(a_partial(offset=10)))
    never = msgspec.structs.replace(META, watermark=None)
    further = msgspec.structs.replace(META, last_offset=108, watermark=-900)
    assert (
        age_of(meta_key(3), encode_meta(never))
        < age_of(meta_key(3), encode_meta(META))
        < age_of(meta_key(3), encode_meta(further))
    )
