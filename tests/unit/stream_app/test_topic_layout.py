"""Which topics there must be, and what is said when they are not."""

from __future__ import annotations

import pytest

from contracts.topics import LABEL_PARTIALS, PREDICTIONS, TOPICS, WINDOW_PARTIALS
from stream_app.errors import TopicsError
from stream_app.settings import StreamSettings
from stream_app.topic_layout import (
    Layout,
    check_kinds,
    check_layout,
    faults,
    told_to_be_larger,
    too_small,
    used,
    wanted,
)

SETTINGS = StreamSettings(bootstrap="127.0.0.1:9092", topic_prefix="x.")


def present(**other: int) -> dict[str, int]:
    """Partitions of every topic once all are made."""
    return {topic.name: topic.partitions for topic in wanted(SETTINGS, {})} | {
        f"x.{name}": n for name, n in other.items()
    }


def test_every_topic_of_the_contracts_and_the_state_topics_are_wanted() -> None:
    names = {topic.name for topic in wanted(SETTINGS, {})}
    shared = {f"x.{topic.name}" for topic in TOPICS if topic not in (WINDOW_PARTIALS, LABEL_PARTIALS)}
    own = {f"x.tidemark-{name}" for name in ("window-partials", "counts-changelog", "windows-changelog")}
    own |= {"x.tidemark-label-partials"}
    own |= {f"x.tidemark-performance-{name}-changelog" for name in ("labels", "revisions")}
    assert names == shared | own


def test_a_worker_needs_no_topic_of_the_labels_and_what_counts_labels_needs_none_of_the_predictions() -> None:
    for process, other in (("worker", "label"), ("performance", "predictions")):
        needed = [name for name in used(SETTINGS, process) if other not in name and "partials" not in name]
        own = {name for name in used(SETTINGS, process) if "partials" in name}
        assert own == {"x.tidemark-window-partials" if process == "worker" else "x.tidemark-label-partials"}
        assert sorted([*needed, *own]) == sorted(used(SETTINGS, process))
        existing = {name: count for name, count in present().items() if name in used(SETTINGS, process)}
        assert check_layout(SETTINGS, existing, process) == Layout(8, 4)


def test_a_state_topic_has_as_many_partitions_as_what_it_is_the_state_of() -> None:
    found = {topic.name: topic.partitions for topic in wanted(SETTINGS, {"x.predictions": 32})}
    assert found["x.tidemark-counts-changelog"] == 32 == found["x.predictions"]
    assert found["x.tidemark-windows-changelog"] == found["x.tidemark-window-partials"]


def test_a_wish_for_more_partitions_counts_where_the_topic_is_new() -> None:
    found = {topic.name: topic.partitions for topic in wanted(SETTINGS, {}, 3)}
    assert found["x.predictions"] == found["x.tidemark-counts-changelog"] == 3
    assert next(t.partitions for t in wanted(SETTINGS, {"x.predictions": 8}, 3) if t.name == "x.predictions") == 8


def test_state_topics_are_compacted_and_keep_young_values_long_enough_to_be_compared() -> None:
    state = {topic.name: topic.config for topic in wanted(SETTINGS, {}) if "changelog" in topic.name}
    assert {config["cleanup.policy"] for config in state.values()} == {"compact"}
    assert all(int(config["min.compaction.lag.ms"]) >= 60_000 for config in state.values())


def test_a_worker_may_start_when_everything_is_there() -> None:
    assert check_layout(SETTINGS, present()) == Layout(PREDICTIONS.partitions, 4)


@pytest.mark.parametrize("name", ["predictions", "baselines", "dead-letters", "tidemark-counts-changelog"])
def test_a_missing_topic_is_named_with_what_to_do(name: str) -> None:
    existing = present()
    del existing[f"x.{name}"]
    with pytest.raises(TopicsError, match=rf"missing topics: x\.{name}; .*python -m stream_app topics"):
        check_layout(SETTINGS, existing)


@pytest.mark.parametrize("name", ["tidemark-counts-changelog", "tidemark-window-partials"])
def test_a_state_topic_that_does_not_fit_is_named(name: str) -> None:
    with pytest.raises(TopicsError, match="STREAM_APP_ID"):
        check_layout(SETTINGS, present(**{name: 5}))


def test_topics_that_are_only_read_by_others_are_not_asked_for() -> None:
    existing = present()
    del existing["x.labels"], existing["x.model-events"]
    check_layout(SETTINGS, existing)


def configured(name: str = "", **changed: str) -> dict[str, dict[str, str]]:
    """The settings of every topic as `topics` makes them; those of one changed, "_" for "."."""
    found = {topic.name: {"retention.ms": "1", **topic.config} for topic in wanted(SETTINGS, {})}
    if changed:
        found[name] |= {key.replace("_", "."): value for key, value in changed.items()}
    return found


