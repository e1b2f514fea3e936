"""Calls to the operator: `provision` has a profile made, `withdraw` takes back what may have been left behind."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from provisioning.domain import operator as op
from provisioning.domain.activation import activation_code
from provisioning.domain.operator import Cancelled, Made, Operator, ProfileOrder, ProfileRef, Refused
from provisioning.domain.outcome import GaveUp, Outcome, gave_up, pause
from provisioning.settings import Settings
from shared.contracts import OperatorStatus, Plan, ProfileFailed, ProfileGenerated
from shared.database import Database, Tx
from shared.sealed import Sealer
from shared.telemetry.logging import get_logger
from shared.work import Done, Item, NeedsPersonError, NotNow, Unknown
from shared.work.board import backoff

log = get_logger(__name__)
_SETTLE = """
UPDATE profiles p
SET state = r.state, statuses = COALESCE(r.statuses, p.statuses), reason = r.reason, smdp_address = r.smdp_address,
    matching_id = COALESCE(r.matching_id, p.matching_id), attempts = r.attempts, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:statuses AS jsonb[]), CAST(:reasons AS text[]),
            CAST(:addresses AS text[]), CAST(:matching AS text[]), CAST(:attempts AS int[]))
     AS r(order_id, state, statuses, reason, smdp_address, matching_id, attempts)
WHERE p.order_id = r.order_id AND p.state = 'ordered'
RETURNING p.order_id
"""
_REMEMBER = "UPDATE profiles SET statuses = CAST(:statuses AS jsonb) WHERE order_id = :order_id AND state = 'ordered'"
_REMEMBERED = """
SELECT p.statuses, w.last_error FROM profiles p LEFT JOIN work w ON w.kind = 'provision' AND w.key = :key
WHERE p.order_id = :order_id
"""
_WITHDRAWN = """
UPDATE profiles SET withdrawn_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[])) AND withdrawn_at IS NULL
"""


class Provision:
    """Has one profile made, until the deadline of its order."""

    kind = "provision"

    def __init__(
        self, settings: Settings, operator: Operator, sealer: Sealer, database: Database, registry: CollectorRegistry
    ) -> None:
        self.concurrency = settings.operator_concurrency
        self._settings = settings
        self._operator = operator
        self._sealer = sealer
        self._database = database
        self._outcomes = Counter("profile_outcomes", "Orders settled, by outcome", ["outcome"], registry=registry)

    async def perform(self, item: Item) -> Outcome:
        """Order from the operator. An order is tried at least once, even when it was read after its deadline."""
        deadline = datetime.fromisoformat(item.payload["deadline"])
        if (item.attempts or item.uncertain) and self._database.clock.now() >= deadline:
            last, statuses = await self._remembered(item)
            return gave_up(last, statuses, left_behind=item.uncertain)
        answer = await self._operator.order(_wanted(item), trace=item.continues)
        match answer:
            case Made():
                return answer
            case Refused():
                return replace(answer, left_behind=answer.left_behind or item.uncertain)
        if answer.statuses:
            await self._remember(item, answer.statuses)
        unsure = item.uncertain or isinstance(answer, op.Unknown)
        delay = pause(backoff(item.attempts), self._database.clock.now(), deadline)
        if delay is None:
            _, statuses = await self._remembered(item)
            return gave_up(answer.reason, answer.statuses or statuses, left_behind=unsure)
        raise (Unknown if unsure else NotNow)(_brief(answer), delay=delay)

    async def record(self, tx: Tx, done: Sequence[Done[Outcome]]) -> None:
        """Settle the rows and tell the result; a row that is settled already stays as it is."""
        ordered = sorted(done, key=lambda one: one.item.key)
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            ids=[UUID(one.item.key) for one in ordered],
            states=["generated" if isinstance(one.result, Made) else "failed" for one in ordered],
            statuses=[_statuses_json(one.result) for one in ordered],
            reasons=[None if isinstance(one.result, Made) else one.result.reason for one in ordered],
            addresses=[one.result.smdp_address if isinstance(one.result, Made) else None for one in ordered],
            matching=[one.result.matching_id if isinstance(one.result, Made) else None for one in ordered],
            attempts=[one.item.attempts + 1 for one in ordered],
        )
        fresh = set(settled.scalars())
        for one in ordered:
            if UUID(one.item.key) in fresh:
                self._tell(tx, one)

    def _tell(self, tx: Tx, one: Done[Outcome]) -> None:
        result, item = one.result, one.item
        self._outcomes.labels(_name(result)).inc()
        if isinstance(result, Made):
            tx.publish(self._generated(tx, item, result), trace=item.continues)
            return
        failed = ProfileFailed(
            **_order(item),
            operator=self._operator.name,
            statuses=result.statuses,
            reason=result.reason,
            failed_at=tx.now,
        )
        tx.publish(failed, trace=item.continues)
        if result.left_behind:
            payload = {name: item.payload[name] for name in ("iccid", "matching_id", "plan")}
            tx.schedule("withdraw", item.key, payload, trace=item.continues)

    def _generated(self, tx: Tx, item: Item, made: Made) -> ProfileGenerated:
        order = _order(item)
        code = activation_code(
            made.smdp_address, made.matching_id, confirmation_code=made.confirmation_code is not None
        )
        secret = made.confirmation_code
        settings = self._settings
        return ProfileGenerated(
            **order,
            iccid=item.payload["iccid"],
            activation_code=self._sealer.seal(code.encode()),
            confirmation_code=None if secret is None else self._sealer.seal(secret.encode()),
            apn=settings.profile_type_apn.get(order["plan"].profile_type, settings.apn),
            operator=self._operator.name,
            generated_at=tx.now,
            valid_until=order["paid_at"] + timedelta(days=settings.unused_validity_days),
        )

    async def _remember(self, item: Item, statuses: op.Statuses) -> None:
        """Keep the operator's codes: the next attempt may meet silence, and the failure must say why."""
        async with self._database.transaction("work") as tx:
            await tx.execute(_REMEMBER, order_id=UUID(item.key), statuses=_json(statuses))

    async def _remembered(self, item: Item) -> tuple[str, op.Statuses]:
        """How the last attempt ended, and the last codes that the operator gave."""
        async with self._database.reading() as tx:
            row = (await tx.execute(_REMEMBERED, order_id=UUID(item.key), key=item.key)).one_or_none()
        if row is None:
            return "no answer", ()
        return row.last_error or "no answer", tuple(OperatorStatus.model_validate(status) for status in row.statuses)


