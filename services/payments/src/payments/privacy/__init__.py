"""Contact data of buyers: kept for the payment page, exported, and erased (PP 6.2)."""

from payments.privacy.handlers import buyer_contact, buyer_erased
from payments.privacy.store import ERASURE, EXPORT, KEPT

__all__ = ["ERASURE", "EXPORT", "KEPT", "buyer_contact", "buyer_erased"]
