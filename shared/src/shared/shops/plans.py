"""Plans as `plans.toml` lists them: each in one or more versions."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Plan, Slug
from shared.shops.entry import Entry, wrong_starts
from shared.values.count import LARGEST, LARGEST_INT
from shared.values.moment import Moment
from shared.values.text import Line

#: A country (ISO 3166-1 alpha-2) or the slug of a region, such as `europe`.
Place = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|[a-z]{3,}(-[a-z]+)*)$")]


class PlanVersion(Entry):
    """A plan with its price, in minor units of the shop's currency, from a moment on."""

    id: Slug
    title: Annotated[str, Line(200)]
    coverage: tuple[Place, ...] = Field(min_length=1)
    data_mb: int = Field(gt=0, le=LARGEST_INT)
    validity_days: int = Field(gt=0, le=3_660)
    profile_type: Annotated[str, Line(200)]
    price: int = Field(gt=0, le=LARGEST)
    effective_from: Moment | None = None
    #: From this moment on the plan is not sold any more, unless a later version sells it again.
    effective_until: Moment | None = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "PlanVersion":
        if self.effective_from and self.effective_until and self.effective_until <= self.effective_from:
            raise ValueError("effective_until is not after effective_from")
        return self

    @property
    def plan(self) -> Plan:
        """What orders and events carry of it."""
        return Plan.model_validate(self.model_dump(include=set(Plan.model_fields)))

    def sold(self, at: datetime) -> bool:
        """Whether it is on sale at that moment, where it is the version in force."""
        return self.effective_until is None or at < self.effective_until


class PlansFile(Entry):
    """The content of `plans.toml`."""

    plan: tuple[PlanVersion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _versions_follow_one_another(self) -> "PlansFile":
        versions: dict[str, list[PlanVersion]] = {}
        for plan in self.plan:
            versions.setdefault(plan.id, []).append(plan)
        for plan_id, found in versions.items():
            if wrong := wrong_starts(found, since_ever=False):
                raise ValueError(f"plan {plan_id}: effective_from: {wrong}")
        return self
