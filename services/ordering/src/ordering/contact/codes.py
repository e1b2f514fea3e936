"""Codes by which a buyer shows that a request is their own: six digits to the phone or the address on record.

The code itself is sealed to notifications, which sends it, and kept here as a keyed hash only.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from ordering.tables import confirmations
from shared.contracts import ConfirmationRequested, Purpose
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.problems import LimitReachedError, Problem
from shared.sealed import Sealer
from shared.values.email_address import mailbox_key

LIFE = timedelta(minutes=15)
_TRIES = 5
_PER_DAY = 5
_DAY = timedelta(days=1)
#: Anybody can place any number of orders under an address and guess at the codes of each. So the unproved orders of a
#: mailbox share what they may guess at; a proved order has its own, which strangers' orders do not use up.
_PER_MAILBOX = 15
_RECENT = """
SELECT count(*) FILTER (WHERE order_id = :order_id) AS of_order,
  count(*) FILTER (WHERE channel = 'email' AND buyer_id = ANY(CAST(:unproved AS uuid[]))) AS of_mailbox
FROM confirmations
WHERE COALESCE(asked_by, 'shop') = :asked_by AND requested_at > :since
  AND (order_id = :order_id OR buyer_id = ANY(CAST(:unproved AS uuid[])))
"""
#: Requests of one order, or of one mailbox, are counted one after the other.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(CAST(:subject AS text), 0))"
_BUYER = "SELECT buyer_id FROM confirmations WHERE confirmation_id = :id AND storefront = :storefront"
_TRY = """
UPDATE confirmations SET tries = tries + 1
WHERE confirmation_id = :id AND storefront = :storefront
RETURNING order_id, buyer_id, purpose, channel, code_hash, payload, tries, expires_at, confirmed_at, contact_hash
"""
_CONFIRMED = "UPDATE confirmations SET confirmed_at = :now, payload = NULL WHERE confirmation_id = :id"


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose request it is: the order it was made for, and its buyer."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID
    trace: str | None
    #: The contact that the code goes to.
    email: str
    phone: str
    #: The unproved contacts of its mailbox, where its own is one of them.
    unproved: Sequence[UUID] = ()
    #: Through the shop, or on the order's account page by whoever holds its link. Each is counted by itself: who uses
    #: up a shop's requests does not keep the buyer out, who has the link.
    asked_by: Literal["shop", "page"] = "shop"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A request whose code was entered. `payload` is what was put aside for it.

    `contact_hash`: of the contact that the code was sent to; null where the release before asked for the code.
    """

    confirmation_id: UUID
    order_id: UUID
    buyer_id: UUID
    purpose: Purpose
    channel: str
    payload: bytes | None
    contact_hash: bytes | None


class Codes:
    """Asks for codes and checks them."""

    def __init__(self, sealer: Sealer, secret: bytes) -> None:
        self._sealer = sealer
        self._secret = secret

    async def ask(
        self,
        tx: Tx,
        asker: Asker,
        purpose: Purpose,
        channel: Literal["sms", "email"],
        payload: bytes | None = None,
        *,
        lifts: bool = False,
    ) -> UUID:
        """Have a code sent; returns the confirmation's id. Raises Problem (429) after so many within a day."""
        for subject in sorted((f"code {asker.order_id}", f"code {asker.storefront} {mailbox_key(asker.email)}")):
            await tx.execute(_LOCK, subject=subject)
        unproved = list(asker.unproved)
        where: dict[str, Any] = {"order_id": asker.order_id, "unproved": unproved, "asked_by": asker.asked_by}
        sent = (await tx.execute(_RECENT, since=tx.now - _DAY, **where)).one()
        of_mailbox = sent.of_mailbox if asker.asked_by == "shop" else 0
        if sent.of_order >= _PER_DAY or (channel == "email" and of_mailbox >= _PER_MAILBOX):
            raise LimitReachedError(
                "codes",
                f"{sent.of_order} codes were sent for this order within a day, {sent.of_mailbox} for orders of its "
                "mailbox that nobody has proved; use the link in the order's mail, try again tomorrow, or ask support.",
                again=_DAY,
            )
        identity, code = uuid7(), f"{secrets.randbelow(10**6):06}"
        row: dict[str, Any] = {
            "confirmation_id": identity,
            "order_id": asker.order_id,
            "buyer_id": asker.buyer_id,
            "storefront": asker.storefront,
            "purpose": purpose,
            "channel": channel,
            "code_hash": self._hash(identity, code),
            "payload": payload,
            "requested_at": tx.now,
            "expires_at": tx.now + LIFE,
            "contact_hash": self._contact(identity, asker.email, asker.phone),
            "asked_by": asker.asked_by,
        }
        await tx.insert(confirmations, [row])
        event = ConfirmationRequested(
            order_id=asker.order_id,
            order_number=asker.order_number,
            storefront=asker.storefront,
            buyer_id=asker.buyer_id,
            confirmation_id=identity,
            purpose=purpose,
            channel=channel,
            code=self._sealer.seal(code.encode()),
            requested_at=tx.now,
            expires_at=tx.now + LIFE,
            lifts=lifts,
        )
        tx.publish(event, trace=asker.trace)
        return identity

    async def buyer(self, tx: Tx, storefront: str, confirmation_id: UUID) -> UUID | None:
        """Whose request it is; None where there is none. Locks nothing: the mailbox is locked before the request."""
        found = await tx.execute(_BUYER, id=confirmation_id, storefront=storefront)
        return found.scalar()  # type: ignore[no-any-return] # a column of the table

    async def check(self, tx: Tx, storefront: str, confirmation_id: UUID, code: str) -> Confirmed | Problem:
        """The request that this code confirms, once; else the refusal, to be raised after the commit: tries count.

        The caller has locked the contact's mailbox, as an erasure does before it empties the mailbox's requests: the
        other way round the two would wait for each other. It asks `still` next.
        """
        found = (await tx.execute(_TRY, id=confirmation_id, storefront=storefront)).one_or_none()
        if found is None:
            return Problem(HTTPStatus.NOT_FOUND, "unknown-confirmation", "There is no such request.")
        if found.confirmed_at is not None:
            return Problem(HTTPStatus.CONFLICT, "already-confirmed", "This request was confirmed before.")
        if found.expires_at <= tx.now or found.tries > _TRIES:
            return Problem(HTTPStatus.GONE, "code-expired", "This code is no longer valid; make the request again.")
        if not hmac.compare_digest(self._hash(confirmation_id, code), bytes(found.code_hash)):
            left = _TRIES - found.tries
            return Problem(HTTPStatus.FORBIDDEN, "wrong-code", f"This is not the code; {left} tries left.")
        await tx.execute(_CONFIRMED, id=confirmation_id, now=tx.now)
        payload, contact = (None if one is None else bytes(one) for one in (found.payload, found.contact_hash))
        return Confirmed(
            confirmation_id, found.order_id, found.buyer_id, found.purpose, found.channel, payload, contact
        )

    def still(self, confirmed: Confirmed, email: str, phone: str) -> bool:
        """Whether this is the contact that the code was asked for: it is no word of whoever has another one."""
        asked = confirmed.contact_hash
        return asked is None or hmac.compare_digest(asked, self._contact(confirmed.confirmation_id, email, phone))

    def _contact(self, identity: UUID, email: str, phone: str) -> bytes:
        return hmac.digest(self._secret, identity.bytes + f"{email}\n{phone}".encode(), hashlib.sha256)

    def _hash(self, identity: UUID, code: str) -> bytes:
        return hmac.digest(self._secret, identity.bytes + code.encode(), hashlib.sha256)
