"""Chooses the identities of new profiles: ICCIDs of the operator's allotted range, and random matching ids."""

from collections.abc import Sequence

from provisioning.operators.models import Identity
from provisioning.operators.registry import Operators
from provisioning.operators.rules.identifiers import iccid, new_matching_id
from shared.database import Tx

_SERIALS = "SELECT nextval('iccid_serial') FROM generate_series(1, CAST(:count AS int))"


async def new_identities(tx: Tx, operators: Operators, names: Sequence[str]) -> list[Identity]:
    """One identity for each of these operators, in one statement. No ICCID is used twice.

    Raises RangeExhaustedError.
    """
    count = sum(operators[name].traits.repeatable for name in names)
    serials = iter((await tx.execute(_SERIALS, count=count)).scalars() if count else ())
    return [
        Identity(iccid(operators.settings[name].iccid_prefix, next(serials)), new_matching_id())
        if operators[name].traits.repeatable
        else Identity(None, None)
        for name in names
    ]
