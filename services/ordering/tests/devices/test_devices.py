"""The list of devices (PO 5.1), its search, and answers with an ETag."""

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from ordering.devices.models import DeviceList
from ordering.devices.rules import search
from ordering.devices.store import device_list

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop


def test_every_device_names_a_source_of_its_manufacturer_and_no_source_is_unused() -> None:
    listed = device_list()
    assert {entry.source for entry in listed.models} == listed.sources.keys()
    assert all(device.source.url.startswith("https://") for device in listed.devices)
    assert len(listed.devices) > 150


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("iphone xs", ["iPhone XS", "iPhone XS Max"]),
        ("APPLE  iPhone-XR", ["iPhone XR"]),
        ("galaxy s21+", ["Galaxy S21+"]),
        ("Galaxy_S_21 ultra", ["Galaxy S21 Ultra"]),
        ("pixel 4a", ["Pixel 4a", "Pixel 4a (5G)"]),
        ("fold 7", ["Galaxy Z Fold7"]),
        ("iphone 4s", []),
        ("' OR 1=1 --", []),
    ],
)
def test_a_device_is_found_in_any_spelling(text: str, found: list[str]) -> None:
    assert [device.model for device in search(device_list().devices, text)] == found


def test_a_list_with_a_fault_is_refused() -> None:
    source = {"url": "https://example.org", "says": "so"}
    models = {"maker": "A", "names": ["B"], "since": 2020, "source": "s"}
    DeviceList.model_validate({"sources": {"s": source}, "models": [models]})
    for faulty in (
        {"sources": {}, "models": [models]},
        {"sources": {"s": source}, "models": [models, models]},
        {"sources": {"s": source}, "models": [models | {"sinse": 2020}]},
    ):
        with pytest.raises(ValidationError):
            DeviceList.model_validate(faulty)


async def test_plans_and_devices_are_not_sent_twice(shop: "Shop") -> None:
    for path, other in (("/plans", "e-sim-onl"), ("/devices?q=iphone", "esimka")):
        first = await shop.get(path)
        tag = first.headers["etag"]
        assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await shop.http.get(path, headers=shop.auth() | {"If-None-Match": sent})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await shop.http.get(path, headers=shop.auth() | {"If-None-Match": '"other"'})).status_code == 200
        assert (await shop.http.get(path, headers=shop.auth(other) | {"If-None-Match": tag})).status_code == (
            304 if other == "esimka" else 200
        )
    assert (await shop.get("/plans")).json()["plans"] == (await shop.get("/storefront")).json()["plans"]
    assert [device["model"] for device in (await shop.get("/devices?q=iphone+xr")).json()["devices"]] == ["iPhone XR"]
    assert (await shop.http.get("/devices")).status_code == 401
    assert (await shop.get("/devices?q=" + "x" * 101)).status_code == 422
