"""Publishes DataLow and ProfileExpiring, each once, in the transaction that stores that it was published."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from provisioning.lifecycle import store
from provisioning.lifecycle.models.notices import Announcement, NoticePeriods, TopUpState
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.lifecycle.rules.announcements import announcement
from provisioning.lifecycle.rules.thresholds import lacks_total, newly_reached
from provisioning.shop_terms import ShopTerms
from shared.contracts import DataLow, ProfileExpiring
from shared.database import Tx
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class Notices:
    """Publishes what a buyer needs to know before an eSIM stops working."""

    def __init__(self, terms: ShopTerms) -> None:
        self._terms = terms

    def announce_at(self, profile: IssuedProfile) -> datetime | None:
        """When the end of this profile is to be announced; None: never, or it is announced already."""
        due = self._announcement(profile)
        return None if due is None else due.due_at

    def lacks_total(self, profile: IssuedProfile) -> bool:
        """Whether the operator is to be queried for the total of this profile's data."""
        facts, top_ups = profile.facts, TopUpState(profile.extra_bytes, profile.extended_at)
        return not profile.ended() and lacks_total(facts.usage, facts.total_at, top_ups, profile.looked_at)

    async def publish_low_data(self, tx: Tx, profiles: Iterable[IssuedProfile]) -> None:
        """Publish the thresholds that are newly reached. The profiles are locked, and as they are now."""
        changed = {}
        for profile in profiles:
            if profile.ended() or profile.refunded_at is not None:
                continue
            facts = profile.facts
            top_ups = TopUpState(profile.extra_bytes, profile.extended_at)
            reached = newly_reached(facts.usage, facts.total_at, top_ups, profile.thresholds)
            if not reached:
                continue
            changed[profile.order_id] = (*profile.thresholds, *reached)
            for threshold in reached:
                tx.publish(_data_low(profile, threshold.percent, tx.now), trace=profile.trace)
        await store.save_thresholds(tx, changed)

    async def announce_ends(self, tx: Tx, profiles: Iterable[IssuedProfile]) -> dict[UUID, IssuedProfile]:
        """Announce the ends that are due; returns those profiles as they are now. The profiles are locked."""
        announced = {}
        for profile in profiles:
            due = self._announcement(profile)
            if due is None or not due.due_at <= tx.now < due.ends_at:
                continue
            announced[profile.order_id] = replace(profile, announced_end=due.ends_at, announced_for=due.reason)
            event = ProfileExpiring(
                **profile.subject(),
                plan=profile.plan,
                reason=due.reason,
                ends_at=due.ends_at,
                ends_on=due.ends_on,
                announced_at=tx.now,
            )
            tx.publish(event, trace=profile.trace)
            log.info("profile_expiring", order_id=str(profile.order_id), reason=due.reason, ends_on=str(due.ends_on))
        await store.save_announcements(tx, announced.values())
        return announced

    def _announcement(self, profile: IssuedProfile) -> Announcement | None:
        storefront = profile.storefront
        periods = NoticePeriods(self._terms.unused_notice(storefront), self._terms.plan_notice(storefront))
        return announcement(profile, self._terms.zone(storefront), periods)


def _data_low(profile: IssuedProfile, percent: int, now: datetime) -> DataLow:
    usage = profile.facts.usage
    return DataLow.model_validate(
        {
            **profile.subject(),
            "plan": profile.plan,
            "threshold_percent": percent,
            "used_bytes": usage.used_bytes,
            "total_bytes": usage.total_bytes,
            "observed_at": usage.observed_at or now,
        }
    )