class Withdraw:
    """Makes sure that what may have been made for a failed order can be used by nobody."""

    kind = "withdraw"
    concurrency = 8

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def perform(self, item: Item) -> Cancelled:
        """Ask until the operator says that there is nothing (any more)."""
        answer = await self._operator.cancel(_left(item), trace=item.continues)
        match answer:
            case Cancelled():
                return answer
            case Refused():
                raise NeedsPersonError(f"{answer.reason} {op.in_words(answer.statuses)}")
            case op.NotNow():
                raise NotNow(_brief(answer))
        raise Unknown(_brief(answer))

    async def record(self, tx: Tx, done: Sequence[Done[Cancelled]]) -> None:
        """Note when it was settled."""
        await tx.execute(_WITHDRAWN, now=tx.now, ids=sorted(UUID(one.item.key) for one in done))
        for one in done:
            log.info("profile_withdrawn", order_id=one.item.key, how=one.result.how)


def _wanted(item: Item) -> ProfileOrder:
    payload = item.payload
    return ProfileOrder(
        payload["order_number"],
        payload["plan"]["profile_type"],
        payload["iccid"],
        payload["matching_id"],
        uncertain=item.uncertain,
    )


def _left(item: Item) -> ProfileRef:
    payload = item.payload
    number = payload.get("order_number", "")  # rows of the first release do not carry it
    return ProfileRef(number, payload["plan"]["profile_type"], payload["iccid"], payload["matching_id"])


def _order(item: Item) -> dict[str, Any]:
    """The fields that every fact about this order carries."""
    payload = item.payload
    return {
        "order_id": UUID(item.key),
        "order_number": payload["order_number"],
        "storefront": payload["storefront"],
        "buyer_id": UUID(payload["buyer_id"]),
        "plan": Plan.model_validate(payload["plan"]),
        "paid_at": datetime.fromisoformat(payload["paid_at"]),
    }


def _brief(answer: op.NotNow | op.Unknown) -> str:
    """For the work row: codes and our own words only."""
    return f"{answer.reason} ({op.in_words(answer.statuses)})" if answer.statuses else answer.reason


def _name(result: Outcome) -> str:
    match result:
        case Made():
            return "generated"
        case GaveUp():
            return "gave_up"
    return "out_of_stock" if result.stock_out else "refused"


def _statuses_json(result: Outcome) -> str | None:
    return None if isinstance(result, Made) or not result.statuses else _json(result.statuses)


def _json(statuses: op.Statuses) -> str:
    return json.dumps([status.model_dump() for status in statuses])
