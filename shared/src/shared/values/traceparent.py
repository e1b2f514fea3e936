"""The W3C `traceparent` (Trace Context Level 2, section 3.2): who calls, in which trace, and whether it is recorded.

A later version than 00 is read by its first four parts and carried on as 00, as the standard asks of those who know no
more. The flags are bits: 01 means sampled, 02 that the trace id is random; the others are not ours to carry on.
"""

import re

_FORM = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
#: As it stays: of version 00, with known flags only.
_PLAIN = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")
_KNOWN_FLAGS = 0x03
_SAMPLED_DIGITS = frozenset("13579bdf")
#: Longer than any version can need; a header of kilobytes is not looked at.
_LONGEST = 512


def parse(value: str | None) -> str | None:
    """A traceparent of version 00 that continues the same trace; None where the value is malformed."""
    if value is None or len(value) > _LONGEST:
        return None
    if _PLAIN.fullmatch(value):
        return value
    match = _FORM.fullmatch(value)
    if match is None or (match["version"] == "00" and match["more"] is not None):
        return None
    flags = int(match["flags"], 16) & _KNOWN_FLAGS
    return f"00-{match['trace']}-{match['parent']}-{flags:02x}"


def is_sampled(traceparent: str) -> bool:
    """Whether the caller records the trace. `traceparent` has been parsed."""
    return traceparent[-1] in _SAMPLED_DIGITS
