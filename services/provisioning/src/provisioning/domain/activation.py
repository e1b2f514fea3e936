"""The activation code: what the QR says (SGP.22 v2.5 section 4.1)."""


def activation_code(smdp_address: str, matching_id: str, *, confirmation_code: bool = False) -> str:
    """`LPA:1$<address>$<matching id>`, with `$$1` where the phone must ask for a confirmation code."""
    for part in (smdp_address, matching_id):
        if not part or "$" in part:
            raise ValueError("a part of the activation code is empty or holds its separator")
    return f"LPA:1${smdp_address}${matching_id}" + ("$$1" if confirmation_code else "")
