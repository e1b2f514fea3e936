"""Our own topics, written by somebody who has become one of our services at the brokers.

What is no fact there is put aside by every reader. More than a hundred in a minute stop a reader (that limit is meant
for a bad release of ours), so this attack stays far below it: see Context.junk.
"""

import json
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

from hostile import values
from hostile.context import Context
from shared.contracts import EVENTS
from shared.contracts.examples import EXAMPLES
from shared.contracts.storefront import OrderSubmitted
from shared.testing.record_batches import RawBatch, RawRecord, gzipped, varint

_ATTACK, _RAW = "a record on our own topic", "a raw batch on our own topic"
TOPICS = tuple(sorted(set(EVENTS) - {OrderSubmitted.topic}))
_TIMES = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "1970-01-01T00:00:00",
    "2026-02-30T25:61:61+99:99",
    "\ufffd",
    "",
)
_IDS = (
    "",
    "x" * 5_000,
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
    "00000000-0000-7000-8000-000000000000",
    "same",
    "a\x00b",
)
_SOURCES = ("/services/nobody", "/storefronts/esimka", "/services/", "\ufffd", "x" * 3_000)
_HUGE = b'{"order_id": "' + b"x" * 900_000 + b'"}'
_NUMBERS = (2**63, 2**64, 2**70, -(2**63) - 1)


async def records(context: Context) -> None:
    """One record that a client can send: no JSON, a spoiled fact, a wrong envelope, the same id from two sources."""
    rng = context.rng
    topic = rng.choice(TOPICS)
    attributes = envelope(rng, topic)
    action = rng.randrange(4)
    body: bytes | None = spoiled_fact(rng, topic)
    if action == 0:
        junk = [None, b"", b"\xff\xfe", b"{", b"\x00", values.deep(100_000).encode(), _HUGE, rng.randbytes(300)]
        body = rng.choice(junk)
    elif action == 1:
        body = good_fact(topic)
        attributes |= spoiled_envelope(rng, topic)
    times = 2 if action == 3 else 1
    if not context.junk.take(times):
        return
    for time in range(times):
        if times > 1:
            attributes["ce_source"] = "/services/nobody" if time == 0 else f"/services/{owner(topic)}"
        headers: list[tuple[str, Any]] = [(name, value.encode()) for name, value in attributes.items()]
        if rng.random() < 0.3:
            headers += [("ce_id", None), ("\u00ff" * 50, b"\xff\x00"), ("", b""), ("traceparent", b"\x00")]
            rng.shuffle(headers)
        key = rng.choice([None, b"", b"\xff", b"\x00", rng.randbytes(200)])
        await context.writing.record(_ATTACK, owner(topic), topic, key, body, headers)


async def batches(context: Context) -> None:
    """A batch that no client would send."""
    rng = context.rng
    topic = rng.choice(TOPICS)
    if context.junk.take(4):
        await context.writing.batch(_RAW, owner(topic), topic, 0, raw(rng, topic))


def owner(topic: str) -> str:
    """The service that alone may write it."""
    return topic.partition(".")[0]


def envelope(rng: random.Random, topic: str) -> dict[str, str]:
    """The headers of a good fact."""
    return {
        "ce_specversion": "1.0",
        "ce_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "ce_source": f"/services/{owner(topic)}",
        "ce_type": EVENTS[topic].ce_type(),
    }


def spoiled_envelope(rng: random.Random, topic: str) -> dict[str, str]:
    """One attribute that is not as it should be."""
    return rng.choice(
        [
            {"ce_time": rng.choice(_TIMES)},
            {"ce_id": rng.choice(_IDS)},
            {"ce_source": rng.choice(_SOURCES)},
            {"ce_type": rng.choice([f"{topic}.v99", "nonsense", "", "storefront.order-submitted.v1"])},
            {"ce_specversion": rng.choice(["", "0.3", "\ufffd"])},
            {"traceparent": rng.choice(["00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-x", "\ufffd" * 500])},
        ]
    )


def good_fact(topic: str) -> bytes:
    """A body that its readers may believe; of an order that nobody placed."""
    example = EXAMPLES.get(topic)
    return b"{}" if example is None else example.model_dump_json().encode()


def spoiled_fact(rng: random.Random, topic: str) -> bytes:
    """A fact with one place spoiled: by any value, or by one that its type takes and a database does not."""
    example = EXAMPLES.get(topic) or EXAMPLES[rng.choice(sorted(EXAMPLES))]
    fact = json.loads(example.model_dump_json())
    if rng.random() < 0.5:
        return json.dumps(values.spoiled(rng, fact)).encode()
    return json.dumps(_replaced(rng, fact)).encode()


def _replaced(rng: random.Random, fact: dict[str, Any]) -> dict[str, Any]:
    """Every text, number or time of the fact may be another one of its kind that cannot be stored or counted with."""
    replaced: dict[str, Any] = {}
    for name, value in fact.items():
        if isinstance(value, dict):
            replaced[name] = _replaced(rng, value)
        elif rng.random() < 0.6:
            replaced[name] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            replaced[name] = rng.choice(_NUMBERS)
        elif isinstance(value, str):
            wrong = _TIMES[:2] if name.endswith(("_at", "_by", "_until")) else ("a\x00b", "\ud800", "x" * 70_000)
            replaced[name] = rng.choice(wrong)
        else:
            replaced[name] = value
    return replaced


def raw(rng: random.Random, topic: str) -> RawBatch:
    """Names that are no UTF-8, lying lengths and counts, a wrong checksum, a packed body that is cut."""
    headers = [(name.encode(), value.encode()) for name, value in envelope(rng, topic).items()]
    good = RawRecord(good_fact(topic), b"k", headers)
    odd_names = RawRecord(b"junk", b"k", ((b"\xff\xfe", b"v"), (b"\xc3(", None), *headers))
    packed = gzipped(RawBatch((good, odd_names)))
    makers: list[Callable[[], RawBatch]] = [
        lambda: RawBatch((odd_names,)),
        lambda: gzipped(RawBatch((odd_names, odd_names))),
        lambda: RawBatch((RawRecord(body=b"\x00\x00\x02\x01" + varint(900)),)),
        lambda: RawBatch((RawRecord(b"junk", length=rng.choice([-1, 0, 2**31 - 1])),)),
        lambda: RawBatch((RawRecord(body=rng.randbytes(40)), odd_names)),
        lambda: RawBatch((odd_names,), crc=rng.getrandbits(32)),
        lambda: RawBatch((odd_names,), count=3, last_delta=2),
        lambda: RawBatch((odd_names,), attributes=rng.choice([1, 2, 3, 4, 5, 7, 0x10, 0x20, 0x30])),
        lambda: RawBatch((odd_names,), timestamp=rng.choice([-1, 2**62, -(2**62)])),
        lambda: RawBatch((odd_names,), magic=rng.choice([0, 1, 3])),
        lambda: RawBatch(packed.records, attributes=1, packed=(packed.packed or b"")[:-9]),
    ]
    return rng.choice(makers)()
