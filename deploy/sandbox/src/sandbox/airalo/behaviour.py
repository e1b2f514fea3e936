"""How the reseller spells what it tells. Real answers differ in each of these (README.md)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.exchange import overlay

_CONFIRMATION_CODE = "4711"


class Spelling(BaseModel):
    """The defaults are answers as the documents show them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: ICCIDs of orders are filled up with F.
    filler: bool = False
    #: by_system: `apn.ios` and `apn.android`; automatic: phones find it themselves.
    apn: Literal["one", "by_system", "automatic"] = "one"
    #: flag: the activation code ends in `$$1`. code: and the code is given.
    confirmation: Literal["none", "flag", "code"] = "none"
    #: Orders and top-ups are taken, fail, and bring nothing.
    fails: bool = False
    #: A word of its own for how orders stand, in place of `completed`.
    status_word: str = ""
    #: Usage is answered with `data: []`.
    empty: bool = False
    #: Written over each eSIM, each order and each usage: to misspell.
    sim_fields: dict[str, Any] = Field(default_factory=dict)
    order_fields: dict[str, Any] = Field(default_factory=dict)
    usage_fields: dict[str, Any] = Field(default_factory=dict)

    def order(self, document: dict[str, Any]) -> dict[str, Any]:
        """An order, with its eSIMs."""
        answer = dict(document)
        if "sims" in answer:
            answer["sims"] = [self.sim(one) for one in answer["sims"]]
        if self.status_word and answer.get("status", {}).get("slug") == "completed":
            answer["status"] = {"name": self.status_word.title(), "slug": self.status_word}
        return overlay(answer, self.order_fields)

    def sim(self, document: dict[str, Any]) -> dict[str, Any]:
        """An eSIM."""
        answer = dict(document)
        if self.filler:
            answer["iccid"] += "F"
        if self.apn == "by_system":
            manual = {"apn_type": "manual", "apn_value": answer["apn_value"]}
            answer["apn"] = {"ios": {"apn_type": "automatic", "apn_value": None}, "android": manual}
            answer |= {"apn_type": "automatic", "apn_value": None}
        if self.apn == "automatic":
            answer |= {"apn_type": "automatic", "apn_value": None}
        if self.confirmation != "none":
            answer["qrcode"] += "$$1"
        if self.confirmation == "code":
            answer["confirmation_code"] = _CONFIRMATION_CODE
        return overlay(answer, self.sim_fields)

    def usage(self, document: dict[str, Any]) -> dict[str, Any] | list[Any]:
        """The usage of an eSIM."""
        return [] if self.empty else overlay(document, self.usage_fields)
