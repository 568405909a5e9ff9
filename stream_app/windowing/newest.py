"""Newest: the values of a state topic's keys, as a recovery takes them. Pure."""

from __future__ import annotations

from collections.abc import Callable

Age = Callable[[bytes, bytes], tuple[int, int]]
"""Orders the values of a key, the oldest first; may raise InvalidMessage."""


class Newest:
    """An older value does not replace a younger one: a former owner may have written late."""

    def __init__(self, age: Age) -> None:
        self._age = age
        self.values: dict[bytes, bytes] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """The topic's next record; None deletes. Raises InvalidMessage."""
        if value is None:
            self.values.pop(key, None)
        elif key not in self.values or self._age(key, value) >= self._age(key, self.values[key]):
            self.values[key] = value
