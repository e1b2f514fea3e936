"""A policy as refunds decides by it: a version of the seller's text, with the seller's clock and currency.

The order of questions is `rules/engine.py`'s; what each condition means is in `rules/conditions.py`.
"""

from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from refunds.policy.models.calendar import Calendar
from shared.shops.models import Shop
from shared.shops.policy import Period, PolicyFile, Reason, Required


class Policy(PolicyFile):
    """One seller's policy in one version."""

    storefront: str
    zone: str
    #: ISO 3166-1 alpha-2; None: no public holidays.
    holidays: str | None = None
    currency: str

    @staticmethod
    def of(file: PolicyFile, shop: Shop) -> "Policy":
        """A version of this shop's policy."""
        content = {name: getattr(file, name) for name in PolicyFile.model_fields}
        return Policy.model_construct(
            **content, storefront=shop.slug, zone=shop.time_zone, holidays=shop.holidays, currency=shop.currency
        )

    @property
    def name(self) -> str:
        """`<storefront>@<version>`."""
        return f"{self.storefront}@{self.version}"

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(ZoneInfo(self.zone), self.holidays)

    def after(self, period: Period | None, moment: datetime | None) -> datetime | None:
        """The end of a period that starts at a moment, in UTC; None where either is not there."""
        if period is None or moment is None:
            return None
        if period.calendar_days is not None:
            return self.calendar.after_calendar_days(moment, period.calendar_days)
        if period.business_days is not None:
            return self.calendar.after_business_days(moment, period.business_days)
        return moment + timedelta(hours=period.hours or 0)

    def required_fields(self, reason: Reason) -> tuple[Required, ...]:
        """What a request for this reason must carry."""
        return tuple(item for item in self.required if item.reason is None or reason in item.reason)
