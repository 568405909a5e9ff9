"""Router: who is in a canary's share, and what a rollout's stage asks for. PURE.

A subject (an entity's id) has a fixed place between 0 and 100 for each version, by a keyed hash; it is in the share
when its place is below it. So a raised share keeps whoever was in, an entity is answered by one version for as long as
the share stands, on whatever machine, and two versions' canaries meet different entities. BLAKE2b (RFC 7693) and not
crc32, which chooses the Kafka partition: a canary must not be made of some partitions' entities.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from contracts.rollout import Rollout

_PLACES = 1 << 53
_LONGEST_KEY = 64


def place_of(version: str, subject: str) -> float:
    """Of a subject among those that a version's canary may get: at least 0 and below 100.

    >>> round(place_of("7", "N14228"), 3)
    75.905
    """
    key = version.encode()
    if len(key) > _LONGEST_KEY:  # what BLAKE2b takes
        key = blake2b(key).digest()
    digest = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
    return (int.from_bytes(digest, "big") >> 11) * 100 / _PLACES


def chooser(rollout: Rollout) -> Callable[[str], bool] | None:
    """Whether the canary answers a subject; None where it answers nobody, as a shadow does.

    >>> from contracts.times import EPOCH
    >>> chosen = chooser(Rollout(version="7", stage="canary", share=25, since=EPOCH))
    >>> sum(map(chosen, map(str, range(10_000))))
    2510
    """
    version, share = rollout.version, rollout.share
    if rollout.stage != "canary" or share <= 0:
        return None
    if share >= 100:
        return lambda _: True
    return lambda subject: place_of(version, subject) < share


def shadows(rollout: Rollout) -> bool:
    """Whether the version scores what the champion has answered."""
    return rollout.stage == "shadow"
