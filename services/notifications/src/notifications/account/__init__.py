"""The page of an order, reached by a signed link in every email."""

from notifications.account.rules.rights import Proof, Refusal

__all__ = [
    "Proof",
    "Refusal",
]
