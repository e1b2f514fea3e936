"""Messages with one bad field: of the wrong type, null, missing, huge, or text that no database stores."""

import copy
import json
from collections.abc import Iterator, Mapping

from hypothesis import strategies as st

from shared.testing.documents import Json

Path = tuple[str | int, ...]
MISSING = object()
#: One of each kind, for tests that cannot try many.
EXAMPLES: tuple[object, ...] = (
    MISSING,
    None,
    True,
    -1,
    1.5,
    2**70,
    float("nan"),
    "",
    "\x00",
    "a\x00b\x1b[2J",
    "\ud800",
    "x" * 100_000,
    "9" * 5_000,
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    [],
    [None],
    {},
    {"status": {"slug": []}},
)
VALUES: st.SearchStrategy[object] = st.one_of(
    st.sampled_from(EXAMPLES),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.text(st.characters(categories=["Cs", "Cc"]), min_size=1, max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=3),
        lambda one: st.lists(one, max_size=2) | st.dictionaries(st.text(max_size=3), one, max_size=2),
        max_leaves=4,
    ),
)


def paths(message: object, before: Path = ()) -> Iterator[Path]:
    """Every field, at any depth."""
    items = message.items() if isinstance(message, Mapping) else enumerate(message) if isinstance(message, list) else ()
    for key, value in items:
        yield (*before, key)
        yield from paths(value, (*before, key))


def spoilt(message: Mapping[str, object], path: Path, value: object) -> bytes:
    """The message with this value in one field."""
    copied: Json = copy.deepcopy(message)
    place = copied
    for key in path[:-1]:
        place = place[key]
    if value is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(copied).encode()


def storable(value: object) -> bool:
    """Whether PostgreSQL can store it: no text in it has a NUL or a lone surrogate."""
    text = value if isinstance(value, str) else str(value)
    return "\x00" not in text and not any("\ud800" <= one <= "\udfff" for one in text)
