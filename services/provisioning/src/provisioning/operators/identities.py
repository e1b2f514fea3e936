"""Chooses the identities of new profiles: ICCIDs of the operator's range, and matching ids that follow from them."""

from collections.abc import Sequence

from provisioning.operators.models import Identity
from provisioning.operators.registry import Operators
from provisioning.operators.rules.identifiers import iccid, matching_id
from shared.database import Tx

_SERIALS = "SELECT nextval('iccid_serial') FROM generate_series(1, CAST(:count AS int))"


async def new_identities(tx: Tx, operators: Operators, names: Sequence[str]) -> list[Identity]:
    """One identity for each of these operators, in one statement. No ICCID is used twice.

    Raises RangeExhaustedError.
    """
    count = sum(operators[name].traits.repeatable for name in names)
    serials = iter((await tx.execute(_SERIALS, count=count)).scalars() if count else ())
    return [
        own_identity(operators, iccid(operators.settings[name].iccid_prefix, next(serials)))
        if operators[name].traits.repeatable
        else Identity(None, None)
        for name in names
    ]


def own_identity(operators: Operators, number: str) -> Identity:
    """The identity of a profile with this ICCID of our ranges."""
    return Identity(number, matching_id(operators.identity_key, number))
