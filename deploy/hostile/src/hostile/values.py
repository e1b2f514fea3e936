"""Values that have broken programs: made from a seeded generator, so that a seed repeats its input."""

import random
from collections.abc import Callable
from typing import Any

TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\x1b[31m",
    "\u202egnp.exe",
    "\u0000\u0001\u001f\u007f\u009f",
    "\ufeff",
    "\u2028\u2029",
    "null",
    "NaN",
    "-1",
    "1e400",
    "%00",
    "%s%n%x",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "\r\nSet-Cookie: a=b",
    "a@b\r\nBcc: c@d.example",
    '"john smith"@example.org',
    "max@faß.de",
    "İ" * 50,
    "𝕏" * 200,
    "e\u0301" * 500,
    "9" * 400,
    "9223372036854775808",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-02-30T25:61:61+99:99",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
    "LPA:1$$$$$",
    "fe80::1%" + "z" * 4000,
    "x" * 70_000,
)
NUMBERS = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 2**70, -(2**63) - 1, 0.1, -0.0, 1e308, 10**400)
ODD: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, {"__proto__": {}})


def text(rng: random.Random) -> str:
    """A text: one of those above, or characters at random."""
    if rng.random() < 0.7:
        return rng.choice(TEXTS)
    alphabet = [rng.randrange(0x20), rng.randrange(0x80, 0x500), rng.randrange(0xD800, 0xE000), rng.randrange(0x110000)]
    return "".join(chr(rng.choice(alphabet)) for _ in range(rng.randrange(1, 40)))


def anything(rng: random.Random, depth: int = 2) -> Any:
    """A value of any JSON type."""
    makers: list[Callable[[], Any]] = [
        lambda: text(rng),
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(ODD),
    ]
    if depth:
        makers += [
            lambda: [anything(rng, depth - 1) for _ in range(rng.randrange(4))],
            lambda: {text(rng)[:50]: anything(rng, depth - 1) for _ in range(rng.randrange(4))},
        ]
    return rng.choice(makers)()


def deep(levels: int) -> str:
    """JSON that is nested so often."""
    return "[" * levels + "]" * levels


def spoiled(rng: random.Random, good: Any) -> Any:
    """A copy of a JSON value in which one place is missing, odd, doubled or of another type."""
    if isinstance(good, dict) and good and rng.random() < 0.9:
        copy = dict(good)
        key = rng.choice(list(copy))
        action = rng.random()
        if action < 0.15:
            del copy[key]
        elif action < 0.25:
            copy[text(rng)[:60]] = anything(rng)
        elif isinstance(copy[key], dict | list) and action < 0.7:
            copy[key] = spoiled(rng, copy[key])
        else:
            copy[key] = anything(rng)
        return copy
    if isinstance(good, list) and good and rng.random() < 0.9:
        place = rng.randrange(len(good))
        return [*good[:place], spoiled(rng, good[place]), *good[place + 1 :]]
    return anything(rng)


def spoiled_bytes(rng: random.Random, good: bytes) -> bytes:
    """A copy of some bytes: cut, doubled, with flipped bits, or with others in between."""
    action = rng.randrange(5)
    place = rng.randrange(len(good) + 1)
    if action == 0:
        return good[:place]
    if action == 1:
        return good + good
    if action == 2:
        return good[:place] + rng.randbytes(rng.randrange(1, 30)) + good[place:]
    if action == 3:
        return bytes(byte ^ (1 << rng.randrange(8)) if rng.random() < 0.02 else byte for byte in good)
    return rng.randbytes(rng.randrange(2000))
