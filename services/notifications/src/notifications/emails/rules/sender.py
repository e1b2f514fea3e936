"""Who emails come from: composes a rendered email as a storefront's signed message with its return path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notifications.emails.models.content import Rendered, Storefront
from notifications.emails.rules.links import Links
from notifications.emails.rules.message import Recipient, Signer, message
from shared.reply_tags import ReplyTags


@dataclass(frozen=True, slots=True)
class Sender:
    """The storefronts by slug, their DKIM signers, the links in emails, and the domain of Message-IDs."""

    storefronts: Mapping[str, Storefront]
    signers: Mapping[str, Sequence[Signer]]
    links: Links
    mail_domain: str
    #: None: answers name no order.
    replies: ReplyTags | None = None

    def return_path(self, kind: str, subject_id: UUID) -> str:
        """The envelope sender of an email: a bounce to it names the email."""
        return self.links.return_path(kind, subject_id)

    def compose(
        self,
        rendered: Rendered,
        storefront: str,
        to: Recipient,
        *,
        kind: str,
        subject_id: UUID,
        date: datetime,
        headers: Sequence[str] = (),
        order_id: UUID | None = None,
    ) -> bytes:
        """The whole message. Its Message-ID names the email, so that every repetition has the same one.

        Answers go to the support address, with a tag of the order where there is one.
        """
        store = self.storefronts[storefront]
        reply_to = store.support
        if self.replies is not None and store.reply_tags and order_id is not None:
            reply_to = self.replies.address(store.support, order_id)
        return message(
            rendered,
            store,
            to,
            message_id=f"{subject_id}.{kind}@{self.mail_domain}",
            date=date,
            signers=self.signers.get(storefront, ()),
            more=(f"Reply-To: <{reply_to}>", *headers),
        )
