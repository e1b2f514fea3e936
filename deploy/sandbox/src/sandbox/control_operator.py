"""Control of the operators: what they sell, whom they tell, and what happens to their profiles on phones."""

from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sandbox.ledger import CamelModel
from sandbox.serving import stands
from sandbox.smdp.api import PRIMARY, Operator
from sandbox.smdp.behaviour import Behaviour
from sandbox.smdp.ledger import Profile
from sandbox.smdp.phone import Step


class CatalogueChange(BaseModel):
    """What an operator sells from now on, and whom it tells of downloads and usage."""

    model_config = ConfigDict(extra="forbid")

    operator: str = PRIMARY
    profile_types: list[str] | None = None
    stock: dict[str, int] | None = None
    #: Bytes and days of a profile type.
    allowances: dict[str, tuple[int, int]] | None = None
    progress_url: str | None = None
    push_url: str | None = None
    push_secret: str | None = None


class BehaviourChange(Behaviour):
    """How an operator behaves from now on. What is left out stays; `afresh`: is as documented again."""

    operator: str = PRIMARY
    afresh: bool = False


class OfProfile(CamelModel, extra="forbid"):
    """A profile of one operator; without a name, of the first one that has the ICCID."""

    operator: str | None = None
    iccid: str


class PhoneStep(OfProfile):
    """The phone reaches notification points (1 eligibility … 3 download, 4 installation, 5 deletion)."""

    points: list[int | str] = Field(min_length=1)
    succeeded: bool = True
    eid: str | None = None
    url: str = ""
    #: Written over each notification: to forge and to misspell.
    fields: dict[str, Any] = Field(default_factory=dict)


class PhoneScan(CamelModel, extra="forbid"):
    """A phone scans an activation code (`LPA:1$…` or `1$…`) and goes these steps."""

    code: str
    eid: str = Field(min_length=1)
    steps: tuple[Step, ...] = ("download", "install", "enable")
    ids: Literal["int", "string"] = "int"


class PhoneUse(OfProfile):
    """The phone has used so much; null: the operator does not know. `validUntil` ends the plan sooner or later."""

    used_bytes: int | None = Field(ge=0)
    valid_until: str | None = None


class UsagePush(OfProfile):
    """Push the usage now; `fields` are written over it, `replay` repeats the last one to the letter."""

    times: int = Field(default=1, ge=1, le=100)
    fields: dict[str, Any] = Field(default_factory=dict)
    signature: Literal["genuine", "wrong", "missing"] = "genuine"
    replay: bool = False
    url: str = ""


def operator_routes(router: APIRouter) -> None:
    """Add the routes below /operator."""
    _catalogue_route(router)
    _behaviour_route(router)
    _phone_routes(router)


def _catalogue_route(router: APIRouter) -> None:
    @router.put("/operator/catalogue")
    async def change_catalogue(request: CatalogueChange) -> dict[str, Any]:
        operator = operator_of(request.operator)
        catalogue, phone = operator.catalogue, operator.phone
        if request.profile_types is not None:
            catalogue.types = frozenset(request.profile_types)
        if request.stock is not None:
            catalogue.stock = dict(request.stock)
        if request.allowances is not None:
            catalogue.allowances = dict(request.allowances)
        for name in ("progress_url", "push_url", "push_secret"):
            if (value := getattr(request, name)) is not None:
                setattr(phone, name, value)
        return {
            "profile_types": sorted(catalogue.types),
            "stock": catalogue.stock,
            "allowances": catalogue.allowances,
            "progress_url": phone.progress_url,
            "push_url": phone.push_url,
        }


def _behaviour_route(router: APIRouter) -> None:
    @router.put("/operator/behaviour")
    async def change_behaviour(request: BehaviourChange) -> dict[str, Any]:
        phone = operator_of(request.operator).phone
        before = Behaviour() if request.afresh else phone.behaviour
        changes = request.model_dump(exclude_unset=True, exclude={"operator", "afresh"})
        phone.behaviour = Behaviour.model_validate(before.model_dump() | changes)
        return phone.behaviour.model_dump()


def _phone_routes(router: APIRouter) -> None:
    @router.post("/operator/phone")
    async def play_phone(request: PhoneStep | PhoneScan) -> dict[str, Any]:
        if isinstance(request, PhoneScan):
            return await _scan(request)
        operator, profile = _profile_of(request)
        answers = [
            await operator.phone.step(
                profile, point, succeeded=request.succeeded, url=request.url, eid=request.eid, **request.fields
            )
            for point in request.points
        ]
        return {"installState": profile.install_state, "answers": answers}

    @router.post("/operator/usage")
    async def use_data(request: PhoneUse) -> dict[str, Any]:
        operator, profile = _profile_of(request)
        pushed = await operator.phone.use(profile, request.used_bytes, request.valid_until)
        return {"usedBytes": profile.used_bytes, "firstUseAt": profile.first_use_at, "pushed": pushed}

    @router.post("/operator/push")
    async def push_usage(request: UsagePush) -> dict[str, Any]:
        operator, profile = _profile_of(request)
        phone = operator.phone
        if request.replay:
            return {"answers": [await phone.replay(profile, request.url) for _ in range(request.times)]}
        first = await phone.push(profile, fields=request.fields, signature=request.signature, url=request.url)
        again = [await phone.replay(profile, request.url) for _ in range(request.times - 1)]
        return {"answers": [first, *again]}


def operator_of(name: str) -> Operator:
    """The operator of that name. Raises a 404."""
    if name not in stands().operators:
        raise HTTPException(404, "no such operator")
    return stands().operators[name]


def _profile_of(request: OfProfile) -> tuple[Operator, Profile]:
    chosen = [operator_of(request.operator)] if request.operator else list(stands().operators.values())
    for operator in chosen:
        profile = operator.ledger.get(request.iccid)
        if profile is not None:
            return operator, profile
    raise HTTPException(404, "no such ICCID")


async def _scan(request: PhoneScan) -> dict[str, Any]:
    """What the phone sees: `ok`, the state it reached, or the codes and words of the refusal."""
    version, _, rest = request.code.removeprefix("LPA:").partition("$")
    address, _, more = rest.partition("$")
    matching_id = more.partition("$")[0]
    operator = next((one for one in stands().operators.values() if one.smdp_address == address), None)
    if version != "1" or operator is None:
        return {"ok": False, "message": "no server of this address answers"}
    profile, refusal, answers = await operator.phone.scan(
        matching_id, request.eid, request.steps, strings=request.ids == "string"
    )
    seen: dict[str, Any] = {"ok": refusal is None, "operator": operator.name, "answers": answers}
    if profile is not None:
        seen |= {"iccid": profile.iccid, "installState": profile.install_state}
    if refusal is not None:
        seen |= {"subjectCode": refusal.subject, "reasonCode": refusal.reason, "message": refusal.message}
    return seen
