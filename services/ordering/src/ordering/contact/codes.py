"""Codes by which a buyer confirms a request: six digits, sent to the stored phone number or e-mail address.

The code is sealed to notifications, which sends it. This service stores a keyed hash of it only.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from ordering.contact.models import Channel, Confirmed, Requester
from ordering.tables import confirmations
from shared.contracts import ConfirmationRequested, Purpose
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.problems import LimitReachedError, Problem
from shared.sealed import Opener, Sealed, Sealer
from shared.values.email_address import mailbox_key

_VALID_FOR = timedelta(minutes=15)
_MAX_TRIES = 5
_PER_ORDER = 5
_DAY = timedelta(days=1)
#: Anybody can place any number of orders under an address and guess the codes of each. So the unproved orders of a
#: mailbox share one limit; a proved order has its own limit, which other orders do not use up.
_PER_MAILBOX = 15
#: Messages to one phone number, whatever shop and mailbox its orders name. Only unproved orders send them.
_PER_PHONE = 15
_RECENT = """
SELECT count(*) FILTER (WHERE order_id = :order_id) AS of_order,
  count(*) FILTER (WHERE channel = 'email' AND buyer_id = ANY(CAST(:unproved AS uuid[]))) AS of_mailbox
FROM confirmations
WHERE COALESCE(asked_by, 'shop') = :asked_by AND requested_at > :since
  AND (order_id = :order_id OR buyer_id = ANY(CAST(:unproved AS uuid[])))
"""
_TO_PHONE = """
SELECT count(*) FROM confirmations c JOIN buyers b USING (buyer_id)
WHERE b.phone = :phone AND c.channel = 'sms' AND c.requested_at > :since
  AND COALESCE(c.asked_by, 'shop') = :asked_by
