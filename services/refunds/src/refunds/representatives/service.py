"""Records representations, and who confirmed them. Ordering carries out what is done upon one."""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from refunds.cases import LimitError, NotAllowedError, write_entry
from refunds.representatives import store
from refunds.representatives.rules import refuse_decision, refuse_use, state_of
from refunds.support_mail import Content, MailStore, NewMail
from refunds.support_mail.models import File
from shared.database import Tx
from shared.ids import uuid7
from shared.values.identification import Identification

MOST_FILES = 5
#: How a request to ordering ended. `unknown`: it may have been carried out.
ActOutcome = Literal["done", "refused", "unknown"]


@dataclass(slots=True, frozen=True)
class NewRepresentation:
    """Who acts for a buyer. `name`: of the representative; sealed where it is stored."""

    name: str = field(repr=False)
    identification: Identification


class Representatives:
    """All methods take the caller's transaction and never commit.

    `who`: the account as the audit trail names it, `agent:anna`. Entries name the representation by its id.
    """

    def __init__(self, mails: MailStore) -> None:
        self.mails = mails

    async def record(
        self, tx: Tx, order: Any, representation_id: UUID, new: NewRepresentation, who: str, trace: str | None
    ) -> None:
        """Record who acts for the buyer of an order, once for each id. It serves when a supervisor has confirmed it."""
        row = {
            "representation_id": representation_id,
            "order_id": order.order_id,
            "buyer_id": order.buyer_id,
            "storefront": order.storefront,
            "identification": new.identification.model_dump(mode="json", exclude_none=True),
            "recorded_by": who,
            "recorded_at": tx.now,
        }
        if not await store.insert(tx, row):
            return
        content = Content(sender="", sender_name=new.name, subject="", own="", quoted="", message_id="")
        mail = NewMail(representation_id, order.storefront, "form", tx.now, "waiting", None, None, None, content)
        await self.mails.insert(tx, mail, trace)
        await store.file_for(tx, representation_id, order.buyer_id)
        await _audit(tx, who, "representation_recorded", row["order_id"], representation_id)

    async def add_evidence(self, tx: Tx, representation_id: UUID, files: list[File], who: str) -> None:
        """Keep files that show the power, sealed. Raises NotAllowedError, LimitError."""
        row = await self._locked(tx, representation_id)
        if state_of(row, tx.now) not in ("waiting", "confirmed"):
            raise NotAllowedError("This representation is over; nothing is added to it.")
        before = len(await self.mails.files(tx, representation_id))
        if before + len(files) > MOST_FILES:
            raise LimitError("evidence-files", f"A representation has at most {MOST_FILES} files.", None)
        await self.mails.add_files(tx, representation_id, files, before)
        await _audit(tx, who, "representation_evidence_added", row.order_id, representation_id, files=len(files))

    async def decide(self, tx: Tx, representation_id: UUID, who: str, *, confirmed: bool) -> None:
        """Confirm or reject it, as a supervisor who has not recorded it. Raises NotAllowedError."""
        row = await self._locked(tx, representation_id)
        if refused := refuse_decision(row, tx.now, who):
            raise NotAllowedError(refused)
        await store.decide(tx, representation_id, who, confirmed=confirmed)
        what = "representation_confirmed" if confirmed else "representation_rejected"
        await _audit(tx, who, what, row.order_id, representation_id)

    async def end(self, tx: Tx, representation_id: UUID, who: str) -> None:
        """End it: nothing is done upon it any more. Ended twice, it changes nothing."""
        row = await self._locked(tx, representation_id)
        if row.ended_at is None:
            await store.end(tx, representation_id, who)
            await _audit(tx, who, "representation_ended", row.order_id, representation_id)

    async def use(self, tx: Tx, representation_id: UUID, who: str, what: str) -> Any:
        """Note that something is about to be done upon it. Returns the row; raises NotAllowedError."""
        row = await self._locked(tx, representation_id)
        if refused := refuse_use(row, tx.now):
            raise NotAllowedError(refused)
        await _audit(tx, who, what, row.order_id, representation_id)
        return row

    async def record_act(self, tx: Tx, row: Any, who: str, what: str, outcome: ActOutcome) -> None:
        """Store how it ended; the audit trail has an entry too where it was not done."""
        act = {"act_id": uuid7(), "representation_id": row.representation_id, "at": tx.now, "who": who}
        await store.insert_act(tx, act | {"what": what, "outcome": outcome})
        if outcome != "done":
            await _audit(tx, who, "action_refused", row.order_id, row.representation_id, action=what, outcome=outcome)

    async def name_and_files(self, tx: Tx, representation_id: UUID) -> tuple[str | None, list[dict[str, Any]]]:
        """The representative's name, None where it was deleted, and the files without their contents."""
        content = await self.mails.content_of(tx, representation_id)
        return (None if content is None else content.sender_name), await self.mails.files(tx, representation_id)

    async def _locked(self, tx: Tx, representation_id: UUID) -> Any:
        row = await store.lock(tx, representation_id)
        if row is None:
            raise NotAllowedError("There is no such representation.")
        return row


async def _audit(tx: Tx, who: str, what: str, order_id: UUID, representation_id: UUID, **detail: Any) -> None:
    await write_entry(tx, who, what, order_id, representation=str(representation_id), **detail)
