"""How far stage 1's state is read: until each source partition's position is behind all that is told of it."""

from __future__ import annotations

from msgspec.structs import replace

from stream_app.audit.counts import Counts
from stream_app.windowing.state import encode_meta, meta_key
from tests.unit.stream_app.audit.installation import an_installation

[META] = [meta for meta in an_installation().metas if meta.partition == 0]


def position(last_offset: int) -> tuple[bytes, bytes]:
    return meta_key(0), encode_meta(replace(META, last_offset=last_offset))


def test_an_older_position_that_a_former_owner_wrote_late_does_not_take_the_partition_back() -> None:
    counts = Counts()
    window = an_installation().open_windows[0]
    counts.take(*position(100))
    counts.follow([replace(window, partition=0, offset=100)])
    counts.take(*position(50))
    assert ([meta.last_offset for meta in counts.metas], counts.level(0)) == ([100], True)
