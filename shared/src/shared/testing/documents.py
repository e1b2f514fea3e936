"""Names for what tests read: JSON documents and rows of a database.

What is in them is what the test asserts, so the type checker leaves it open. A value that a test only passes on is an
`object`, and tests import no `Any` (`tests/test_types_of_tests.py`).
"""

from typing import Any, TypeAlias

#: A parsed JSON value: the body of a request or a response.
Json: TypeAlias = Any
#: A parsed JSON object: a response, an event, a file of settings, an entry of a ledger.
JsonObject: TypeAlias = dict[str, Any]
#: A row of a query: a named tuple of its columns.
Row: TypeAlias = Any
#: A row of a query by the names of its columns.
RowMapping: TypeAlias = dict[str, Any]
#: A value for a field of a class, which a helper of tests only hands on: the class checks it.
FieldValue: TypeAlias = Any
