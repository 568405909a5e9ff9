"""A key: random, found again by its id, and kept only as a hash."""

import hashlib
import re
import secrets

from api.guard.keys import ID_BYTES, SECRET_BYTES, hash_of, id_in, mint


def test_a_key_has_192_random_bits_besides_its_id():
    made = mint(bytes(range(ID_BYTES + SECRET_BYTES)))

    assert SECRET_BYTES * 8 == 192
    assert made.text == "tm_000102030405_060708090a0b0c0d0e0f101112131415161718191a1b1c1d"


def test_a_key_can_be_found_by_a_scanner_and_tells_its_id():
    made = mint(secrets.token_bytes(ID_BYTES + SECRET_BYTES))

    assert re.fullmatch(r"tm_[0-9a-f]{12}_[0-9a-f]{48}", made.text)
    assert id_in(made.text.encode()) == made.id


def test_the_hash_is_of_the_whole_key():
    assert hash_of(b"tm_1_2") == "sha256:" + hashlib.sha256(b"tm_1_2").hexdigest()
    assert hash_of(b"tm_1_2") != hash_of(b"tm_2_2")