def test_topics_as_they_are_created_are_of_the_right_kind() -> None:
    check_kinds(SETTINGS, configured())


@pytest.mark.parametrize(
    ("name", "key", "value", "must"),
    [
        ("x.predictions", "message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("x.tidemark-counts-changelog", "cleanup.policy", "delete", "compact"),
        ("x.tidemark-windows-changelog", "cleanup.policy", "compact,delete", "compact"),
        ("x.baselines", "cleanup.policy", "delete", "compact"),
    ],
)
def test_a_topic_of_the_wrong_kind_is_named_with_the_command_that_mends_it(
    name: str, key: str, value: str, must: str
) -> None:
    with pytest.raises(TopicsError) as caught:
        check_kinds(SETTINGS, configured(name, **{key.replace(".", "_"): value}))
    assert f"topic {name} has {key}={value}, and must have {must}, or " in str(caught.value)
    assert f"--alter --topic {name} --add-config {key}={must}`" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("x.predictions", "message.timestamp.type", "CreateTime"),
        ("x.tidemark-windows-changelog", "cleanup.policy", "compact,delete"),
    ],
)
def test_topics_gives_the_same_command_as_a_worker(name: str, key: str, value: str) -> None:
    (topic,) = (topic for topic in wanted(SETTINGS, {}) if topic.name == name)
    config = configured(name, **{key.replace(".", "_"): value})
    with pytest.raises(TopicsError) as caught:
        check_kinds(SETTINGS, config)
    (fault,) = faults(topic, topic.partitions, 1, config[name], SETTINGS.bootstrap)
    assert fault.startswith(f"{key}={value}, {topic.config[key]} wanted, or ")
    assert fault.endswith(command := str(caught.value).partition(": ")[2])
    assert command.startswith("`kafka-configs.sh ")


def test_topics_gives_the_same_advice_as_a_worker_for_a_state_topic_with_too_few_partitions() -> None:
    existing = present(predictions=9)
    with pytest.raises(TopicsError) as caught:
        check_layout(SETTINGS, existing)
    (topic,) = (topic for topic in wanted(SETTINGS, existing) if topic.name == "x.tidemark-counts-changelog")
    (fault,) = faults(topic, 8, 1, topic.config, SETTINGS.bootstrap)
    assert fault == f"8 partitions, 9 wanted: {str(caught.value).partition(': ')[2]}"
    assert "another STREAM_APP_ID" in fault
    assert faults(topic, 9, 1, topic.config, SETTINGS.bootstrap) == []


@pytest.mark.parametrize("name", ["x.predictions", "x.labels"])
def test_a_topic_that_takes_less_than_kafkas_default_is_told_and_one_that_takes_more_is_not(name: str) -> None:
    (topic,) = (topic for topic in wanted(SETTINGS, {}) if topic.name == name)
    found = [too_small(topic, {"max.message.bytes": size}) for size in ("1048587", "1048588", "16777216")]
    assert found == ["1048587", None, None]
    assert "--add-config max.message.bytes=1048588`" in told_to_be_larger(topic, "kafka:9092")
    check_kinds(SETTINGS, configured(name, max_message_bytes="1000"))  # a worker starts all the same


@pytest.mark.parametrize(("copies", "must"), [(1, None), (2, None), (3, "2"), (5, "2")])
def test_every_topic_with_three_copies_acknowledges_what_two_of_them_have(copies: int, must: str | None) -> None:
    settings = StreamSettings(bootstrap="127.0.0.1:9092", replication=copies)
    assert {topic.config.get("min.insync.replicas") for topic in wanted(settings, {})} == {must}


@pytest.mark.parametrize("name", ["x.predictions", "x.tidemark-counts-changelog"])
def test_a_topic_with_three_copies_that_acknowledges_what_one_of_them_has_is_told(name: str) -> None:
    # by the copies that it has: where it has one and STREAM_REPLICATION says 3, the command would end all writing
    (topic,) = (topic for topic in wanted(SETTINGS, {}) if topic.name == name)
    config = configured(name, min_insync_replicas="1")

    def told(copies: int, least: str) -> list[str]:
        return faults(topic, topic.partitions, copies, topic.config | {"min.insync.replicas": least}, "kafka:9092")

    (fault,) = told(3, "1")
    assert fault.startswith("min.insync.replicas=1, 2 wanted for 3 copies, or ")
    assert fault.endswith(
        f"`kafka-configs.sh --bootstrap-server kafka:9092 --alter --topic {name} --add-config min.insync.replicas=2`"
    )
    assert [told(1, "1"), told(2, "1"), told(3, "2"), told(3, "3")] == [[], [], [], []]
    check_kinds(SETTINGS, config)  # a worker starts all the same


def test_other_settings_of_a_topic_are_the_operators_to_tune() -> None:
    check_kinds(SETTINGS, configured("x.predictions", retention_ms="5", segment_bytes="7"))
