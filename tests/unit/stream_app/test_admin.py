"""Which topics there must be, and what is said when they are not."""

from __future__ import annotations

import pytest

from contracts.topics import PREDICTIONS, TOPICS, WINDOW_PARTIALS
from stream_app import admin
from stream_app.errors import TopicsError
from stream_app.settings import StreamSettings

SETTINGS = StreamSettings(bootstrap="127.0.0.1:9092", topic_prefix="x.")


def present(**other: int) -> dict[str, int]:
    """Partitions of every topic once all are made."""
    return {topic.name: topic.partitions for topic in admin.wanted(SETTINGS, {})} | {
        f"x.{name}": n for name, n in other.items()
    }


def test_every_topic_of_the_contracts_and_both_state_topics_are_wanted() -> None:
    names = {topic.name for topic in admin.wanted(SETTINGS, {})}
    shared = {f"x.{topic.name}" for topic in TOPICS if topic is not WINDOW_PARTIALS}
    own = {f"x.tidemark-{name}" for name in ("window-partials", "counts-changelog", "windows-changelog")}
    assert names == shared | own


def test_a_state_topic_has_as_many_partitions_as_what_it_is_the_state_of() -> None:
    found = {topic.name: topic.partitions for topic in admin.wanted(SETTINGS, {"x.predictions": 32})}
    assert found["x.tidemark-counts-changelog"] == 32 == found["x.predictions"]
    assert found["x.tidemark-windows-changelog"] == found["x.tidemark-window-partials"]


def test_a_wish_for_more_partitions_counts_where_the_topic_is_new() -> None:
    found = {topic.name: topic.partitions for topic in admin.wanted(SETTINGS, {}, 3)}
    assert found["x.predictions"] == found["x.tidemark-counts-changelog"] == 3
    assert next(t.partitions for t in admin.wanted(SETTINGS, {"x.predictions": 8}, 3) if t.name == "x.predictions") == 8


def test_state_topics_are_compacted_and_keep_young_values_long_enough_to_be_compared() -> None:
    state = {topic.name: topic.config for topic in admin.wanted(SETTINGS, {}) if "changelog" in topic.name}
    assert {config["cleanup.policy"] for config in state.values()} == {"compact"}
    assert all(int(config["min.compaction.lag.ms"]) >= 60_000 for config in state.values())


def test_a_worker_may_start_when_everything_is_there() -> None:
    assert admin.check(SETTINGS, present()) == admin.Layout(PREDICTIONS.partitions, 4)


@pytest.mark.parametrize("name", ["predictions", "baselines", "dead-letters", "tidemark-counts-changelog"])
def test_a_missing_topic_is_named_with_what_to_do(name: str) -> None:
    existing = present()
    del existing[f"x.{name}"]
    with pytest.raises(TopicsError, match=rf"missing topics: x\.{name}; .*python -m stream_app topics"):
        admin.check(SETTINGS, existing)


@pytest.mark.parametrize("name", ["tidemark-counts-changelog", "tidemark-window-partials"])
def test_a_state_topic_that_does_not_fit_is_named(name: str) -> None:
    with pytest.raises(TopicsError, match="STREAM_APP_ID"):
        admin.check(SETTINGS, present(**{name: 5}))


def test_topics_that_are_only_read_by_others_are_not_asked_for() -> None:
    existing = present()
    del existing["x.labels"], existing["x.model-events"]
    admin.check(SETTINGS, existing)
