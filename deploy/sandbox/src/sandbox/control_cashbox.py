"""Control of the cash register: its open questions, the age of a shift, the end of all sessions."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sandbox.serving import stands


class CashboxBehaviourChange(BaseModel):
    """Other answers to Webkassa's open questions."""

    model_config = ConfigDict(extra="forbid")

    original_in_duplicate: bool | None = None
    flat_registration: bool | None = None
    history_filters: bool | None = None


class ShiftAge(BaseModel):
    """The open shift of a register becomes so many hours older."""

    model_config = ConfigDict(extra="forbid")

    cashbox: str
    hours: float = Field(default=25, gt=0, le=1000)


def cashbox_routes(router: APIRouter) -> None:
    """Add the routes below /cashbox."""

    @router.put("/cashbox/behaviour")
    async def change_cashbox(request: CashboxBehaviourChange) -> dict[str, Any]:
        for name, value in request.model_dump(exclude_none=True).items():
            setattr(stands().cashbox.behaviour, name, value)
        return {name: getattr(stands().cashbox.behaviour, name) for name in CashboxBehaviourChange.model_fields}

    @router.post("/cashbox/shift")
    async def age_shift(request: ShiftAge) -> dict[str, Any]:
        shift = stands().cashbox.ledger.shift(request.cashbox)
        if shift is None:
            raise HTTPException(409, "no shift of this cashbox is open")
        shift.aged_seconds += request.hours * 3600
        stands().cashbox.ledger.put_shift(shift)
        return shift.model_dump(by_alias=True)

    @router.post("/cashbox/sessions/expire")
    async def expire_sessions() -> dict[str, Any]:
        return {"expired": stands().cashbox.expire_sessions()}
