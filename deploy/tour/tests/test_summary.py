import json
from pathlib import Path

from local_stack.product import PRODUCT
from tour.expectations import Outcome
from tour.summary import addresses, summary, write


def test_the_summary_has_the_agreed_shape(tmp_path: Path) -> None:
    good = Outcome("An order from each storefront", orders=3, delivered=3, seconds=1.2345)
    bad = Outcome("The operator is down", orders=1)
    bad.failed("expected that the bank returned what it took", "payments")
    lacking = Outcome("On a phone", not_shown="there is no phone")
    value = summary([good, bad, lacking], {"mail": "http://127.0.0.1:1/mail"})
    assert json.loads(write(tmp_path / "demo", value).read_text()) == {
        "acts": [
            {
                "name": "An order from each storefront",
                "ok": True,
                "not_shown": None,
                "orders": 3,
                "delivered": 3,
                "refunded": 0,
                "seconds": 1.23,
            },
            {
                "name": "The operator is down",
                "ok": False,
                "not_shown": None,
                "orders": 1,
                "delivered": 0,
                "refunded": 0,
                "seconds": 0.0,
            },
            {
                "name": "On a phone",
                "ok": None,
                "not_shown": "there is no phone",
                "orders": 0,
                "delivered": 0,
                "refunded": 0,
                "seconds": 0.0,
            },
        ],
        "urls": {"mail": "http://127.0.0.1:1/mail"},
    }
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["summary.json"]


def test_every_service_and_page_of_the_sandbox_has_an_address() -> None:
    urls = addresses(PRODUCT, {component.name: f"http://{component.name}" for component in PRODUCT})
    services = {"ordering", "payments", "provisioning", "notifications", "refunds", "operations"}
    assert set(urls) == services | {"mail", "SMS", "control"}
    assert urls["mail"] == "http://sandbox/mail"
    assert urls["refunds"] == "http://refunds/docs"
