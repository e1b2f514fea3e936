"""How an agent identified a person, and what a representative acts upon (PP 6.2): recorded in place of a code."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.values.moment import Day

IdentifiedBy = Literal["identity_document", "payment_details", "call_back", "in_person", "court_order"]
Authority = Literal["power_of_attorney", "guardianship", "court_order", "law"]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,59}$")]


class Identification(BaseModel):
    """How an agent identified a person. It contains no name: the evidence is filed under `reference`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: IdentifiedBy
    reference: Reference = Field(description="the number under which the evidence is filed; no name, address or phone")
    #: The person acts for the buyer (PP 6.2: the legal representative).
    representative: bool = False
    authority: Authority | None = Field(None, description="what a representative acts upon")
    document_date: Day | None = Field(None, description="of what identified the person")
    authority_date: Day | None = Field(None, description="of the document that gives the authority")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.representative != (self.authority is not None):
            raise ValueError("a representative has an authority to act upon, and nobody else")
        if self.authority_date is not None and self.authority is None:
            raise ValueError("authority_date belongs to an authority")
        return self
