"""Each class of SQLSTATE: the database's fault is waited for, the data's is put aside."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from shared.database import is_disconnect, is_infrastructure
from shared.sqlstates import MEANINGS, Meaning, meaning

WAITS = {
    "08006": "connection failure",
    "25006": "read-only: a primary that became a standby",
    "25P02": "in a failed transaction",
    "25P03": "idle in transaction",
    "26000": "prepared statement unknown",
    "28P01": "password",
    "3D000": "no such database",
    "40001": "serialisation",
    "40P01": "deadlock",
    "42501": "a right is missing",
    "42P01": "not migrated",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock not available",
    "57014": "cancelled",
    "57P01": "shutdown",
    "57P02": "crash",
    "57P03": "starting up",
    "57P05": "idle session",
    "58030": "input or output",
    "XX000": "internal",
    "XX001": "corrupted",
}
PUTS_ASIDE = {
    "21000": "one row twice",
    "22001": "too long",
    "22003": "number out of range",
    "22008": "time out of range",
    "22021": "not UTF-8",
    "22P02": "not a uuid",
    "22P05": "NUL",
    "23502": "null",
    "23503": "foreign key",
    "23505": "unique",
    "23514": "check",
    "42601": "syntax",
    "44000": "view's check",
    "54000": "index row too large",
    "P0001": "raised by a rule of the ledger",
    "99999": "unheard of",
}


@pytest.mark.parametrize("code", WAITS)
def test_what_is_the_databases_fault_waits(code: str) -> None:
    error = errors.lookup(code)() if code in _known() else psycopg.Error()
    assert meaning(code) is Meaning.WAIT
    if error.sqlstate:
        assert is_infrastructure(error)
        assert is_infrastructure(DBAPIError("SELECT 1", {}, error))


@pytest.mark.parametrize("code", PUTS_ASIDE)
def test_what_is_the_datas_fault_is_put_aside(code: str) -> None:
    assert meaning(code) is Meaning.DATA
    if code in _known():
        assert not is_infrastructure(errors.lookup(code)())


def test_every_entry_is_a_class_or_a_code_and_every_class_is_looked_at() -> None:
    looked_at = {code[:2] for code in (*WAITS, *PUTS_ASIDE)}
    classes = {code for code in MEANINGS if len(code) == 2}
    assert all(len(code) in {2, 5} for code in MEANINGS)
    assert classes - looked_at <= {"0A", "0B", "2D", "3F", "72", "F0"}, "a class of importance has an example"


def test_a_server_that_became_a_standby_is_left() -> None:
    assert is_disconnect(errors.ReadOnlySqlTransaction())
    assert not is_disconnect(errors.QueryCanceled())
    assert not is_infrastructure(psycopg.DataError("PostgreSQL text fields cannot contain NUL"))
    assert is_infrastructure(psycopg.OperationalError("connection is lost"))


def _known() -> set[str]:
    found = set()
    for code in (*WAITS, *PUTS_ASIDE):
        try:
            errors.lookup(code)
        except KeyError:
            continue
        found.add(code)
    return found
