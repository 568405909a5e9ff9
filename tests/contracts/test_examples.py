"""What was on a topic yesterday can be read today, and what is written today is what was agreed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from contracts.errors import ContractError
from contracts.json_schema import json_schemas
from tests.contracts.messages import EXAMPLES, MESSAGES, Message

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.file)
def test_the_writer_writes_the_golden_example(message: Message) -> None:
    assert message.encode(message.value) == (EXAMPLES / message.file).read_bytes(), (
        "the bytes on the topic changed: if that is meant, raise the format version and run "
        "`python -m tests.contracts.messages`"
    )


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.file)
def test_the_reader_reads_the_golden_example(message: Message) -> None:
    assert message.decode((EXAMPLES / message.file).read_bytes()) == message.value


@pytest.mark.parametrize("message", [m for m in MESSAGES if m.schema], ids=lambda m: m.file)
def test_the_golden_example_fits_the_published_json_schema(message: Message) -> None:
    schema = json.loads((SCHEMAS / f"{message.schema}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((EXAMPLES / message.file).read_bytes()), schema)


def test_the_published_json_schemas_are_current() -> None:
    published = {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in SCHEMAS.glob("*")}
    assert published == json.loads(json.dumps(json_schemas())), "run `make schemas`"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.file)
def test_a_message_of_a_later_format_is_refused_and_not_misread(message: Message) -> None:
    golden = (EXAMPLES / message.file).read_bytes()
    binary = message.file.endswith(".msgpack")
    later = golden.replace(b"\xa1v\x01", b"\xa1v\x02") if binary else golden.replace(b'"v":1', b'"v":2')
    assert later != golden
    says = "is of format 2 and this version reads 1: run the version" if binary else "Invalid enum value 2"
    with pytest.raises(ValueError, match=says):
        message.decode(later)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.file)
def test_a_message_nested_too_deeply_is_refused_like_any_other_that_cannot_be_read(message: Message) -> None:
    golden = (EXAMPLES / message.file).read_bytes()
    if message.file.endswith(".msgpack"):  # one more field, behind the map's head, which holds their number
        deep = b"\xde" + (golden[0] - 0x80 + 1).to_bytes(2, "big") + b"\xa1x" + b"\x91" * 100_000 + b"\xc0" + golden[1:]
    else:
        deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"," + golden[1:]
    with pytest.raises(ContractError, match=r"recursion|nested"):
        message.decode(deep)
