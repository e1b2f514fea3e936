"""HTTP bodies about webhooks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ordering.clients.webhook_receiver import Answer
from ordering.updates.models import UpdateType
from ordering.webhooks.models import DeliveryState, DisabledReason, Endpoint, Redelivery
from shared.contracts.base import Slug
from shared.operations.answers import Reason
from shared.values.moment import Moment
from shared.values.opaque import Url
from shared.values.text import Line

Types = Annotated[list[UpdateType], Field(min_length=1, max_length=100)]


class _Body(BaseModel):
    """Unknown fields are refused, because they are usually typing errors."""

    model_config = ConfigDict(extra="forbid")


class NewEndpoint(_Body):
    """Where webhooks are to be sent. Without `types` it hears all, also those that are added later."""

    url: Annotated[str, Url()]
    types: Types | None = None
    description: Annotated[str, Line(200, 0)] = ""


class EndpointChange(_Body):
    """A field that is left out does not change. `types`: null hears all."""

    url: Annotated[str, Url()] | None = None
    types: Types | None = None
    description: Annotated[str, Line(200, 0)] | None = None
    enabled: bool | None = None


class Rotation(_Body):
    """For how many hours webhooks are signed with the older secrets too; 0: from now on only with the new one."""

    older_secrets_valid_hours: int = Field(24, ge=0, le=168)


class TestRequest(_Body):
    """Which example is sent."""

    type: UpdateType = "order.paid"


class RedeliveryRequest(_Body):
    """Which updates are sent again, of the last 30 days: one, or those of a time, or all; to one endpoint or all.

    Times are those at which the updates were written; `until` is exclusive. `continue_after` comes from the answer
    to an earlier request that was too large.
    """

    update_id: UUID | None = None
    endpoint_id: UUID | None = None
    since: Moment | None = None
    until: Moment | None = None
    types: Types | None = None
    undelivered_only: bool = False
    continue_after: UUID | None = None

    @property
    def chosen(self) -> Redelivery:
        """The updates that are meant."""
        return Redelivery(
            self.endpoint_id, self.update_id, self.since, self.until, self.types, undelivered=self.undelivered_only
        )


class Enabling(_Body):
    """Why an endpoint is enabled again; kept in the log."""

    reason: Reason


class OperatedRedeliveryRequest(RedeliveryRequest):
    """The same for operations people: updates of one shop, and why. Without any condition, all of its 30 days."""

    storefront: Slug
    reason: Reason
    dry_run: bool = False


class EndpointView(BaseModel):
    """An endpoint. `types`: null for all. `failures` are consecutive ones; nothing is sent before `paused_until`."""

    endpoint_id: UUID
    url: str
    description: str
    types: list[UpdateType] | None
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None
    #: `gone`: it answered 410. `failing`: for three days. `shop`: you disabled it.
    disabled_reason: DisabledReason | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    succeeded_at: datetime | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """As shops see it."""
        return cls(**cls._fields(endpoint))

    @staticmethod
    def _fields(endpoint: Endpoint) -> dict[str, Any]:
        fields = {name: getattr(endpoint, name) for name in Endpoint.__slots__ if name != "storefront"}
        return fields | {"enabled": endpoint.disabled_at is None}


class OperatedEndpointView(EndpointView):
    """An endpoint as operations people see it: with its shop."""

    storefront: str

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        return cls(**cls._fields(endpoint), storefront=endpoint.storefront)


class OperatedEndpointsView(BaseModel):
    """Endpoints of one shop or of all, the oldest first."""

    items: list[OperatedEndpointView]


class CreatedEndpoint(EndpointView):
    """A new endpoint with its secret, which is not shown again."""

    secret: str

    @classmethod
    def with_secret(cls, endpoint: Endpoint, secret: str) -> Self:
        """The only answer that contains the secret."""
        return cls(**cls._fields(endpoint), secret=secret)


class NewSecret(BaseModel):
    """A new secret, which is not shown again, and until when the older ones sign too."""

    secret_id: UUID
    secret: str
    older_secrets_expire_at: datetime


class DeliveryView(BaseModel):
    """One update's delivery to an endpoint, with its last attempt.

    `due_at`: the next attempt, while it waits; it is given up after `give_up_at`. `last_answer` is the first kilobyte
    of the answer; without a status, `last_error` says why there was none.
    """

    update_id: UUID
    order_id: UUID | None
    type: UpdateType
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    due_at: datetime
    give_up_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_latency_ms: int | None
    last_answer: str | None
    last_error: str | None


class DeliveryPage(BaseModel):
    """Deliveries, the newest update first. `next`: the parameter `before` of the next page; null on the last one."""

    deliveries: list[DeliveryView]
    next: UUID | None

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], limit: int) -> Self:
        """The page of these rows, of which at most `limit` were read."""
        deliveries = [DeliveryView(**row) for row in rows]
        return cls(deliveries=deliveries, next=deliveries[-1].update_id if len(deliveries) == limit else None)


class TestResult(BaseModel):
    """What came of one attempt with an example; nothing is stored and nothing is repeated."""

    delivered: bool
    status: int | None
    latency_ms: int
    answer: str
    error: str | None

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Any 2xx is delivered, as for updates."""
        delivered = answer.status in range(200, 300)
        return cls(
            delivered=delivered,
            status=answer.status,
            latency_ms=answer.latency_ms,
            answer=answer.text,
            error=answer.failure or (None if delivered else "refused"),
        )


class RedeliveryAnswer(BaseModel):
    """How many deliveries are due now. With `continue_after`, repeat the request with it: more updates are meant."""

    deliveries: int
    continue_after: UUID | None


class OperatedRedeliveryAnswer(RedeliveryAnswer):
    """The same for operations people. `more`: more updates are meant than one request sends again."""

    more: bool
