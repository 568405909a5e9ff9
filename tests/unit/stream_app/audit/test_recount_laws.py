"""Whatever was on the logs: the recount agrees with the core, and one event more or less anywhere is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream_app.audit import comparison
from stream_app.audit.checks import audited
from stream_app.audit.difference import Difference
from stream_app.audit.found import Found
from stream_app.audit.recount import Recount
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.audit.installation import BROKEN, an_installation, with_account
from tests.unit.stream_app.windowing.stand import FIRST, SECOND, SIZE, a_value

Logs = Mapping[int, Sequence[bytes]]


@st.composite
def logs(draw: st.DrawFn) -> Logs:
    """Two source partitions: events in any order of time, of two versions, sent twice, and broken ones among them."""
    event = st.tuples(st.integers(0, 600), st.sampled_from([FIRST, FIRST, SECOND]), st.sampled_from("ffffftb"))
    found: dict[int, Sequence[bytes]] = {}
    for number in (0, 1):
        values: list[bytes] = []
        for sequence, (time, baseline, kind) in enumerate(draw(st.lists(event, min_size=1, max_size=25))):
            values.append(BROKEN if kind == "b" else a_value(time, sequence=sequence, baseline=baseline))
            if kind == "t":
                values.append(values[-1])
        found[number] = values
    return found


few = settings(max_examples=40, deadline=None)
lateness = st.sampled_from([0, 0, 50, 150]).map(lambda ms: WindowConfig(SIZE, ms))


def differences(found: Found, values: Logs, windows: WindowConfig) -> list[Difference]:
    recount = Recount(found, windows)
    for number, log in values.items():
        recount.add(number, enumerate(log))
    return list(comparison.differences(recount))


@few
@given(logs(), lateness)
def test_where_all_is_well_the_recount_agrees(values: Logs, windows: WindowConfig) -> None:
    found = an_installation(values, windows)
    assert audited(found).differences == ()
    assert differences(found, values, windows) == []


@few
@given(logs(), lateness, st.sampled_from([0, 1]), st.sampled_from([-1, 1]))
def test_an_account_that_is_wrong_by_one_is_found_in_its_partition(
    values: Logs, windows: WindowConfig, number: int, by: int
) -> None:
    found = an_installation(values, windows)
    meta = next(meta for meta in found.metas if meta.partition == number)
    assume(meta.accounts)
    version = min(meta.accounts)
    doctored = with_account(found, number, version, counted=meta.accounts[version].counted + by)
    [difference, *_] = differences(doctored, values, windows)
    assert (difference.kind, difference.partition, (difference.model, difference.version)) == (
        "records",
        number,
        version,
    )


@few
@given(logs(), lateness, st.data())
def test_an_event_that_disappears_from_the_log_is_missed(
    values: Logs, windows: WindowConfig, data: st.DataObject
) -> None:
    """The other way round: what was counted and is not on the log, as if it had been counted twice."""
    found = an_installation(values, windows)
    number = data.draw(st.sampled_from([0, 1]))
    fresh = [i for i, value in enumerate(values[number]) if value != BROKEN and value not in values[number][:i]]
    assume(fresh)
    gone = data.draw(st.sampled_from(fresh))
    recount = Recount(found, windows)
    for other, log in values.items():
        recount.add(other, [(i, value) for i, value in enumerate(log) if (other, i) != (number, gone)])
    assert number in {difference.partition for difference in comparison.differences(recount)}
