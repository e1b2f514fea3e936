"""Tasks `send_notice` and `send_alert`: send an email to a shop's support address, or to its agents.

An email whose final reply was lost is sent again under the same Message-ID: two are better than none.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from notifications.clients.mail import Mail, MailNotSent, MailRefused, outcome_label
from notifications.delivery import DeliveryContext
from notifications.emails import Recipient, Rendered, Storefront, recipient
from notifications.notices.models import SEND_ALERT, SEND_NOTICE, DeadlineNotice, EndpointDisabledNotice
from notifications.notices.rules import render_alert, render_notice
from shared.database import Tx
from shared.outcomes import NeedsPerson, Outcome
from shared.tasks import Task, TaskResult

N = TypeVar("N", EndpointDisabledNotice, DeadlineNotice)


class _SendToShop(ABC, Generic[N]):
    """What the shop's mail server refuses waits for a person, who knows another way to the shop."""

    concurrency = 1
    #: The kind of email: what metrics and spans call it.
    label: ClassVar[str]

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context

    @abstractmethod
    def _address(self, storefront: Storefront) -> str | None:
        """Where the shop wants it; None: nowhere (any more)."""

    @abstractmethod
    def _rendered(self, storefront: Storefront, notice: N) -> Rendered: ...

    async def perform(self, task: Task[N]) -> Outcome[None]:
        """Hand the email to the mail server."""
        notice: N = task.payload
        storefront = self._context.sender.storefronts.get(notice.storefront)
        if storefront is None:
            return NeedsPerson(f"there is no storefront {notice.storefront}")
        address = self._address(storefront)
        if address is None:
            return NeedsPerson(f"{notice.storefront} names no address for this email any more")
        to = recipient(storefront.name, address)
        mail = Mail(storefront.address, to, lambda: self._compose(notice, storefront, to))
        with self._context.tracing.call("smtp", self.label, task.continues, name=f"mail {self.label}") as span:
            outcome = await self._context.mailer.send(mail)
            span.outcome = outcome_label(outcome)
        match outcome:
            case MailRefused():
                return NeedsPerson(f"the shop's mail server refuses the email: {outcome.code}")
            case MailNotSent() if self._context.now() - task.created_at > self._context.give_up_after:
                return NeedsPerson(f"the email could not be sent: {outcome.reason}")
        return outcome

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, N]]) -> None:
        """Count; nothing else follows."""
        del tx
        self._context.emails.labels(self.label, "sent").inc(len(results))

    def _compose(self, notice: N, storefront: Storefront, to: Recipient) -> bytes:
        return self._context.sender.compose(
            self._rendered(storefront, notice),
            notice.storefront,
            to,
            kind=self.label,
            subject_id=notice.notice_id,
            date=self._context.now(),
        )


class SendNotice(_SendToShop[EndpointDisabledNotice]):
    """Sends an email to the shop's support address."""

    kind = SEND_NOTICE
    payload = EndpointDisabledNotice
    label = "notice"

    def _address(self, storefront: Storefront) -> str:
        return storefront.support

    def _rendered(self, storefront: Storefront, notice: EndpointDisabledNotice) -> Rendered:
        return render_notice(storefront, notice)


class SendAlert(_SendToShop[DeadlineNotice]):
    """Sends an email to the shop's agents."""

    kind = SEND_ALERT
    payload = DeadlineNotice
    label = "alert"

    def _address(self, storefront: Storefront) -> str | None:
        return storefront.alerts

    def _rendered(self, storefront: Storefront, notice: DeadlineNotice) -> Rendered:
        return render_alert(storefront, notice)
