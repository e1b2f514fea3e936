"""What stands in a work row of an order, and how to read it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.clients.models import NotNow, ProfileOrder, ProfileRef, Statuses, Unknown, in_words
from provisioning.generation.rules.failover import Tried
from shared.contracts import Plan
from shared.tasks import Task

#: What every attempt of an order carries, and what a withdrawal needs.
ORDER_FIELDS = ("order_number", "storefront", "plan", "buyer_id", "paid_at", "deadline")
IDENTITY_FIELDS = ("order_number", "operator", "profile_type", "iccid", "matching_id")


def operator_of(task: Task, default: str) -> str:
    """Rows of the first release name none: there was one."""
    name: str = task.payload.get("operator", default)
    return name


def profile_type_of(payload: Mapping[str, Any]) -> str:
    """The operator's own name of the plan."""
    name: str = payload.get("profile_type") or payload["plan"]["profile_type"]
    return name


def wanted(task: Task) -> ProfileOrder:
    """The order as the operator gets it."""
    payload = task.payload
    return ProfileOrder(
        payload["order_number"],
        profile_type_of(payload),
        payload["iccid"],
        payload["matching_id"],
        uncertain=task.uncertain,
    )


def left_behind(task: Task) -> ProfileRef:
    """What is to be withdrawn; nobody was ever told its code."""
    payload = task.payload
    return ProfileRef(
        payload.get("order_number", ""),  # rows of the first release do not carry it
        profile_type_of(payload),
        payload["iccid"],
        payload["matching_id"],
        uncertain=task.uncertain,
    )


def tried(task: Task) -> list[Tried]:
    """The operators that were asked before this one."""
    return [Tried.of(plain) for plain in task.payload.get("tried", ())]


def order_fields(task: Task) -> dict[str, Any]:
    """The fields that every fact about this order carries."""
    payload = task.payload
    return {
        "order_id": UUID(task.key),
        "order_number": payload["order_number"],
        "storefront": payload["storefront"],
        "buyer_id": UUID(payload["buyer_id"]),
        "plan": Plan.model_validate(payload["plan"]),
        "paid_at": datetime.fromisoformat(payload["paid_at"]),
    }


def brief(answer: NotNow | Unknown) -> str:
    """For the work row: codes and our own words only."""
    return f"{answer.reason} ({in_words(answer.statuses)})" if answer.statuses else answer.reason


def as_json(statuses: Statuses) -> str:
    """For a jsonb column."""
    return json.dumps([status.model_dump() for status in statuses])
