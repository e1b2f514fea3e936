"""HTTP: devices that support eSIM (PO 5.1)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ordering.dependencies import CallingShop
from ordering.devices.models import DeviceAnswer
from ordering.devices.rules import search
from ordering.devices.store import device_list
from shared.kernel.etag import conditional
from shared.values.text import Line

router = APIRouter(tags=["catalogue"])


@router.get("/devices", name="devices", response_model=DeviceAnswer)
async def list_devices(
    request: Request,
    _shop: CallingShop,
    q: Annotated[
        str,
        Line(100, 0),
        Query(description="words of a maker and model, in any spelling", examples=["iphone xs"]),
    ] = "",
) -> Response:
    """Devices that support eSIM, by their manufacturers' statements. With an ETag: send it as `If-None-Match`."""
    return conditional(request, DeviceAnswer(devices=search(device_list().devices, q)))
