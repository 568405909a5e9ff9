"""STREAM_*: defaults that work, and one line for whatever is wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from contracts.topics import PREDICTIONS, TOPICS
from stream_app.agents.configured import decision_rule, policy_config
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.drift.rule import PRESETS
from stream_app.errors import SettingsError
from stream_app.settings import StreamSettings, load_settings

BROKER = "127.0.0.1:9092"
TOO_LONG = ("inf", "1e300", "nan")


def settings(**fields: object) -> StreamSettings:
    return StreamSettings(bootstrap=BROKER, **fields)


def test_only_the_address_of_the_broker_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_BOOTSTRAP", f"{BROKER},other:9093")
    assert load_settings() == StreamSettings(bootstrap=f"{BROKER},other:9093")


def test_the_default_preset_is_one_that_exists() -> None:
    assert settings().preset in PRESETS


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STREAM_BOOTSTRAP", "localhost"),
        ("STREAM_BOOTSTRAP", "127.0.0.1:9092,127.0.0.1:65536"),
        ("STREAM_BOOTSTRAP", "a..b:9092"),
        ("STREAM_WINDOW_SECONDS", "0"),
        ("STREAM_WINDOW_SECONDS", "a minute"),
        ("STREAM_LATENESS_SECONDS", "-1"),
        *(
            (f"STREAM_{name}_SECONDS", value)
            for name in ("LATENESS", "IDLE", "MAX_FUTURE", "MAX_AGE", "REMIND_AFTER")
            for value in TOO_LONG
        ),
        ("STREAM_N_MIN", "0"),
        ("STREAM_CRITICAL_SCORE_CHANGE", "0"),
        ("STREAM_PAGE_HARMLESS", "perhaps"),
        ("STREAM_REMIND_AFTER_SECONDS", "-1"),
        ("STREAM_APP_ID", "with a blank"),
        ("STREAM_LOG_LEVEL", "loud"),
        ("STREAM_METRICS_PORT", "65536"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_BOOTSTRAP", BROKER)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{variable}: ")
    assert repr(value) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAM_BOOTSTRAP", raising=False)
    monkeypatch.setenv("STREAM_PAGE_AFTER", "none")
    with pytest.raises(
        SettingsError,
        match=r"^STREAM_BOOTSTRAP is not set: for example STREAM_BOOTSTRAP=127\.0\.0\.1:9092; STREAM_PAGE_AFTER: ",
    ):
        load_settings()


def test_settings_do_not_change_while_a_worker_runs() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().window_seconds = 5  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    assert all(field.description for field in StreamSettings.model_fields.values())


def test_a_prefix_keeps_topics_group_and_state_of_two_installations_apart() -> None:
    one = settings(topic_prefix="a.", app_id="x")
    names = {one.topic(PREDICTIONS), one.group, one.counts_topic, one.windows_topic}
    assert names == {"a.predictions", "a.x", "a.x-counts-changelog", "a.x-windows-changelog"}


def test_another_app_id_shares_nothing_between_the_stages_and_everything_else() -> None:
    one, other = (settings(app_id=name) for name in ("x", "y"))
    private = {topic.name for topic in TOPICS if one.topic(topic) != other.topic(topic)}
    assert private == {"window-partials", "label-partials"}
    assert (one.group, one.counts_topic, one.windows_topic) != (other.group, other.counts_topic, other.windows_topic)


def test_a_preset_takes_the_least_number_of_rows_from_the_settings() -> None:
    assert decision_rule(settings(preset="classic", n_min=77)).n_min == 77


def test_a_preset_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(SettingsError, match="STREAM_PRESET=strict: no such rule; there are calibrated, classic"):
        decision_rule(settings(preset="strict"))


def test_a_policy_that_contradicts_itself_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        policy_config(settings(page_after=4, page_of_last=3))
    assert str(caught.value) == (
        "STREAM_PAGE_AFTER=4 is above STREAM_PAGE_OF_LAST=3: a feature cannot alarm in 4 of its last 3 windows; lower "
        "the first, or raise the second"
    )


def test_a_cooldown_below_the_windows_length_is_refused_and_the_default_is_not() -> None:
    with pytest.raises(
        SettingsError, match=r"^STREAM_REMIND_AFTER_SECONDS=30 is below STREAM_WINDOW_SECONDS=60: .*0: never remind"
    ):
        policy_config(settings(remind_after_seconds=30))
    assert policy_config(settings(remind_after_seconds=60)).remind_after_ms == 60_000
    assert policy_config(settings(remind_after_seconds=0)).remind_after_ms == 0
    assert policy_config(settings(window_seconds=7 * 86400)).remind_after_ms == 86_400_000


def test_every_number_of_the_policy_is_a_setting() -> None:
    config = policy_config(
        settings(
            page_after=1,
            page_of_last=4,
            resolve_after=5,
            critical_effect=0.1,
            critical_rate_jump=0.2,
            critical_score_change=0.3,
            page_harmless=True,
            remind_after_seconds=90,
        )
    )
    assert config == PolicyConfig(
        page_after=1,
        of_last=4,
        resolve_after=5,
        critical_effect=0.1,
        critical_rate_jump=0.2,
        critical_score_change=0.3,
        page_harmless=True,
        remind_after_ms=90_000,
    )
    assert policy_config(settings()) == PolicyConfig(remind_after_ms=86_400_000)
