"""Handlers of provisioning's own events: what it has published since the backup is done, and is not done again."""

from collections.abc import Sequence
from typing import Any

from provisioning.clients.models import OperatorProfile
from provisioning.generation import GenerationListener
from provisioning.generation.models import GeneratedProfile, paid_order_fields
from provisioning.operators import Operators, own_identity
from provisioning.recovery import store
from provisioning.shop_terms import ShopTerms
from provisioning.top_ups import extend
from provisioning.top_ups.models import TopUpRow
from provisioning.withdrawal.models import WithdrawalPayload
from shared.contracts import (
    DataLow,
    ProfileExpired,
    ProfileExpiring,
    ProfileFailed,
    ProfileGenerated,
    ProfileRevoked,
    RevocationRefused,
    TopUpApplied,
)
from shared.contracts.base import Event
from shared.database import Tx
from shared.messaging.consumer import Handler, Received

_Ended = ProfileGenerated | ProfileFailed


class OwnEvents:
    """Stores what the events say. `listener` gets the generated profiles, as when they are made."""

    def __init__(self, terms: ShopTerms, operators: Operators, listener: GenerationListener) -> None:
        self._terms = terms
        self._operators = operators
        self._listener = listener

    @property
    def handlers(self) -> dict[type[Event], Handler]:
        """In the sequence in which they are applied: a top-up needs its eSIM, an end its profile."""
        return {
            ProfileGenerated: self.profile_generated,
            ProfileFailed: self.profile_failed,
            TopUpApplied: self.top_up_applied,
            ProfileRevoked: self.profile_revoked,
            RevocationRefused: self.revocation_refused,
            ProfileExpired: self.profile_expired,
            ProfileExpiring: self.profile_expiring,
            DataLow: self.data_low,
        }

    async def profile_generated(self, tx: Tx, batch: Sequence[Received[ProfileGenerated]]) -> None:
        """The order has its profile: no task is left, and nothing else that may have been made for it stays usable."""
        events = {received.event.order_id: received for received in batch}
        before = await store.stored_attempts(tx, events)
        rows = [self._row(tx, received.event) for received in events.values()]
        new = await store.end_orders(tx, rows)
        await store.take_from_stock(tx, rows)
        for order_id in new:
            self._withdraw_others(tx, events[order_id].event, before.get(order_id))
        await self._listener(tx, [self._generated(events[order_id]) for order_id in new])

    async def profile_failed(self, tx: Tx, batch: Sequence[Received[ProfileFailed]]) -> None:
        """No profile comes for the order, or the top-up was not applied."""
        top_ups_failed = [received.event for received in batch if received.event.kind == "top_up"]
        if top_ups_failed:
            rows = [_top_up(event, self._terms, "failed") for event in top_ups_failed]
            await store.end_top_ups(tx, rows)
        events = {received.event.order_id: received.event for received in batch if received.event.kind == "esim"}
        if events:
            before = await store.stored_attempts(tx, events)
            for order_id in await store.end_orders(tx, [self._row(tx, event) for event in events.values()]):
                self._withdraw_others(tx, events[order_id], before.get(order_id))

    async def top_up_applied(self, tx: Tx, batch: Sequence[Received[TopUpApplied]]) -> None:
        """The eSIM was extended: it counts once."""
        events = {received.event.order_id: received.event for received in batch}
        rows = [
            _top_up(event, self._terms, "applied")
            | {"total_bytes": event.total_bytes, "plan_ends_at": event.plan_ends_at}
            for event in events.values()
        ]
        new = await store.end_top_ups(tx, rows)
        if new:
            applied = [_applied(events[order_id], self._terms) for order_id in sorted(new, key=lambda one: one.int)]
            await extend(tx, applied)

    async def profile_revoked(self, tx: Tx, batch: Sequence[Received[ProfileRevoked]]) -> None:
        """The code is revoked, and its case is answered."""
        events = [received.event for received in batch]
        await store.revoke(tx, events)
        await store.settle_revocations(tx, events)

    async def revocation_refused(self, tx: Tx, batch: Sequence[Received[RevocationRefused]]) -> None:
        """The case is answered: the profile could not be revoked."""
        await store.settle_revocations(tx, [received.event for received in batch])

    async def profile_expired(self, tx: Tx, batch: Sequence[Received[ProfileExpired]]) -> None:
        """The eSIM has expired."""
        await store.expire(tx, [received.event for received in batch])

    async def profile_expiring(self, tx: Tx, batch: Sequence[Received[ProfileExpiring]]) -> None:
        """The end was announced."""
        await store.announce(tx, [received.event for received in batch])

    async def data_low(self, tx: Tx, batch: Sequence[Received[DataLow]]) -> None:
        """The threshold was published."""
        await store.reach_thresholds(tx, [received.event for received in batch])

    # --- rows -----------------------------------------------------------------------------------------------------

    def _row(self, tx: Tx, event: _Ended) -> dict[str, Any]:
        failed = isinstance(event, ProfileFailed)
        return {
            **paid_order_fields(event),
            "plan": event.plan.model_dump(mode="json"),
            "profile_type": self._profile_type(event, event.operator),
            "operator": event.operator,
            "iccid": None if isinstance(event, ProfileFailed) else event.iccid,
            "matching_id": None if isinstance(event, ProfileFailed) else self._matching_id(event),
            "state": "failed" if failed else "generated",
            "statuses": [one.model_dump() for one in event.statuses] if isinstance(event, ProfileFailed) else [],
            "reason": event.reason if isinstance(event, ProfileFailed) else None,
            "deadline": event.paid_at + self._terms.deadline(event.storefront),
            "created_at": tx.now,
            "settled_at": event.failed_at if isinstance(event, ProfileFailed) else event.generated_at,
        }

    def _matching_id(self, event: ProfileGenerated) -> str | None:
        """The event has it sealed to notifications; ours follows from the ICCID, an operator's own is not needed."""
        if event.operator not in self._operators or not self._operators[event.operator].traits.repeatable:
            return None
        identity = own_identity(self._operators, event.iccid)
        return identity.matching_id

    def _generated(self, received: Received[ProfileGenerated]) -> GeneratedProfile:
        event = received.event
        return GeneratedProfile(
            order=paid_order_fields(event),
            operator=event.operator,
            profile_type=self._profile_type(event, event.operator),
            iccid=event.iccid,
            generated_at=event.generated_at,
            valid_until=event.valid_until,
            # Its activation code was published with the event, and is not published again.
            profile=OperatorProfile("", self._matching_id(event) or ""),
            trace=received.trace,
        )

    def _withdraw_others(self, tx: Tx, event: _Ended, stored: Any) -> None:
        """Withdraw what another attempt for this order may have left; nobody was given its code.

        That is the identity that the backup has, unless the profile has it, and an order at each operator that chooses
        ICCIDs itself and stands before the profile's operator. Identities of the lost time are `identities.py`'s.
        """
        made = event.iccid if isinstance(event, ProfileGenerated) else None
        left: dict[str, tuple[str, str | None, str | None]] = {}
        for offer in self._operators.offers(event.storefront, event.plan.profile_type):
            if made is not None and offer.operator == event.operator:
                break
            if not self._operators[offer.operator].traits.repeatable:
                left[offer.operator] = (offer.profile_type, None, None)
        if stored is not None and (made is None or (stored.operator, stored.iccid or made) != (event.operator, made)):
            left[stored.operator] = (stored.profile_type, stored.iccid, stored.matching_id)
        for operator, (profile_type, iccid, matching_id) in left.items():
            payload = WithdrawalPayload(
                order_number=event.order_number,
                operator=operator,
                profile_type=profile_type,
                plan=event.plan,
                iccid=iccid,
                matching_id=matching_id,
            )
            tx.schedule(self._operators.kind("withdraw", operator), str(event.order_id), payload)

    def _profile_type(self, event: _Ended, operator: str) -> str:
        """The operator's own name of the plan."""
        offers = self._operators.offers(event.storefront, event.plan.profile_type)
        return next((one.profile_type for one in offers if one.operator == operator), event.plan.profile_type)


