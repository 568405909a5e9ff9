"""How the mirror lies in Redis: its keys, the script that writes a part of it, the packing of what that takes.

`prediction:ID`       the event, JSON
`predictions:newest`  a sorted set of the last `cap` entries
`predictions:of:E`    a list of the last `entity_cap` entries of entity E, newest first

All of them expire. An entry is a place, a space, the id of a prediction; in the sorted set the place is its score too.
A place is a microsecond of Redis's clock, made unique and rising: places of new events are always greater, so a reader
who goes on below the last place that it saw meets nothing twice and misses nothing, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.outbox.segments import Record

# SET is the first command that writes: a full Redis refuses that one, and a script that has written is never refused,
# so a part is written whole or not at all. NX: what a new connection to Kafka sends again is listed once.
# Lua would write a place as 1.76e+15, hence the format.
WRITE = """
local recent, ttl, cap, entity_cap = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local one, of, packed = ARGV[4], ARGV[5], ARGV[6]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local top = redis.call('ZREVRANGE', recent, 0, 0)[1]
local place = math.max(now, top and string.match(top, '%d+') + 1 or 0)
local added = {}
local at, size, id, key, event = 1, #packed
while at <= size do
  id, key, event, at = struct.unpack('>I4c0I4c0I4c0', packed, at)
  if redis.call('SET', one .. id, event, 'EX', ttl, 'NX') then
    local score = string.format('%.0f', place)
    local entry = score .. ' ' .. id
    added[#added + 1] = score
    added[#added + 1] = entry
    if key ~= id then
      if redis.call('LPUSH', of .. key, entry) > entity_cap then
        redis.call('LTRIM', of .. key, 0, entity_cap - 1)
      end
      redis.call('EXPIRE', of .. key, ttl)
    end
    place = place + 1
  end
end
if #added > 0 then redis.call('ZADD', recent, unpack(added)) end
redis.call('ZREMRANGEBYRANK', recent, 0, -1 - cap)
redis.call('ZREMRANGEBYSCORE', recent, '-inf', string.format('%.0f', now - ttl * 1000000))
redis.call('EXPIRE', recent, ttl)
"""


class Listed(NamedTuple):
    """One entry: where it stands, and the id of its prediction."""

    place: int
    id: bytes


class Layout(NamedTuple):
    """The names of the keys. prefix: put before each."""

    prefix: str

    @property
    def one(self) -> str:
        """Before the id of a prediction."""
        return f"{self.prefix}prediction:"

    @property
    def recent(self) -> str:
        """The newest of all."""
        return f"{self.prefix}predictions:newest"

    @property
    def of_entity(self) -> str:
        """Before the id of an entity."""
        return f"{self.prefix}predictions:of:"


def pack(records: Sequence[Record]) -> bytes:
    """All records as one argument: id, key and event, each after its length. Arguments of their own cost three times.

    >>> pack([Record(b"N1", "a", "", b"{}")])
    b'\\x00\\x00\\x00\\x01a\\x00\\x00\\x00\\x02N1\\x00\\x00\\x00\\x02{}'
    """
    parts: list[bytes] = []
    for record in records:
        id_, key, event = record.id.encode(), record.key, record.value
        parts += len(id_).to_bytes(4), id_, len(key).to_bytes(4), key, len(event).to_bytes(4), event
    return b"".join(parts)


def even_parts(records: Sequence[Record], most: int) -> list[Sequence[Record]]:
    """As few parts of at most so many as there must be, none much longer than another: a slice of the outbox has some
    300 events, and 150 twice hold the event loop, and Redis, for less long than 250 and then 50.

    >>> a = Record(b"N1", "a", "", b"{}")
    >>> [len(part) for part in even_parts([a] * 300, 250)], [len(part) for part in even_parts([a] * 7, 3)]
    ([150, 150], [2, 2, 3])
    >>> even_parts([], 250)
    []
    """
    parts = -(-len(records) // most)
    ends = [len(records) * (part + 1) // parts for part in range(parts)]
    return [records[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def listed(answer: Sequence[bytes]) -> list[Listed]:
    """The entries of a list.

    >>> listed([b"1700000000000000 api.1-a-b"])
    [Listed(place=1700000000000000, id=b'api.1-a-b')]
    """
    split = (entry.split(b" ", 1) for entry in answer)
    return [Listed(int(place), id_) for place, id_ in split]
