"""The documentation of provisioning's interfaces, as far as it is not in the code."""

from shared.interfaces.description import AGENT, Caller, Interface, Tag, signed

_OPERATOR = Caller(
    "operator",
    {"type": "http", "scheme": "bearer", "description": "The operator's secret; `?secret=` or the path may carry it."},
)
_PROGRESS = "/operators/{operator}/gsma/rsp2/es2plus/handleDownloadProgressInfo"

INTERFACE = Interface(
    description=(
        "Has one eSIM profile made for every paid order, or reports that there will be none, and follows the "
        "profile to its end.\n\n"
        "Storefronts do not call it: it starts with `payments.order-paid` and publishes events. Agents read "
        "profiles here, operators report to it. Activation codes are not shown: they travel sealed to notifications."
    ),
    tags=(
        Tag("profiles", "Profiles, their lives and the operators, without their secrets.", (AGENT,)),
        Tag("operators", "Where operators and the reseller report: each as its own protocol has it."),
    ),
    callers={
        f"POST {_PROGRESS}": (_OPERATOR,),
        "POST /operators/{operator}/usage": (
            signed("operator-feed", "X-Signature", "`sha256=<hex>`: HMAC of the body with the operator's secret"),
        ),
        "POST /operators/{operator}/airalo/webhook": (
            signed("airalo", "Airalo-Signature", "HMAC-SHA512 of the body with the client's secret, in hex"),
        ),
    },
)
