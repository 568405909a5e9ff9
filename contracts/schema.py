"""FeatureSchema: which features a model version takes, and the typed struct that decodes them.

The struct is made by `msgspec.defstruct`: decoding an event of 20 features to it costs about half of decoding to a
dict, and a value of a wrong type is refused by name. Field names inside the struct are `f0, f1, ...`, renamed to the
features' own names on the wire, so a feature may be called `class`, `dep delay` or `größe`.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Literal

import msgspec

from contracts.errors import InvalidSchema

Kind = Literal["numeric", "categorical", "boolean"]

RESERVED_PREFIX = "prediction:"
"""Names with this prefix stand for what the model puts out; see `contracts.baseline`."""

_UNUSABLE = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
"""msgspec takes no field name that JSON would have to escape; half a surrogate has no UTF-8."""

_PYTHON_TYPES: dict[Kind, Any] = {"numeric": float, "categorical": str, "boolean": bool}


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of a model.

    nullable: whether a request may leave it out or send null. monitored: whether it is watched for drift.
    """

    name: str
    kind: Kind
    nullable: bool = True
    monitored: bool = True


class FeatureSchema(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """The ordered features of one model version. Raises InvalidSchema when built from names that cannot be used."""

    features: tuple[Feature, ...]
    v: Literal[1] = 1

    def __post_init__(self) -> None:
        if not self.features:
            raise InvalidSchema("the schema has no features: name at least one")
        seen: set[str] = set()
        for feature in self.features:
            if not feature.name:
                raise InvalidSchema("a feature has an empty name: give it one")
            if feature.name in seen:
                raise InvalidSchema(f"feature {feature.name!r} appears twice: names must be unique")
            if _UNUSABLE.search(feature.name):
                raise InvalidSchema(
                    f"feature {feature.name!r}: a name cannot hold a quotation mark, a backslash or a control "
                    "character, rename it"
                )
            if feature.name.startswith(RESERVED_PREFIX):
                raise InvalidSchema(f"feature {feature.name!r}: the prefix {RESERVED_PREFIX!r} is reserved, rename it")
            seen.add(feature.name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def monitored(self) -> tuple[Feature, ...]:
        """The features watched for drift, in schema order."""
        return tuple(feature for feature in self.features if feature.monitored)

    @cached_property
    def monitored_positions(self) -> tuple[int, ...]:
        """Position of each monitored feature in the schema (and in the tuple of a decoded struct)."""
        return tuple(i for i, feature in enumerate(self.features) if feature.monitored)

    def features_type(self, *, strict: bool) -> type[msgspec.Struct]:
        """The struct type of an event's or a request's `features` object, fields in schema order.

        strict=True is for requests: unknown names are refused and a feature that is not nullable must be there.
        strict=False is for the stream: whatever is absent is None (counted as missing), extra names are ignored.
        """
        required, optional = [], []
        for i, feature in enumerate(self.features):
            plain = _PYTHON_TYPES[feature.kind]
            if strict and not feature.nullable:
                required.append((f"f{i}", plain))
            else:
                optional.append((f"f{i}", plain | None, None))
        fields = required + optional
        if strict:  # required fields may come first: keyword-only keeps the schema's order irrelevant to msgspec
            order = {f"f{i}": i for i in range(len(self.features))}
            fields = sorted(fields, key=lambda field: order[field[0]])
        return msgspec.defstruct(
            "Features",
            fields,
            frozen=True,
            gc=False,
            kw_only=True,
            forbid_unknown_fields=strict,
            rename={f"f{i}": feature.name for i, feature in enumerate(self.features)},
        )
