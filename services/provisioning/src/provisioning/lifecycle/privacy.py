"""Personal data of buyers in provisioning, and its erasure (PP 6.2): the identifiers of devices (EIDs).

This service never has a name, e-mail or phone (PP 5.2). Orders, ICCIDs and observations stay, without the device: they
are needed for the accounts with operators and for refunds.
"""

from collections.abc import Sequence

from provisioning.lifecycle import store
from shared.contracts import BuyerErasureRequested, ProvisioningBuyerErased
from shared.database import Tx
from shared.kernel.privacy import forgets
from shared.messaging.consumer import Handler, Received

KEPT = ("orders and profiles without devices: accounts with operators",)
#: From then on the EID of a report is left out (observation.py).
_MARK = """
INSERT INTO lives (order_id, devices_erased_at)
SELECT order_id, :now FROM profiles WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE SET devices_erased_at = COALESCE(lives.devices_erased_at, EXCLUDED.devices_erased_at)
RETURNING order_id
"""
_STATEMENTS = (
    """
    UPDATE observations SET report = report - 'eid'
    WHERE order_id IN (SELECT order_id FROM profiles WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))) AND report ? 'eid'
    """,
)
#: The answer of `GET /privacy/buyers/{buyer_id}`.
HELD = {
    "profiles": """
SELECT order_id, order_number, storefront, iccid, operator, state, paid_at FROM profiles WHERE buyer_id = :buyer
ORDER BY paid_at, order_id
""",
    "observations": """
SELECT o.iccid, o.source, o.at, o.report FROM observations o JOIN profiles p USING (order_id) WHERE p.buyer_id = :buyer
ORDER BY o.received_at, o.id
""",
    "notices": """
SELECT p.order_number, l.thresholds, l.announced_end, l.announced_for FROM lives l JOIN profiles p USING (order_id)
WHERE p.buyer_id = :buyer AND (l.thresholds <> '[]' OR l.announced_end IS NOT NULL) ORDER BY p.paid_at, p.order_id
""",
    "top_ups": """
SELECT order_id, order_number, storefront, iccid, operator, state, paid_at FROM top_ups WHERE buyer_id = :buyer
ORDER BY paid_at, order_id
""",
}


def buyer_erasure_requested() -> Handler:
    """A handler of erasure requests: joins the knowledge about devices without their EIDs, then confirms."""
    confirm = forgets(ProvisioningBuyerErased, _STATEMENTS, kept=KEPT)

    async def handle(tx: Tx, batch: Sequence[Received[BuyerErasureRequested]]) -> None:
        buyers = sorted({one.event.buyer_id for one in batch}, key=lambda buyer: buyer.int)
        marked = await tx.execute(_MARK, now=tx.now, buyers=buyers)
        lives = await store.issued_profiles(tx, marked.scalars(), lock=True)
        await store.save(tx, {key: (life.known.anonymous, life.look_at, None) for key, life in lives.items()})
        await confirm(tx, batch)

    return handle
