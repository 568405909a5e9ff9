"""Conversion: rows that were read for the champion, as the version on its way takes them. PURE.

Requests are read with the champion's schema. A feature that the other version does not know is dropped; one that only
the other knows is missing, which it may be where it is nullable. What cannot be converted is answered by the champion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from contracts.schema import FeatureSchema


class Conversion:
    """From one version's features (structs of its features_type) to another's.

    wrong: why no row can be converted, "" where some can.
    """

    def __init__(self, source: FeatureSchema, target: FeatureSchema, target_type: type[msgspec.Struct]) -> None:
        self.wrong = _wrong(source, target)
        self._target = target_type
        positions = {feature.name: i for i, feature in enumerate(source.features)}
        self._taken = [(f"f{i}", positions.get(feature.name)) for i, feature in enumerate(target.features)]
        self._needed = [
            positions[feature.name]
            for feature in target.features
            if not feature.nullable and feature.name in positions and source.features[positions[feature.name]].nullable
        ]
        self._same = source == target

    def rows(self, rows: Sequence[msgspec.Struct]) -> list[msgspec.Struct | None]:
        """Each row converted; None where it lacks what the other version needs."""
        if self.wrong:
            return [None] * len(rows)
        if self._same:  # both types were made from one schema: the scorers take either
            return list(rows)
        return list(map(self._converter(), rows))

    def _converter(self) -> Callable[[msgspec.Struct], msgspec.Struct | None]:
        target, taken, needed, values_of = self._target, self._taken, self._needed, msgspec.structs.astuple

        def converted(row: msgspec.Struct) -> msgspec.Struct | None:
            values = values_of(row)
            for position in needed:
                if values[position] is None:
                    return None
            return target(**{name: None if position is None else values[position] for name, position in taken})

        return converted


def _wrong(source: FeatureSchema, target: FeatureSchema) -> str:
    """Each fault between two schemas, in words.

    >>> from contracts.schema import Feature
    >>> _wrong(FeatureSchema((Feature("a", "numeric"),)), FeatureSchema((Feature("b", "numeric", nullable=False),)))
    "'b' is needed, and no request has it"
    """
    known = {feature.name: feature for feature in source.features}
    faults = []
    for feature in target.features:
        there = known.get(feature.name)
        if there is None and not feature.nullable:
            faults.append(f"{feature.name!r} is needed, and no request has it")
        elif there is not None and there.kind != feature.kind:
            faults.append(f"{feature.name!r} is {feature.kind}, in requests it is {there.kind}")
    return "; ".join(faults)
