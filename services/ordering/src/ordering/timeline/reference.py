"""How callers name an order: by its id or by its number."""

import re
from dataclasses import dataclass
from uuid import UUID

_NUMBER = re.compile(r"[0-9]{6,15}")


@dataclass(frozen=True, slots=True)
class Reference:
    """One of the two; neither where the text can name no order, and then none is found."""

    order_id: UUID | None = None
    number: int | None = None

    @classmethod
    def read(cls, text: str) -> "Reference":
        """What a caller wrote."""
        if _NUMBER.fullmatch(text):
            return cls(number=int(text))
        try:
            return cls(order_id=UUID(text))
        except ValueError:
            return cls()
