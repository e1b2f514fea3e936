"""Sentences for Epay's reasonCodes (docs/wire/epay.md): for buyers in four languages (`texts`), and for agents."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import get_args

from shared.contracts import Language

NOT_FINAL = 454


@dataclass(slots=True, frozen=True)
class Reason:
    """Why a payment failed: the name of the buyer's sentence, and what an agent recommends to the buyer."""

    name: str
    advice: str

    def sentence(self, language: Language) -> str:
        """Why, for the buyer."""
        return texts(language)[self.name]


_CANCELLED = Reason("cancelled", "No money moved. The buyer may pay again.")
_DECLINED = Reason("declined", "The issuer gave no usable reason. Another card, or a call to the issuer.")
_BANK_FAULT = Reason(
    "bank_fault",
    "A fault of the payment system, not of the card. Try again in a few minutes; if it persists, tell the bank.",
)
_SECURE_FAILED = Reason(
    "three_d_secure_failed",
    "Wrong or late confirmation code. Try again; if it fails again, the issuer must help.",
)
_NOT_COMPLETED = Reason("not_completed", "Epay's codes 521-529 carry no public meaning. Try again, then another card.")

#: Each reason with its codes. Other codes are not explained: `_DECLINED`.
_REASONS: tuple[tuple[Reason, tuple[int, ...]], ...] = (
    (_DECLINED, (0,)),
    (Reason("not_final", "Not final: we keep asking the bank."), (NOT_FINAL,)),
    (Reason("three_d_secure_unavailable", "The issuer's 3-D Secure does not answer."), (455,)),
    (_BANK_FAULT, (456, 461)),
    (Reason("card_expired", "Another card, or the expiry date was mistyped."), (457, 478, 485)),
    (Reason("card_blocked", "Only the issuer can lift it. Another card."), (465, 467, 479, 489)),
    (Reason("wrong_number", "The buyer mistyped the number."), (471, 472)),
    (_SECURE_FAILED, (473, 499)),
    (Reason("later", "Not before half an hour has passed."), (476,)),
    (Reason("insufficient_funds", "Another card, or after topping up."), (484,)),
    (Reason("card_limit", "The buyer can raise the limit at the issuer, or take another card."), (488,)),
    (Reason("too_often", "Tomorrow, or another card."), (491,)),
    (Reason("issuer_unavailable", "The issuer does not answer Epay. Later, or another card."), (493, 494)),
    (_NOT_COMPLETED, tuple(range(521, 530))),
)
_BY_CODE: Mapping[int, Reason] = {code: why for why, codes in _REASONS for code in codes}
_CANCEL_STATES = frozenset({"CANCEL", "CANCEL_OLD"})
#: Every reason that a buyer may read.
REASONS: tuple[Reason, ...] = (_CANCELLED, *(why for why, _ in _REASONS))


@cache
def texts(language: Language) -> Mapping[str, str]:
    """The sentences of a language by the reasons' names."""
    text = (files("payments.attempts") / "texts" / f"{language}.toml").read_text("utf-8")
    return dict(tomllib.loads(text)["payment_failed"])


def reason(reason_code: int, status: str = "") -> Reason:
    """The reason for a code and a statusName; a general one for unknown codes."""
    if status in _CANCEL_STATES:
        return _CANCELLED
    return _BY_CODE.get(reason_code, _DECLINED)


def sentences(reason_code: int) -> dict[Language, str]:
    """Why an attempt failed, by language."""
    why = reason(reason_code)
    return {language: why.sentence(language) for language in get_args(Language)}


def advice(reason_code: int) -> str:
    """What an agent should know, with the bank's code."""
    return f"{reason(reason_code).advice} (Epay reasonCode {reason_code})"
