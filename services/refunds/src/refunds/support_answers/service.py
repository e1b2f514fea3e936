"""Sends what agents write to buyers: by e-mail to the contact on file, in the thread of the buyer's own mail."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from refunds.cases import CaseService, NotAllowedError, lock, write_entry
from refunds.claims import answer_claim
from refunds.support_answers import store
from shared.contracts import InformationNeeded, SupportAnswered, order_fields
from shared.database import Tx
from shared.sealed import Sealed, Sealer

#: In `Tx.carried`: what an agent wrote about a case in this transaction, by case; chats that follow it get it too.
AGENT_WORDS = "support_answers.agent_words"


class SupportAnswers:
    """Writes in the caller's transaction and never commits. Every text has an id of its form's, so it is sent once."""

    def __init__(self, case_service: CaseService, sealer: Sealer | None, keep: timedelta) -> None:
        """`sealer`: of notifications; without it nothing can be written. `keep`: how long texts stay."""
        self._cases = case_service
        self._sealer = sealer
        self._keep = keep

    async def answer_case(
        self, tx: Tx, order: Any, case_id: UUID, answer_id: UUID, text: str, *, who: str, trace: str | None
    ) -> None:
        """Write to the buyer about a case, which stays as it is. Raises NotAllowedError."""
        words = await self._store(tx, order, answer_id, text, who, case_id=case_id)
        if words is not None:
            await write_entry(tx, who, "answered", order.order_id, case_id)
            tx.carried[AGENT_WORDS] = {case_id: text}
            self._publish(tx, order, answer_id, words, trace, case_id=case_id)

    async def answer_claim(
        self, tx: Tx, claim: Any, answer_id: UUID, text: str, *, who: str, trace: str | None
    ) -> None:
        """Answer a claim in writing, which meets its deadline (PO 7.3, PP 7.3). Raises NotAllowedError."""
        words = await self._store(tx, claim, answer_id, text, who, claim_id=claim.claim_id)
        if words is None:
            return
        if not await answer_claim(tx, claim.claim_id, who, trace=trace, answer_id=answer_id):
            raise NotAllowedError("Somebody else has answered this claim meanwhile. Your text was not sent.")
        self._publish(tx, claim, answer_id, words, trace, claim_id=claim.claim_id)

    async def acknowledge(self, tx: Tx, order: Any, answer_id: UUID, text: str, *, who: str, trace: str | None) -> None:
        """Write to the contact of an order, about no case or claim; once for each id. Raises NotAllowedError."""
        words = await self._store(tx, order, answer_id, text, who)
        if words is not None:
            self._publish(tx, order, answer_id, words, trace)

    async def ask_documents(
        self,
        tx: Tx,
        order: Any,
        case_id: UUID,
        answer_id: UUID,
        fields: Collection[str],
        text: str,
        *,
        who: str,
        trace: str | None,
    ) -> None:
        """Ask the buyer again for what was given and does not serve (RF 4.3), with words. Raises NotAllowedError."""
        words = await self._store(tx, order, answer_id, text, who, case_id=case_id)
        if words is None:
            return
        await self._cases.ask_again(tx, order.order_id, case_id, who, fields, trace)
        tx.carried[AGENT_WORDS] = {case_id: text}
        for outgoing in tx.outgoing:
            event = outgoing.event
            if isinstance(event, InformationNeeded) and event.case_id == case_id:
                outgoing.event = event.model_copy(update={"words": words})

    async def _store(
        self,
        tx: Tx,
        order: Any,
        answer_id: UUID,
        text: str,
        who: str,
        *,
        case_id: UUID | None = None,
        claim_id: UUID | None = None,
    ) -> Sealed | None:
        """The sealed text; None where this form was sent before. Raises NotAllowedError."""
        if self._sealer is None:
            raise NotAllowedError("Nothing can be sent from here: NOTIFICATIONS_SEAL_PUBLIC_KEY is not set.")
        await lock(tx, [order.order_id])
        if await store.is_erased(tx, order.buyer_id):
            raise NotAllowedError("The buyer's data were erased (PP 6.2): there is no address to write to.")
        stored = await store.insert(
            tx, answer_id, order, case_id=case_id, claim_id=claim_id, who=who, text=text, keep=self._keep
        )
        return self._sealer.seal(text.encode()) if stored else None

    def _publish(
        self,
        tx: Tx,
        order: Any,
        answer_id: UUID,
        words: Sealed,
        trace: str | None,
        *,
        case_id: UUID | None = None,
        claim_id: UUID | None = None,
    ) -> None:
        event = SupportAnswered(
            **order_fields(order),
            answer_id=answer_id,
            case_id=case_id,
            claim_id=claim_id,
            words=words,
            answered_at=tx.now,
        )
        tx.publish(event, trace=trace)
