"""What each seller's policy says when no profile could be made (policies.md): clauses, limits, promises of time.

The texts are our own words. A policy is named `<storefront>@<version>`; the version is the document's own date, and
`1` where the document states none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from shared.contracts import Ground


@dataclass(slots=True, frozen=True, kw_only=True)
class FailurePolicy:
    """One seller's answer to a failed generation. Days are counted as calendar.py counts them."""

    policy: str
    zone: ZoneInfo
    #: The decisive one first.
    grounds: tuple[Ground, ...]
    #: The failure must have come within so many calendar days of the purchase; None: no limit.
    within_days: int | None
    #: The transfer is promised within so many business days of the decision; None: no promise.
    pay_business_days: int | None
    #: When the money has usually arrived, from the decision on: so many business days ...
    credit_business_days: int | None
    #: ... or so many calendar days.
    credit_calendar_days: int | None
    #: Cited in the explanation.
    cited_en: str
    cited_ru: str
    #: When to expect the money.
    arrival_en: str
    arrival_ru: str


_QAZAQ_ESIM = FailurePolicy(
    policy="qazaq-esim@1",
    zone=ZoneInfo("Asia/Almaty"),
    grounds=(
        Ground(
            document="RP",
            clause="2.1",
            text="The profile cannot be activated because of a technical failure on our side or the operator's: "
            "it could not be generated.",
        ),
        Ground(
            document="RP",
            clause="2.2",
            text="The failure is confirmed: our own platform recorded it while it made the profile.",
        ),
        Ground(document="RP", clause="2.3", text="The profile was never activated and 0 MB were used: none exists."),
        Ground(
            document="PO",
            clause="5.4",
            text="A confirmed technical failure on our side or the operator's makes the order refundable.",
        ),
    ),
    within_days=14,  # RP 3
    pay_business_days=None,
    credit_business_days=10,
    credit_calendar_days=None,
    cited_en="Refund Policy 2.1-2.3, Public Offer 5.4",
    cited_ru="пп. 2.1–2.3 политики возврата, п. 5.4 публичной оферты",
    arrival_en="Banks usually credit it within 3-10 banking days; "
    "with international cards it can, in rare cases, take up to 30 days.",
    arrival_ru="Обычно банк зачисляет деньги за 3–10 банковских дней; "
    "для международных карт это в редких случаях занимает до 30 дней.",
)
_E_SIM_ONL = FailurePolicy(
    policy="e-sim-onl@2026-03",
    zone=ZoneInfo("UTC"),
    grounds=(
        Ground(
            document="RC",
            clause="1",
            text="The eSIM was not installed on any device, and not more than 30 days have passed since the purchase.",
        ),
    ),
    within_days=30,  # RC 1
    pay_business_days=None,
    credit_business_days=10,  # RC 3
    credit_calendar_days=None,
    cited_en="Refund & Cancellation Policy 1",
    cited_ru="п. 1 политики возврата и отмены",
    arrival_en="It returns to your original payment method within 5-10 business days.",
    arrival_ru="Деньги вернутся тем же способом, которым вы платили, в течение 5–10 рабочих дней.",
)
_ESIMKA = FailurePolicy(
    policy="esimka@2026-04-22",
    zone=ZoneInfo("Asia/Tbilisi"),
    grounds=(
        Ground(
            document="RF",
            clause="2.3",
            text="The service was not and will not be provided in time, for reasons not connected with the buyer.",
        ),
    ),
    within_days=None,
    pay_business_days=10,  # RF 5.2
    credit_business_days=None,
    credit_calendar_days=30,  # RF 5.3
    cited_en="Refund Policy 2.3",
    cited_ru="п. 2.3 политики возврата",
    arrival_en="We transfer it within 10 business days; a card can take up to 30 calendar days to show it.",
    arrival_ru="Мы переведём деньги в течение 10 рабочих дней; "
    "зачисление на карту может занять до 30 календарных дней.",
)

POLICIES: Mapping[str, FailurePolicy] = {"qazaq-esim": _QAZAQ_ESIM, "e-sim-onl": _E_SIM_ONL, "esimka": _ESIMKA}
