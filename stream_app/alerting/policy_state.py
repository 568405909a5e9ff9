"""What the alert policy remembers of one model version, as values that are stored between windows. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.alerts import DriftAlert, Severity
from contracts.errors import InvalidMessage
from contracts.findings import Cause, ModelEffect
from contracts.reports import Finding
from contracts.times import UtcTime


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """A feature with an alarm among the last windows, or one of the open incident.

    alarms: whether it alarmed in each of the last compared windows, newest last; a harmless alarm is none unless those
    page. since: start of the first alarm of the present run; a run ends when no alarm is left in `alarms`. owed: it was
    muted in this run, and nobody was told of it since. clean: compared windows in a row up to now in which it neither
    alarmed nor had alarms enough to page. seen: start of the window of its newest alarm; None, of an older version: not
    known. The rest is what that alarm said; of critical and harmless at most one is true.
    """

    feature: str
    alarms: tuple[bool, ...]
    in_incident: bool
    since: UtcTime
    findings: tuple[Finding, ...]
    p_value: float
    effect: float
    critical: bool
    words: str
    harmless: bool = False
    owed: bool = False
    cause: Cause | None = None
    model_effect: ModelEffect | None = None
    seen: UtcTime | None = None
    clean: int = 0
    value: float | None = None
    reference: float | None = None

    @property
    def severity(self) -> Severity:
        """Of this feature alone."""
        return "critical" if self.critical else "harmless" if self.harmless else "warning"


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """The open incident. severity: the highest so far. clean: clean windows in a row up to now. told: start of the
    window of its last alert; None, of an older version: not known. storm: it was told to be one; calm: the last window
    was none any more. recovered: features that belonged to it until their own clean windows.
    """

    id: str
    opened: UtcTime
    severity: Severity
    clean: int = 0
    told: UtcTime | None = None
    storm: bool = False
    calm: bool = False
    recovered: tuple[str, ...] = ()

    @property
    def storms(self) -> bool:
        """Whether it was still a storm in the last window, and somebody was told."""
        return self.storm and not self.calm


class PolicyState(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy remembers of one model version. decided: start of the last decided window; alerts: its own."""

    decided: UtcTime | None = None
    alerts: tuple[DriftAlert, ...] = ()
    incident: Incident | None = None
    tracked: tuple[Tracked, ...] = ()
    v: Literal[1] = 1

    def to_bytes(self) -> bytes:
        """JSON, UTF-8."""
        return _encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> PolicyState:
        """Read a state. Raises InvalidMessage."""
        try:
            return _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidMessage(f"not a policy state: {error}") from error


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(PolicyState)