"""
#: Serialises the requests of one order, of one mailbox and of one phone, so that they are counted correctly.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(CAST(:subject AS text), 0))"
_BUYER = "SELECT buyer_id FROM confirmations WHERE confirmation_id = :id AND storefront = :storefront"
_TRY = """
UPDATE confirmations SET tries = tries + 1
WHERE confirmation_id = :id AND storefront = :storefront
RETURNING order_id, buyer_id, purpose, channel, code_hash, payload, tries, expires_at, confirmed_at, contact_hash
"""
_CONFIRMED = "UPDATE confirmations SET confirmed_at = :now, payload = NULL WHERE confirmation_id = :id"


class ConfirmationCodes:
    """Requests codes and checks them.

    `sealer` seals codes to notifications; `opener` is this service's own key, which the stored payloads are sealed to.
    `secret` is the key of the hashes.
    """

    #: How long a code is valid, in minutes.
    valid_minutes = _VALID_FOR // timedelta(minutes=1)

    def __init__(self, sealer: Sealer, opener: Opener, secret: bytes) -> None:
        self._sealer = sealer
        self._own_sealer, self._opener = Sealer("ordering", opener.public_key), opener
        self._secret = secret

    async def request(
        self,
        tx: Tx,
        requester: Requester,
        purpose: Purpose,
        channel: Channel,
        payload: bytes | None = None,
        *,
        lifts: bool = False,
    ) -> UUID:
        """Have a code sent and return the confirmation's id. Raises LimitReachedError (429).

        `payload` is stored sealed until the code is entered. `lifts`: the request lifts a block.
        """
        order = requester.order
        await self._check_limits(tx, requester, channel)
        confirmation_id, code = uuid7(), f"{secrets.randbelow(10**6):06}"
        row: dict[str, Any] = {
            "confirmation_id": confirmation_id,
            "order_id": order.order_id,
            "buyer_id": order.buyer_id,
            "storefront": order.storefront,
            "purpose": purpose,
            "channel": channel,
            "code_hash": self._code_hash(confirmation_id, code),
            "payload": None if payload is None else self._own_sealer.seal(payload).model_dump_json().encode(),
            "requested_at": tx.now,
            "expires_at": tx.now + _VALID_FOR,
            "contact_hash": self._contact_hash(confirmation_id, requester.email, requester.phone),
            "asked_by": requester.requested_by,
        }
        await tx.insert(confirmations, [row])
        event = ConfirmationRequested(
            order_id=order.order_id,
            order_number=str(order.number),
            storefront=order.storefront,
            buyer_id=order.buyer_id,
            confirmation_id=confirmation_id,
            purpose=purpose,
            channel=channel,
            code=self._sealer.seal(code.encode()),
            requested_at=tx.now,
            expires_at=tx.now + _VALID_FOR,
            lifts=lifts,
        )
        tx.publish(event, trace=order.trace)
        return confirmation_id

    async def _check_limits(self, tx: Tx, requester: Requester, channel: Channel) -> None:
        order = requester.order
        subjects = [f"code {order.order_id}", f"code {order.storefront} {mailbox_key(requester.email)}"]
        if channel == "sms":
            subjects.append(f"code phone {requester.phone}")
        for subject in sorted(subjects):
            await tx.execute(_LOCK, subject=subject)
        sent = (
            await tx.execute(
                _RECENT,
                order_id=order.order_id,
                unproved=list(requester.unproved),
                asked_by=requester.requested_by,
                since=tx.now - _DAY,
            )
        ).one()
        of_mailbox = sent.of_mailbox if requester.requested_by == "shop" else 0
        if sent.of_order >= _PER_ORDER or (channel == "email" and of_mailbox >= _PER_MAILBOX):
            raise LimitReachedError(
                "codes",
                f"{sent.of_order} codes were sent for this order within a day, {sent.of_mailbox} for orders of its "
                "mailbox that nobody has proved; use the link in the order's mail, try again tomorrow, or ask support.",
                again=_DAY,
            )
        if channel == "sms":
            to_phone = (
                await tx.execute(_TO_PHONE, phone=requester.phone, asked_by=requester.requested_by, since=tx.now - _DAY)
            ).scalar()
            if to_phone >= _PER_PHONE:
                raise LimitReachedError(
                    "codes",
                    f"{to_phone} codes were sent to this phone number within a day; use the link in the order's mail, "
                    "try again tomorrow, or ask support.",
                    again=_DAY,
                )

    async def buyer_of(self, tx: Tx, storefront: str, confirmation_id: UUID) -> UUID | None:
        """The buyer of a request; None if there is no such request. Locks nothing."""
        rows = await tx.execute(_BUYER, id=confirmation_id, storefront=storefront)
        return rows.scalar()  # type: ignore[no-any-return] # a column of the table

    async def check(self, tx: Tx, storefront: str, confirmation_id: UUID, code: str) -> Confirmed | Problem:
        """The request that this code confirms, once; otherwise a Problem.

        The caller raises the Problem after the commit, because a wrong code counts as a try. The caller has locked the
        contact's mailbox before, in the same sequence as an erasure, so that the two do not deadlock. It checks
        `was_sent_to` next.
        """
        row = (await tx.execute(_TRY, id=confirmation_id, storefront=storefront)).one_or_none()
        if row is None:
            return Problem(HTTPStatus.NOT_FOUND, "unknown-confirmation", "There is no such request.")
        if row.confirmed_at is not None:
            return Problem(HTTPStatus.CONFLICT, "already-confirmed", "This request was confirmed before.")
        if row.expires_at <= tx.now or row.tries > _MAX_TRIES:
            return Problem(HTTPStatus.GONE, "code-expired", "This code is no longer valid; make the request again.")
        if not hmac.compare_digest(self._code_hash(confirmation_id, code), bytes(row.code_hash)):
            left = _MAX_TRIES - row.tries
            return Problem(HTTPStatus.FORBIDDEN, "wrong-code", f"This is not the code; {left} tries left.")
        await tx.execute(_CONFIRMED, id=confirmation_id, now=tx.now)
        return Confirmed(
            confirmation_id,
            row.order_id,
            row.buyer_id,
            row.purpose,
            row.channel,
            payload=None if row.payload is None else self._opener.open(Sealed.model_validate_json(bytes(row.payload))),
            contact_hash=None if row.contact_hash is None else bytes(row.contact_hash),
        )

    def was_sent_to(self, confirmed: Confirmed, email: str, phone: str) -> bool:
        """Whether the code was requested for this contact. A code is void once the contact has changed."""
        sent_to = confirmed.contact_hash
        return sent_to is None or hmac.compare_digest(
            sent_to, self._contact_hash(confirmed.confirmation_id, email, phone)
        )

    def _contact_hash(self, confirmation_id: UUID, email: str, phone: str) -> bytes:
        return hmac.digest(self._secret, confirmation_id.bytes + f"{email}\n{phone}".encode(), hashlib.sha256)

    def _code_hash(self, confirmation_id: UUID, code: str) -> bytes:
        return hmac.digest(self._secret, confirmation_id.bytes + code.encode(), hashlib.sha256)
