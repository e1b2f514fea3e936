"""Fault rules: what shall go wrong, where, how often and for whom. With no rule nothing is even looked at."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Target = Literal[
    "bank.token",
    "bank.check_status",
    "bank.refund",
    "bank.cancel",
    "bank.charge",
    "bank.webhook",
    "bank.pay",
    "operator.download_order",
    "operator.confirm_order",
    "operator.cancel_order",
    "operator.release_profile",
    "operator.usage",
    "operator.top_up",
    "operator.top_up_status",
    "airalo.token",
    "airalo.orders",
    "airalo.orders_async",
    "airalo.order_list",
    "airalo.webhook",
    "airalo.sims",
    "airalo.usage",
    "airalo.topups",
    "airalo.refund",
    "cashbox.authorize",
    "cashbox.check",
    "cashbox.zreport",
    "cashbox.history",
    "telegram.send",
    "telegram.file",
    "telegram.webhook",
    "whatsapp.send",
    "whatsapp.media",
    "whatsapp.webhook",
    "sms.send",
    "mail",
    "imap",
]
Effect = Literal[
    "latency",
    "http_error",
    "refuse",
    "lose_reply",
    "duplicate",
    "delay",
    "drop",
    "out_of_stock",
    "partial_body",
    "forge",
    "bounce",
    "raw_reply",
    "endless",
]

_WAITING: frozenset[str] = frozenset({"latency", "delay"})
_ONLY: dict[str, frozenset[str]] = {
    "imap": frozenset({"latency", "delay", "drop", "refuse", "lose_reply"}),
    "bank.webhook": frozenset({"latency", "delay", "drop", "duplicate", "forge", "partial_body", "lose_reply"}),
    "airalo.webhook": frozenset({"latency", "delay", "drop", "duplicate", "forge"}),
    "telegram.webhook": frozenset({"latency", "delay", "drop", "duplicate", "lose_reply", "forge"}),
    "whatsapp.webhook": frozenset({"latency", "delay", "drop", "duplicate", "lose_reply", "forge"}),
    "mail": frozenset(
        {"latency", "delay", "drop", "duplicate", "refuse", "partial_body", "lose_reply", "bounce", "raw_reply"}
    ),
}


class Rule(BaseModel):
    """One fault as the control API takes it; README.md tells what each effect does at each target."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    target: Target
    effect: Effect
    times: int | None = Field(default=None, ge=1, description="null: until removed")
    after: int = Field(default=0, ge=0, description="let the first n matching calls pass")
    match: dict[str, str | int | list[str | int]] = Field(default_factory=dict)
    seconds: float = Field(default=1.0, ge=0)
    status: int | None = Field(default=None, ge=100, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    code: int | None = None
    message: str | None = None
    subject_code: str | None = Field(default=None, alias="subjectCode")
    reason_code: str | None = Field(default=None, alias="reasonCode")
    fields: dict[str, Any] = Field(default_factory=dict, description="forge: what to write over the answer")
    count: int = Field(default=2, ge=2, le=100, description="duplicate: how often in all")
    repeat: int = Field(default=1, ge=1, le=100_000, description="raw_reply, endless: how often `message` is sent")
    stage: Literal["rcpt", "begin", "data"] = "rcpt"

    @model_validator(mode="after")
    def _possible(self) -> "Rule":
        allowed = _ONLY.get(self.target)
        if allowed is not None and self.effect not in allowed:
            raise ValueError(f"{self.target} knows only {', '.join(sorted(allowed))}")
        if self.effect in {"bounce", "raw_reply"} and self.target != "mail":
            raise ValueError(f"{self.effect} belongs to mail")
        if self.effect == "out_of_stock" and self.target != "operator.download_order":
            raise ValueError("out_of_stock belongs to operator.download_order")
        return self


class RuleSet(BaseModel):
    """Several rules at once."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Rule]


class ActiveRule:
    """A rule at work: it counts what it has seen and done."""

    __slots__ = ("hits", "id", "rule", "seen")

    def __init__(self, identity: int, rule: Rule) -> None:
        self.id = identity
        self.rule = rule
        self.seen = 0
        self.hits = 0

    @property
    def spent(self) -> bool:
        """Whether it has happened as often as it should."""
        return self.rule.times is not None and self.hits >= self.rule.times

    def as_json(self) -> dict[str, Any]:
        """The rule and its counts, as GET /control/faults shows it."""
        given = self.rule.model_dump(by_alias=True, exclude_defaults=True)
        return given | {"id": self.id, "times": self.rule.times, "seen": self.seen, "hits": self.hits}


class FaultBook:
    """The rules in force, by target, in the order they were added."""

    def __init__(self) -> None:
        self._rules: list[ActiveRule] = []
        self._by_target: dict[str, list[ActiveRule]] = {}
        self._next_id = 1
        self._ending = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until the sandbox stops."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    def end(self) -> None:
        """The sandbox stops: nobody need wait any longer."""
        self._ending.set()

    def add(self, rule: Rule) -> ActiveRule:
        """Put one more rule in force."""
        active = ActiveRule(self._next_id, rule)
        self._next_id += 1
        self._rules.append(active)
        self._by_target.setdefault(rule.target, []).append(active)
        return active

    def clear(self) -> None:
        """Let everything work again."""
        self._rules.clear()
        self._by_target.clear()

    def remove(self, identity: int) -> bool:
        """Take one rule out; False if there is none of that number."""
        found = next((active for active in self._rules if active.id == identity), None)
        if found is None:
            return False
        self._rules.remove(found)
        self._retire(found)
        return True

    def as_json(self) -> list[dict[str, Any]]:
        """All rules, spent ones too, so that a test can see that its fault really happened."""
        return [active.as_json() for active in self._rules]

    def take(self, target: Target, fields: Mapping[str, object], stage: str | None = None) -> tuple[Rule, ...]:
        """The rules that strike this call, used up by it: every waiting one, and the first other one."""
        rules = self._by_target.get(target)
        if not rules:
            return ()
        struck: list[Rule] = []
        decided = False
        for active in tuple(rules):
            rule = active.rule
            waiting = rule.effect in _WAITING
            if (decided and not waiting) or not _stage_fits(rule, stage) or not _matches(rule.match, fields):
                continue
            active.seen += 1
            if active.seen <= rule.after:
                continue
            active.hits += 1
            struck.append(rule)
            decided = decided or not waiting
            if active.spent:
                self._retire(active)
        return tuple(struck)

    def _retire(self, active: ActiveRule) -> None:
        rules = self._by_target.get(active.rule.target, [])
        if active in rules:
            rules.remove(active)
        if not rules:
            self._by_target.pop(active.rule.target, None)


def _stage_fits(rule: Rule, stage: str | None) -> bool:
    if stage is None:
        return True
    chosen = rule.effect in {"refuse", "raw_reply"} or rule.stage == "begin"
    return (rule.stage if chosen else "data") == stage


def _matches(match: Mapping[str, str | int | list[str | int]], fields: Mapping[str, object]) -> bool:
    return all(_agrees(wanted, fields.get(name)) for name, wanted in match.items())


def _agrees(wanted: str | int | list[str | int], value: object) -> bool:
    if isinstance(wanted, list):
        return any(_agrees(one, value) for one in wanted)
    if isinstance(value, list):
        return any(_agrees(wanted, one) for one in value)
    if value is None:
        return False
    text = str(wanted)
    return fnmatchcase(str(value), text) if "*" in text else text == str(value)
