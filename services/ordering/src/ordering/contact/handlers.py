"""Records that buyers proved their mailboxes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ordering.contact.store import prove_by_link
from shared.contracts import Event, MailboxProved
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


async def mailbox_proved(tx: Tx, batch: Sequence[Received[MailboxProved]]) -> None:
    """A link that was used proves the contact that it was made for, unless the contact has changed since."""
    newest: dict[UUID, MailboxProved] = {}
    for received in batch:
        event = received.event
        if event.buyer_id not in newest or newest[event.buyer_id].contact_at < event.contact_at:
            newest[event.buyer_id] = event
    await prove_by_link(tx, list(newest.values()))


HANDLERS: Mapping[type[Event], Handler] = {MailboxProved: mailbox_proved}
