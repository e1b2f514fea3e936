"""Written claims: a queue of their own, with a deadline of 30 calendar days (PO 7.3, PP 7.3)."""

from refunds.claims.store import answer_claim, open_claims, receive_claim

__all__ = ["answer_claim", "open_claims", "receive_claim"]
