"""Guard: who is let in, for what, and how much; without a key it says nothing but that a key is needed."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequest, NotAdmitted, OutOfScope, Overloaded, RateExceeded, RequestRefused
from api.guard.guard import ANYBODY, Guard
from api.guard.key_ring import REMEMBERED, KeyRing
from api.guard.keys import KeyEntry
from api.requests.headers import RequestHeaders, read_headers
from tests.fakes import ManualClock
from tests.keys import a_key, an_entry


def begun(guard: Guard) -> str:
    """The client of a request of many rows that is to be read."""
    client = guard.admit(sent(), "predict", one_row=False)
    guard.begin(client)
    return client


def a_guard(*entries: KeyEntry, clock: ManualClock | None = None, waiting: int = 0) -> Guard:
    clock = clock or ManualClock(1000.0)
    return Guard(KeyRing(entries, clock), waiting=lambda: waiting, max_waiting=10, clock=clock, wall=clock)


def sent(number: int = 1) -> RequestHeaders:
    return RequestHeaders(authorization=b"Bearer " + a_key(number).encode())


def refusal(guard: Guard, headers: RequestHeaders) -> str:
    with pytest.raises(RequestRefused) as refused:
        guard.admit(headers, "predict")
    return refused.value.category


@pytest.mark.parametrize(
    "headers",
    [
        RequestHeaders(authorization=f"Bearer {a_key()}".encode()),
        RequestHeaders(authorization=f"bearer {a_key()}".encode()),
        RequestHeaders(authorization=f"BEARER   {a_key()} ".encode()),
        RequestHeaders(api_key=a_key().encode()),
    ],
)
def test_a_key_is_taken_from_either_header_the_first_time_and_every_time(headers: RequestHeaders):
    guard = a_guard(an_entry())

    assert [guard.admit(headers, "predict") for _ in range(3)] == ["client-1"] * 3


@pytest.mark.parametrize(
    "headers",
    [RequestHeaders(), RequestHeaders(authorization=b"Basic dTpw"), RequestHeaders(authorization=b"Bearer ")],
)
def test_who_sends_no_key_is_told_how_to_send_one(headers: RequestHeaders):
    with pytest.raises(NotAdmitted, match="Authorization: Bearer KEY") as refused:
        a_guard(an_entry()).admit(headers, "predict")

    assert refused.value.category == "no-key"


@pytest.mark.parametrize(
    "key",
    [
        a_key(2).encode(),  # no such id
        a_key(1).encode()[:-1] + b"f",  # the id, and another secret
        a_key(1).encode()[:-1],
        a_key(1).encode() + b"0",
        a_key(1).upper().encode(),
        b"tm_" + a_key(1).split("_")[1].encode() + b"_",
        b"tm",
        b"___",
        bytes([0xFF, 0xFE]),
        b"\x00" * 20,
        "clé".encode(),
        b"x" * 10_240,
    ],
)
def test_what_is_no_key_of_ours_is_wrong_whatever_it_is(key: bytes):
    guard = a_guard(an_entry(1))

    assert refusal(guard, RequestHeaders(authorization=b"Bearer " + key)) == "wrong-key"
    assert refusal(guard, RequestHeaders(api_key=key)) == "wrong-key"


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("name", [b"authorization", b"x-api-key"])
def test_two_keys_in_one_request_are_none_even_if_one_is_right_and_known(name: bytes, order: tuple[int, int]):
    guard = a_guard(an_entry(1))
    guard.admit(sent(1), "predict")
    prefix = b"Bearer " if name == b"authorization" else b""
    raw = [(name, prefix + a_key(number).encode()) for number in order]

    assert refusal(guard, read_headers(raw)) == "wrong-key"


def test_a_key_in_each_header_is_refused_even_if_both_are_right_and_known():
    guard = a_guard(an_entry(1), an_entry(2))
    guard.admit(sent(1), "predict")
    guard.admit(RequestHeaders(api_key=a_key(2).encode()), "predict")

    both = RequestHeaders(authorization=b"Bearer " + a_key(1).encode(), api_key=a_key(2).encode())
    assert refusal(guard, both) == "wrong-key"


def test_a_key_ends_at_its_moment_although_it_is_known():
    clock = ManualClock(1000.0)
    guard = a_guard(an_entry(expires=datetime.fromtimestamp(1010, UTC)), clock=clock)
    assert guard.admit(sent(), "predict") == "client-1"
    clock.now = 1009.9
    assert guard.admit(sent(), "predict") == "client-1"

    clock.now = 1010.0

    assert refusal(guard, sent()) == "expired-key"


def test_only_who_holds_the_key_learns_that_it_has_expired():
    guard = a_guard(an_entry(expires=datetime.fromtimestamp(1, UTC)))

    assert refusal(guard, RequestHeaders(api_key=a_key().encode()[:-1] + b"f")) == "wrong-key"


def test_a_scope_includes_no_other():
    guard = a_guard(an_entry(1, scopes=("predict",)), an_entry(2, scopes=("read",)), an_entry(3, scopes=("admin",)))
    own = {1: "predict", 2: "read", 3: "admin"}
    for number in own:
        for scope in own.values():
            if scope == own[number]:
                assert guard.admit(sent(number), scope) == f"client-{number}"
                continue
            with pytest.raises(OutOfScope, match=scope) as refused:
                guard.admit(sent(number), scope)
            assert refused.value.scope == scope


def test_a_batch_costs_its_rows_and_one_more_row_is_refused_until_it_has_trickled_in():
    clock = ManualClock(1000.0)
    guard = a_guard(an_entry(rate=10.0, burst=100), clock=clock)
    guard.charge(begun(guard), 100)

    with pytest.raises(RateExceeded, match="10 rows a second") as refused:
        guard.admit(sent(), "predict")
    assert refused.value.retry_after == 1

    clock.now += 0.1
    assert guard.admit(sent(), "predict") == "client-1"


@pytest.mark.parametrize("laborious", [False, True])
def test_a_batch_that_never_fits_is_told_the_size_that_does(laborious: bool):
    guard = a_guard(an_entry(rate=10.0, burst=100))

    with pytest.raises(InvalidRequest) as refused:
        guard.charge(begun(guard), 101, laborious=laborious)
    (fault,) = refused.value.errors
    assert (refused.value.category, fault.pointer) == ("row-count", "/rows")
    assert fault.detail == "has 101 rows: this API key may send 100 at a time"
    guard.charge(begun(guard), 99 if laborious else 100)
    with pytest.raises(RateExceeded):
        guard.charge(begun(guard), 1)


@given(st.floats(0.1, 10_000), st.integers(1, 5_000), st.floats(0, 1e6), st.data())
def test_a_client_that_waits_as_told_and_sends_the_same_again_is_let_in(rate, burst, now, data):
    clock = ManualClock(now)
    guard = a_guard(an_entry(rate=rate, burst=burst), clock=clock)
    for rows in data.draw(st.lists(st.integers(1, burst), min_size=1, max_size=8)):
        clock.now += data.draw(st.floats(0, 3))

        def ask(rows: int = rows, laborious: bool = data.draw(st.booleans())) -> None:
            if rows == 1 and data.draw(st.booleans()):
                guard.admit(sent(), "predict")
            else:
                guard.charge(begun(guard), rows, laborious=laborious)

        try:
            ask()
        except RateExceeded as refused:
            clock.now += refused.retry_after
            ask()


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 2), max_size=100))
def test_what_is_read_and_never_counted_costs_a_row_each_time(rate, burst, pauses):
    """Bodies that cannot be read, and answers that are given again."""
    clock = ManualClock(0.0)
    guard, read = a_guard(an_entry(rate=rate, burst=burst), clock=clock), 0
    for pause in pauses:
        clock.now += pause
        with suppress(RateExceeded):
            begun(guard)
            read += 1
    assert read <= (1 + burst + rate * clock.now) * (1 + 1e-9)


def test_a_batch_that_is_refused_for_its_rate_costs_nothing_unless_it_was_laborious_to_count():
    clock = ManualClock(0.0)
    guard = a_guard(an_entry(rate=1.0, burst=10), clock=clock)
    guard.charge(begun(guard), 9)
    clock.now += 0.5
    for _ in range(5):
        with pytest.raises(RateExceeded) as refused:
            guard.charge(begun(guard), 3)
        assert refused.value.retry_after == 2

    with pytest.raises(RateExceeded) as refused:
        guard.charge(begun(guard), 3, laborious=True)
    assert refused.value.retry_after == 3
    with pytest.raises(RateExceeded) as refused:
        guard.charge(begun(guard), 3, laborious=True)
    assert refused.value.retry_after == 4
    with pytest.raises(RateExceeded):
        begun(guard)

    clock.now += 4
    guard.charge(begun(guard), 3, laborious=True)


def test_what_waits_for_a_ledger_counts_for_those_who_have_to_go_there_and_for_nobody_else():
    guard = Guard(waiting=lambda: 4, waiting_keyed=lambda: 6, max_waiting=10)

    assert guard.admit(RequestHeaders(), "predict") == ANYBODY
    guard.reconsider()
    with pytest.raises(Overloaded):
        guard.admit(RequestHeaders(idempotency_key=b"once"), "predict")
    with pytest.raises(Overloaded):
        guard.reconsider(b"once")


def test_what_is_right_in_one_header_is_wrong_in_the_other_although_it_is_known():
    guard = a_guard(an_entry())
    bare, bearer = a_key().encode(), b"Bearer " + a_key().encode()
    for _ in range(2):
        assert refusal(guard, RequestHeaders(authorization=bare)) == "no-key"
        assert refusal(guard, RequestHeaders(api_key=bearer)) == "wrong-key"
        assert guard.admit(RequestHeaders(api_key=bare), "predict") == "client-1"
        assert guard.admit(RequestHeaders(authorization=bearer), "predict") == "client-1"


def test_one_key_cannot_use_up_anothers_rate():
    guard = a_guard(an_entry(1, rate=1.0, burst=1), an_entry(2, rate=1.0, burst=1))
    guard.admit(sent(1), "predict")
    assert refusal(guard, sent(1)) == "rate"

    assert guard.admit(sent(2), "predict") == "client-2"


def test_a_key_without_a_rate_has_no_limit():
    guard = a_guard(an_entry())

    guard.charge(begun(guard), 10**9)

    assert guard.admit(sent(), "predict") == "client-1"


def test_new_keys_are_in_force_at_once_and_a_revoked_one_is_not_although_it_was_known():
    clock = ManualClock()
    guard = a_guard(an_entry(1), an_entry(2), clock=clock)
    guard.admit(sent(1), "predict")

    guard.use(KeyRing((an_entry(2), an_entry(3)), clock, guard.ring))

    assert refusal(guard, sent(1)) == "wrong-key"
    assert guard.admit(sent(3), "predict") == "client-3"


def test_a_request_whose_key_is_revoked_meanwhile_is_not_charged():
    guard = a_guard(an_entry(1))
    client = begun(guard)
    guard.use(KeyRing((), ManualClock(), guard.ring))

    guard.begin(client)
    guard.charge(client, 1000)


def test_reading_the_file_again_refills_no_rate_unless_the_rate_was_changed():
    clock = ManualClock(1000.0)
    same, changed = an_entry(1, rate=1.0, burst=1), an_entry(2, rate=1.0, burst=1)
    guard = a_guard(same, changed, clock=clock)
    guard.admit(sent(1), "predict")
    guard.admit(sent(2), "predict")

    guard.use(KeyRing((same, an_entry(2, rate=1.0, burst=5)), clock, guard.ring))

    assert refusal(guard, sent(1)) == "rate"
    assert guard.admit(sent(2), "predict") == "client-2"


def test_without_keys_everybody_is_let_in_as_one_client_whatever_they_send():
    guard = Guard()

    assert guard.admit(RequestHeaders(), "predict") == ANYBODY
    assert guard.admit(sent(1), "admin") == ANYBODY
    guard.begin(ANYBODY)
    guard.charge(ANYBODY, 1000)


def test_when_too_much_waits_predictions_are_turned_away_and_looking_up_is_not():
    guard = a_guard(an_entry(), waiting=10)

    with pytest.raises(Overloaded):
        guard.admit(sent(), "predict")
    assert guard.admit(sent(), "read") == "client-1"
    with pytest.raises(Overloaded):
        Guard(waiting=lambda: 10, max_waiting=10).admit(RequestHeaders(), "predict")


def test_what_was_turned_away_for_the_load_costs_nothing_of_the_rate():
    waiting = [10]
    clock = ManualClock(0.0)
    ring = KeyRing((an_entry(rate=1.0, burst=1),), clock)
    guard = Guard(ring, waiting=lambda: waiting[0], max_waiting=10, clock=clock, wall=clock)
    with pytest.raises(Overloaded):
        guard.admit(sent(), "predict")

    waiting[0] = 9

    assert guard.admit(sent(), "predict") == "client-1"


def test_a_stranger_learns_nothing_of_the_load():
    assert refusal(a_guard(an_entry(), waiting=10), RequestHeaders()) == "no-key"


def test_what_is_remembered_of_keys_is_bounded():
    guard = a_guard(an_entry())
    for spaces in range(1, REMEMBERED // 50):
        guard.admit(RequestHeaders(authorization=b"Bearer" + b" " * spaces + a_key().encode()), "predict")
    ring = guard.ring
    assert ring is not None
    ring._seen_bearer |= {b"%d" % number: ring._by_id[an_entry().id] for number in range(REMEMBERED)}

    guard.admit(RequestHeaders(authorization=b"bearer " + a_key().encode()), "predict")

    assert len(ring._seen_bearer) == 1


NAMES = st.sampled_from([b"authorization", b"x-api-key", b"host", b"content-type"])
VALUES = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=80).map(lambda rest: b"Bearer tm_" + rest),
    st.just(b"Bearer " + a_key(1).encode()),
    st.just(a_key(1).encode()),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_whatever_the_headers_hold_they_are_let_in_or_refused_and_only_the_key_lets_in(raw: list[tuple[bytes, bytes]]):
    guard = a_guard(an_entry(1))
    headers = read_headers(raw)
    try:
        let_in = guard.admit(headers, "predict") == "client-1"
    except NotAdmitted:
        let_in = False

    sent_keys = [value for name, value in raw if name in (b"authorization", b"x-api-key")]
    assert let_in == guard.knows(headers, "predict")
    assert not let_in or (len([value for value in sent_keys if value]) == 1 and a_key(1).encode() in sent_keys[0])
