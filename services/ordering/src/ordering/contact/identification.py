"""How an agent knows who asks: recorded with what was done for them, for whoever looks into it later (PP 6.2)."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Identification(BaseModel):
    """What showed an agent who the person is. It names nobody: the evidence is filed under `reference`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["identity_document", "payment_details", "call_back", "in_person", "court_order"]
    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,59}$")] = Field(
        description="the number under which the evidence is filed; no name, address or phone"
    )
    #: The person acts for the buyer (PP 6.2: the legal representative).
    representative: bool = False
    authority: Literal["power_of_attorney", "guardianship", "court_order", "law"] | None = Field(
        None, description="what a representative acts upon"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.representative != (self.authority is not None):
            raise ValueError("a representative has an authority to act upon, and nobody else")
        return self
