"""The ledgers of the companies outside at one moment, and what they say of each order. Pure but for `read`."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from campaign.journeys import Journey
from campaign.receivers import Heard, Receivers
from sandbox.client import SandboxClient
from tour.orders import Order

Entry = Mapping[str, Any]
_CODE = re.compile(r"LPA:1\$[^\s$]+\$([-0-9A-Za-z]+)")
#: States of a profile with which nobody can have its code work any more.
ENDED = frozenset({"cancelled", "available"})


@dataclass(frozen=True)
class Ledgers:
    """`mails` are whole; `sims` are the reseller's; `heard` is by shop."""

    transactions: Sequence[Entry] = ()
    profiles: Sequence[Entry] = ()
    sims: Sequence[Entry] = ()
    receipts: Sequence[Entry] = ()
    overlaps: Sequence[Entry] = ()
    mails: Sequence[Entry] = ()
    heard: Mapping[str, Sequence[Heard]] = field(default_factory=dict)

    @cached_property
    def by_invoice(self) -> Mapping[str, Entry]:
        """The bank's transactions."""
        return {paid["invoiceID"]: paid for paid in self.transactions}

    @cached_property
    def by_code(self) -> Mapping[str, Entry]:
        """Profiles by the matching id in their activation code; a cancelled one may have lost it."""
        sold = [{**sim, "state": "cancelled" if sim["status"] == "RECYCLED" else "released"} for sim in self.sims]
        return {profile["matchingId"]: profile for profile in [*self.profiles, *sold] if profile.get("matchingId")}

    @cached_property
    def mails_to(self) -> Mapping[str, Sequence[Entry]]:
        """Mails by the address that they went to."""
        found: dict[str, list[Entry]] = defaultdict(list)
        for mail in self.mails:
            for address in mail["to"]:
                found[address].append(mail)
        return found

    @cached_property
    def types_of(self) -> Mapping[str, frozenset[str]]:
        """The types of the webhooks that were taken, by order."""
        found: dict[str, set[str]] = defaultdict(set)
        for updates in self.heard.values():
            for update in updates:
                if update.order_id is not None:
                    found[update.order_id].add(update.type)
        return {order_id: frozenset(types) for order_id, types in found.items()}


@dataclass(frozen=True)
class Facts:
    """What the outside says of one order. Amounts in minor units."""

    order: Order
    transactions: Sequence[Entry]
    codes: Sequence[Entry]
    refund_mails: Sequence[Entry]
    profiles: Mapping[str, Entry]
    receipts: Sequence[Entry]
    heard: frozenset[str]

    @property
    def captured(self) -> int:
        """Taken in all."""
        return sum(paid["captured"] for paid in self.transactions)

    @property
    def refunded(self) -> int:
        """Returned in all."""
        return sum(paid["refunded"] for paid in self.transactions)

    @property
    def kept(self) -> int:
        """Not returned."""
        return self.captured - self.refunded

    @property
    def mailed(self) -> bool:
        """Whether a mail brought the code."""
        return bool(self.codes)

    @property
    def first_outcome(self) -> datetime | None:
        """When the code came, or the first money went back."""
        times = [mail["at"] for mail in self.codes]
        times += [refund["at"] for paid in self.transactions for refund in paid["refunds"]]
        return min(map(datetime.fromisoformat, times), default=None)


def matching_ids(mail: Entry) -> set[str]:
    """The activation codes that a mail shows."""
    return set(_CODE.findall(mail.get("text", "")))


def facts_of(journey: Journey, ledgers: Ledgers) -> Facts | None:
    """Of a journey's first order; None where none was placed."""
    if journey.order is None:
        return None
    order = journey.order
    mails = [mail for address in journey.emails for mail in ledgers.mails_to.get(address, ())]
    codes = [mail for mail in mails if _kind(mail) == "qr"]
    shown = {identity for mail in codes for identity in matching_ids(mail)}
    return Facts(
        order=order,
        transactions=[paid for number in dict.fromkeys(journey.invoices) if (paid := ledgers.by_invoice.get(number))],
        codes=codes,
        refund_mails=[mail for mail in mails if _kind(mail) == "refund"],
        profiles={identity: ledgers.by_code[identity] for identity in sorted(shown) if identity in ledgers.by_code},
        receipts=[receipt for receipt in ledgers.receipts if receipt["externalOrderNumber"] == order.number],
        heard=ledgers.types_of.get(order.id, frozenset()),
    )


def _kind(mail: Entry) -> str:
    return str(mail["message_id"]).partition("@")[0].rpartition(".")[2]


class Reader:
    """Reads what has come to the ledgers since `begin`, of mails only the new ones each time."""

    def __init__(self, sandbox: SandboxClient, receivers: Receivers) -> None:
        self._sandbox = sandbox
        self._receivers = receivers
        self._last_mail = 0
        self._mails: list[Entry] = []
        self._before = Ledgers()

    async def begin(self) -> None:
        """Leave out what the companies outside have done for others until now."""
        self._before = await self.read()
        self._mails.clear()

    async def read(self) -> Ledgers:
        """All of them, now."""
        while new := await self._sandbox.mails(after=self._last_mail, limit=200):
            self._last_mail = new[-1]["id"]
            # The pictures and headers of thousands of mails would fill the memory.
            self._mails += [
                {key: mail[key] for key in ("id", "message_id", "to", "subject", "at", "text")} for mail in new
            ]
        reseller = await self._sandbox.ledger_airalo()
        before = self._before
        return Ledgers(
            transactions=_new(await self._sandbox.ledger_bank(), before.transactions, "invoiceID"),
            profiles=_new(await self._sandbox.ledger_operator(), before.profiles, "iccid"),
            sims=_new(reseller["sims"], before.sims, "iccid"),
            receipts=await self._sandbox.ledger_cashbox(),
            overlaps=(await self._sandbox.cashbox_violations())[len(before.overlaps) :],
            mails=list(self._mails),
            heard=self._receivers.heard(),
        )


def _new(entries: Sequence[Entry], before: Sequence[Entry], name: str) -> list[Entry]:
    known = {entry[name] for entry in before}
    return [entry for entry in entries if entry[name] not in known]
