"""Bills are current, valid, complete, and the same whoever makes them."""

import json

import pytest

from supply import bill, locks, policy
from supply.images import Image, find


@pytest.fixture(params=find(), ids=lambda image: image.name)
def image(request: pytest.FixtureRequest) -> Image:
    found: Image = request.param
    return found


def test_the_committed_bill_is_that_of_the_lock_and_valid(image: Image) -> None:
    assert bill.problems([image], policy.load()) == []


def test_it_names_everything_and_who_needs_it(image: Image) -> None:
    document = json.loads(image.bill.read_text(encoding="utf-8"))
    parts = {part["bom-ref"]: part for part in document["components"]}
    python = {
        (part["name"], part["version"]) for part in parts.values() if part.get("purl", "").startswith("pkg:pypi/")
    }
    locked = {(pinned.name, pinned.version): pinned for pinned in locks.read(image.lock) if pinned.in_image}

    assert python == set(locked)
    for part in parts.values():
        for file in part.get("externalReferences", []):
            hashes = {f"sha256:{value['content']}" for value in file["hashes"]}
            assert hashes <= set(locked[part["name"], part["version"]].hashes)
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    reached = [document["metadata"]["component"]["bom-ref"]]
    for ref in reached:
        reached += [each for each in needs[ref] if each not in reached]
    assert set(reached) - {reached[0]} == set(parts)


def test_our_own_packages_are_in_it_with_their_versions() -> None:
    (refunds,) = [image for image in find() if image.name == "refunds"]
    document = json.loads(refunds.bill.read_text(encoding="utf-8"))
    ours = {part["name"]: part["version"] for part in document["components"] if part["name"].startswith("esim-")}

    assert set(ours) == {"esim-refunds", "esim-shared"}
    assert ours["esim-refunds"] == refunds.project["version"] == document["metadata"]["component"]["version"]


def test_what_is_no_bill_is_refused() -> None:
    assert bill.invalid("{}") != []
    assert bill.invalid('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}]}') != []
