"""What a record says may be anything, and whoever looks at its dead letter is shown it."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from shared.ids import uuid7
from shared.operations.answers import DeadLetterInFull
from shared.operations.showing import dead_letter_in_full
from shared.testing.documents import Row


def row(payload: bytes | None) -> Row:
    return SimpleNamespace(
        id=uuid7(), topic="payments.order-paid", partition=0, record_offset=1, key="k\ufffd", reason="invalid_body",
        detail="body: json_invalid", headers={"ce_id": "\ufffd"}, payload=payload, sealed=0,
        received_at=datetime.now(UTC), state="waiting", decided_at=None, decided_by=None, decision=None, redrives=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (None, None),
        (b'{"a": [1, "b", null]}', {"a": [1, "b", None]}),
        (b'{"a": 18446744073709551616}', {"a": 2**64}),
        (b"{not json", "{not json"),
        (b"\xff\x00", "\ufffd\x00"),
        (b'"a\\u0000b"', "a\x00b"),
        (b'"\\ud800"', '"\\ud800"'),
        (b'{"\\ud800": 1}', '{"\\ud800": 1}'),
        (b"[NaN]", "[NaN]"),
        (b"[1e400]", "[1e400]"),
        (b"1" * 5000, "1" * 5000),
        *((b"[" * deep + b"]" * deep, "[" * deep + "]" * deep) for deep in (51, 300, 900, 100_000)),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_any_payload_can_be_shown(payload: bytes | None, shown: object) -> None:
    found = dead_letter_in_full(row(payload), "payments")
    again = DeadLetterInFull.model_validate_json(found.model_dump_json())
    assert found.payload == again.payload == shown