def _top_up(event: ProfileFailed | TopUpApplied, terms: ShopTerms, state: str) -> dict[str, Any]:
    """A row of `top_ups`; both kinds of events have the same columns."""
    ended_at = event.failed_at if isinstance(event, ProfileFailed) else event.applied_at
    return {
        **paid_order_fields(event),
        "plan": event.plan.model_dump(mode="json"),
        "iccid": event.iccid,
        "esim_order_id": event.esim_order_id if isinstance(event, TopUpApplied) else None,
        "operator": event.operator,
        "state": state,
        "statuses": [one.model_dump() for one in event.statuses] if isinstance(event, ProfileFailed) else [],
        "reason": event.reason if isinstance(event, ProfileFailed) else None,
        "total_bytes": None,
        "plan_ends_at": None,
        "deadline": event.paid_at + terms.deadline(event.storefront),
        "created_at": event.paid_at,
        "settled_at": ended_at,
    }


def _applied(event: TopUpApplied, terms: ShopTerms) -> TopUpRow:
    return TopUpRow(
        **paid_order_fields(event),
        iccid=event.iccid,
        esim_order_id=event.esim_order_id,
        operator=event.operator,
        state="applied",
        reason=None,
        deadline=event.paid_at + terms.deadline(event.storefront),
    )
