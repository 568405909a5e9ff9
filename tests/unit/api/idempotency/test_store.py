import sqlite3
from pathlib import Path

import pytest

from api.errors import IdempotencyAway
from api.idempotency.operations import Drop, Finish, Found, Take
from api.idempotency.store import Store

DAY = 86_400_000


def a_store(directory: Path, owner: str = "00-1", *, keep_ms: int = DAY, max_bytes: int = 1 << 30) -> Store:
    return Store(directory / "keys.db", owner, keep_ms=keep_ms, max_bytes=max_bytes)


def taken(store: Store, key: bytes, now: int = 0) -> Found | None:
    return store.run([Take(key, b"body", now)])[0]


def test_a_key_is_taken_once_and_tells_who_has_it(tmp_path: Path):
    one, other = a_store(tmp_path), a_store(tmp_path, "01-1")

    assert taken(one, b"k") is None
    assert taken(other, b"k") == Found(True, "00-1", None)
    assert other.run([Take(b"k", b"another body", 0)]) == [Found(False, "00-1", None)]


def test_a_key_that_is_taken_twice_in_one_transaction_has_one_owner(tmp_path: Path):
    found = a_store(tmp_path).run([Take(b"k", b"body", 0), Take(b"k", b"body", 0)])

    assert found == [None, Found(True, "00-1", None)]


def test_an_answer_stays_what_it_was_first(tmp_path: Path):
    store = a_store(tmp_path)
    taken(store, b"k")

    store.run([Finish(b"k", 0, b"first"), Finish(b"k", 0, b"second"), Drop(b"k", 0)])

    assert taken(store, b"k") == Found(True, "00-1", b"first")


def test_an_answer_of_an_earlier_life_of_the_key_is_not_that_of_this_one(tmp_path: Path):
    store = a_store(tmp_path, keep_ms=10)
    taken(store, b"k", 0)
    assert taken(store, b"k", 20) is None

    store.run([Finish(b"k", 0, b"of the first life")])

    assert taken(store, b"k", 20) == Found(True, "00-1", None)


def test_a_dropped_key_is_free(tmp_path: Path):
    store = a_store(tmp_path)
    taken(store, b"k")
    store.run([Drop(b"k", 0)])

    assert taken(store, b"k", 1) is None


def test_nobody_drops_the_key_of_another(tmp_path: Path):
    taken(a_store(tmp_path), b"k")
    a_store(tmp_path, "01-1").run([Drop(b"k", 0)])

    assert taken(a_store(tmp_path), b"k") == Found(True, "00-1", None)


def test_settling_answers_what_was_committed_and_frees_the_rest_of_the_dead_process_alone(tmp_path: Path):
    dead, living = a_store(tmp_path, "00-1"), a_store(tmp_path, "01-1")
    for key in (b"committed", b"free"):
        taken(dead, key)
    taken(living, b"other")

    living.answer("00-1", [Finish(b"committed", 0, b"answer"), Finish(b"other", 0, b"not its own")])
    living.free("00-1")

    assert taken(living, b"committed") == Found(True, "00-1", b"answer")
    assert taken(living, b"free") is None
    assert taken(dead, b"other") == Found(True, "01-1", None)


def test_what_is_older_than_it_is_kept_goes(tmp_path: Path):
    store = a_store(tmp_path, keep_ms=10)
    store.run([Take(b"%d" % n, b"", 0) for n in range(1200)])
    taken(store, b"young", 15)

    assert store.purge(15) == 0

    with sqlite3.connect(tmp_path / "keys.db") as keys:
        assert keys.execute("select digest from keys").fetchall() == [(b"young",)]
    keys.close()


def test_beyond_its_room_the_oldest_answers_go_and_are_counted_but_no_open_key(tmp_path: Path):
    store = a_store(tmp_path, max_bytes=2 << 20)
    for n in range(30):
        store.run([Take(b"%d" % n, b"", n), Finish(b"%d" % n, n, b"x" * 200_000)])
    taken(store, b"open", 0)

    evicted = store.purge(100)

    assert evicted > 0
    assert taken(store, b"open", 50) == Found(True, "00-1", None)
    assert store._database.used_bytes() <= 2 << 20


def test_a_file_of_another_format_is_left_alone(tmp_path: Path):
    with sqlite3.connect(tmp_path / "keys.db") as keys:
        keys.execute("pragma user_version = 7")
    keys.close()

    with pytest.raises(IdempotencyAway):
        taken(a_store(tmp_path), b"k")


def test_a_full_disk_refuses_and_leaves_what_was_there(tmp_path: Path):
    store = a_store(tmp_path)
    taken(store, b"k")
    connection = store._database._open()
    connection.execute(f"pragma max_page_count = {connection.execute('pragma page_count').fetchone()[0] + 1}")

    with pytest.raises(IdempotencyAway):
        store.run([Finish(b"k", 0, b"x" * 100_000)])

    connection.execute("pragma max_page_count = 100000")
    assert taken(store, b"k") == Found(True, "00-1", None)


def test_a_process_whose_keys_are_all_answered_has_none_open(tmp_path: Path):
    store = a_store(tmp_path)
    taken(store, b"k")
    assert store.has_open("00-1")
    store.run([Finish(b"k", 0, b"answer")])

    assert not store.has_open("00-1")
