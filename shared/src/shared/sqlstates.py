"""Decides by SQLSTATE whether a database error lies with the database or with the data: one table.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html. A code of five characters wins over its class of
two. `WAIT`: the database, not the data; the same statement may succeed later, so it is tried again for as long as it
takes. `DATA`: the record's or the statement's own fault; it would fail again, so it is put aside or parked.
"""

from enum import Enum


class Meaning(Enum):
    """Where the fault of an error lies."""

    WAIT = "wait"
    DATA = "data"


_WAIT, _DATA = Meaning.WAIT, Meaning.DATA

MEANINGS: dict[str, Meaning] = {
    "08": _WAIT,  # connection exception
    "0A": _DATA,  # feature not supported
    "0B": _WAIT,  # invalid transaction initiation
    "21": _DATA,  # cardinality violation
    "22": _DATA,  # data exception: NUL in text, number out of range, invalid time
    "23": _DATA,  # integrity constraint violation
    "25": _WAIT,  # invalid transaction state
    "25P02": _WAIT,  # in failed transaction: an earlier statement says why
    "25006": _WAIT,  # read-only transaction: a primary that became a standby
    "25P03": _WAIT,  # idle in transaction for too long
    "25P04": _WAIT,  # transaction timeout
    "26": _WAIT,  # prepared statement unknown: the connection behind a pooler has changed
    "28": _WAIT,  # password or role: somebody is changing them
    "2D": _WAIT,  # invalid transaction termination
    "3D": _WAIT,  # database does not exist (yet, or while it is restored)
    "3F": _WAIT,  # schema does not exist
    "40": _WAIT,  # serialisation failure, deadlock, completion unknown
    "42": _DATA,  # syntax, wrong types: a fault of ours that each record meets by itself
    "42501": _WAIT,  # a right is missing
    "42P01": _WAIT,  # table does not exist: not migrated yet
    "42703": _WAIT,  # column does not exist: not migrated yet
    "42883": _WAIT,  # function does not exist: not migrated yet
    "44": _DATA,  # WITH CHECK OPTION violated
    "53": _WAIT,  # disk full, out of memory, too many connections
    "54": _DATA,  # program limit exceeded: index row too large, statement too complex
    "55": _WAIT,  # object not in prerequisite state
    "55P03": _WAIT,  # lock not available
    "57": _WAIT,  # operator intervention
    "57014": _WAIT,  # cancelled: by a person, or a lock that was waited for too long
    "57P01": _WAIT,  # shutdown
    "57P02": _WAIT,  # crash
    "57P03": _WAIT,  # cannot connect now
    "57P04": _WAIT,  # database dropped
    "57P05": _WAIT,  # idle session timeout
    "58": _WAIT,  # system error: input, output, files
    "72": _WAIT,  # snapshot too old
    "F0": _WAIT,  # configuration file
    "P0": _DATA,  # raised by a function or trigger of ours: a rule of the ledger
    "XX": _WAIT,  # internal error, corrupted data or index
}


def meaning(sqlstate: str | None) -> Meaning:
    """Where the fault lies. A code that is not in the table counts as the data's: waiting for it might never end."""
    code = sqlstate or ""
    return MEANINGS.get(code) or MEANINGS.get(code[:2]) or Meaning.DATA
