"""Case: what the alert policy needs of a report, be it about drift or about performance. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Protocol

import msgspec

from contracts.alerts import Subject
from contracts.reports import FeatureVerdict, Status


class Case(Protocol):
    """One judged window. See contracts.reports.DriftReport."""

    @property
    def subject(self) -> Subject: ...
    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def window_start(self) -> datetime: ...
    @property
    def window_end(self) -> datetime: ...
    @property
    def status(self) -> Status: ...
    @property
    def alarms(self) -> tuple[str, ...]: ...
    @property
    def features(self) -> tuple[FeatureVerdict, ...]: ...


class PerformanceCase(msgspec.Struct, frozen=True, kw_only=True):
    """A performance report as a case: its `features` are the measures that were tested, `performance:auc` and so on."""

    subject: ClassVar[Subject] = "performance"

    id: str
    model: str
    version: str
    window_start: datetime
    window_end: datetime
    status: Status
    alarms: tuple[str, ...]
    features: tuple[FeatureVerdict, ...]
