"""Who a profile will be: ICCID and matching id, chosen and stored before the first call."""

from collections.abc import Sequence

from provisioning.operators.registry import Operators
from provisioning.operators.rules.identifiers import iccid, new_matching_id
from shared.database import Tx

_SERIALS = "SELECT nextval('iccid_serial') FROM generate_series(1, CAST(:count AS int))"

#: ICCID and matching id; both None where the operator chooses them.
Identity = tuple[str | None, str | None]


async def new_identities(tx: Tx, operators: Operators, names: Sequence[str]) -> list[Identity]:
    """One for each of these operators, in one statement: ICCIDs of the range allotted by the operator, never reused."""
    count = sum(operators[name].traits.repeatable for name in names)
    serials = iter((await tx.execute(_SERIALS, count=count)).scalars() if count else ())
    return [
        (iccid(operators.settings[name].iccid_prefix, next(serials)), new_matching_id())
        if operators[name].traits.repeatable
        else (None, None)
        for name in names
    ]
