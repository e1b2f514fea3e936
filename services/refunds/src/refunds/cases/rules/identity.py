"""The ids of cases and refunds, computed from order, ground and round.

They are always the same, so no replay, not even into an empty database, can request a second refund.
"""

from uuid import UUID

from shared.ids import uuid_for


def case_id(order_id: UUID, ground: str, round_number: int = 1) -> UUID:
    """The id of a case."""
    return uuid_for("case", str(order_id), ground, *_suffix(round_number))


def refund_id(order_id: UUID, ground: str, round_number: int = 1) -> UUID:
    """The id of the refund of a case; payments uses it as the key of the money movement."""
    return uuid_for("refund", str(order_id), ground, *_suffix(round_number))


def _suffix(round_number: int) -> tuple[str, ...]:
    return () if round_number == 1 else (str(round_number),)
