"""Task `send_notice`: sends an email to a shop's support address.

An email whose final reply was lost is sent again under the same Message-ID: two are better than none.
"""

from collections.abc import Sequence

from notifications.clients.mail import Mail, MailNotSent, MailRefused, outcome_label
from notifications.delivery import DeliveryContext
from notifications.emails import Recipient, Storefront, recipient
from notifications.notices.models import SEND_NOTICE, EndpointDisabledNotice
from notifications.notices.rules import render_notice
from shared.database import Tx
from shared.outcomes import NeedsPerson, Outcome
from shared.tasks import Task, TaskResult


class SendNotice:
    """The task. What the shop's mail server refuses waits for a person, who knows another way to the shop."""

    kind = SEND_NOTICE
    payload = EndpointDisabledNotice
    concurrency = 1

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context

    async def perform(self, task: Task[EndpointDisabledNotice]) -> Outcome[None]:
        """Hand the email to the mail server."""
        storefront = self._context.sender.storefronts.get(task.payload.storefront)
        if storefront is None:
            return NeedsPerson(f"there is no storefront {task.payload.storefront}")
        to = recipient(storefront.name, storefront.support)
        mail = Mail(storefront.address, to, lambda: self._compose(task.payload, storefront, to))
        with self._context.tracing.call("smtp", "notice", task.continues, name="mail notice") as span:
            outcome = await self._context.mailer.send(mail)
            span.outcome = outcome_label(outcome)
        match outcome:
            case MailRefused():
                return NeedsPerson(f"the shop's mail server refuses the email: {outcome.code}")
            case MailNotSent() if self._context.now() - task.created_at > self._context.give_up_after:
                return NeedsPerson(f"the email could not be sent: {outcome.reason}")
        return outcome

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, EndpointDisabledNotice]]) -> None:
        """Count; nothing else follows."""
        del tx
        self._context.emails.labels("notice", "sent").inc(len(results))

    def _compose(self, notice: EndpointDisabledNotice, storefront: Storefront, to: Recipient) -> bytes:
        return self._context.sender.compose(
            render_notice(storefront, notice),
            notice.storefront,
            to,
            kind="notice",
            subject_id=notice.notice_id,
            date=self._context.now(),
        )
