"""Plan: how a replay cuts time, what it refuses and by which rules and policies it judges. Pure."""

from __future__ import annotations

import msgspec

from stream_app.alerting.policy import PolicyConfig
from stream_app.drift.rule import DecisionRule
from stream_app.windowing.decoding import Limits
from stream_app.windowing.tumbling import WindowConfig


class Judgement(msgspec.Struct, frozen=True):
    """What makes reports and alerts of counts."""

    rule: DecisionRule
    policy: PolicyConfig


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """idle_ms: a partition without a record for longer lets time pass by itself. judgements: the first is the one
    asked for; a second one is compared with it, over the same counts.
    """

    windows: WindowConfig
    idle_ms: int
    limits: Limits
    judgements: tuple[Judgement, ...]
