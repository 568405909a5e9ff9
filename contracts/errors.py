"""Errors of the contracts.

ContractError
├── InvalidSchema      a feature schema that cannot be used
├── InvalidBaseline    bytes that are not a baseline, or one that contradicts itself
├── InvalidCompiled    bytes that are not a compiled model, or one that contradicts itself
├── RuntimeAbsent      a compiled model that needs onnxruntime where that is not installed
├── Unscorable         rows that a compiled model gives no score, as the model itself would refuse them
├── InvalidReference   reference values that no histogram can be fitted to
├── InvalidEvent       a record of `predictions` or `labels` that cannot be counted; carries the dead-letter reason
└── InvalidMessage     a record of another topic that cannot be read
    └── NewerFormat    it could be, by a later version
"""

from __future__ import annotations


class ContractError(ValueError):
    """Something at a process boundary is not what both ends agreed on."""


class InvalidSchema(ContractError):
    """A feature schema that cannot be used; the text names the feature and the fix."""


class InvalidBaseline(ContractError):
    """Bytes that are no baseline, or a baseline that contradicts itself."""


class InvalidCompiled(ContractError):
    """Bytes that are no compiled model, or a compiled model that contradicts itself."""


class RuntimeAbsent(ContractError):
    """A compiled model that needs onnxruntime, where onnxruntime is not installed."""


class Unscorable(ContractError):
    """Rows that the model itself refuses, such as numbers that are infinite after its rounding."""


class InvalidReference(ContractError):
    """Reference values that no histogram can be fitted to."""


class InvalidMessage(ContractError):
    """A record that cannot be read as the message its topic carries."""


class NewerFormat(InvalidMessage):
    """A record that a later version wrote in a format of its own: it is in order, and not for this reader."""


class InvalidEvent(ContractError):
    """A prediction event, or a label, that cannot be counted.

    reason: one of `contracts.dead_letters.Reason`. detail: what is wrong, naming the field.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
