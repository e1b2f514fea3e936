"""A shop is a folder: a fourth one is added as docs/how-to/add-a-shop.md says, and sells through all five services."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from email.utils import parseaddr
from pathlib import Path

import pytest

from local_stack.access import Access, read_access, storefront_user
from product.faults import NO_SUCH_PROFILE
from product.harness import Running, harness
from product.judge import Mail, header, until
from product.running import NAMES, Product
from product.shop import PLAN
from product.whole import whole
from shared.testing.shops import change, copied

SLUG = "travel-kg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's shops and one more: a copy of e-sim-onl's folder with names, addresses and prices of its own."""
    folder = copied(tmp_path_factory.mktemp("fourth") / "shops")
    shop = folder / SLUG
    copy = shop.with_name("e-sim-onl")
    for path in copy.rglob("*.toml"):
        target = shop / path.relative_to(copy)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    about = shop / "shop.toml"
    for old, new in (
        ('name = "e-SIM.onl"', 'name = "Travel KG"'),
        ('time_zone = "UTC"', 'time_zone = "Asia/Bishkek"'),
        ("support@e-sim-onl.example", "support@travel-kg.example"),
        ("orders@e-sim-onl.example", "orders@travel-kg.example"),
        ('sms = "eSIMonl"', 'sms = "TravelKG"'),
        ('offer = "TC-2026-03"', 'offer = "TK-1"'),
    ):
        change(about, old, new)
    change(shop / "plans.toml", "price = 1_050", "price = 1_234")
    change(shop / "brand" / "brand.toml", "#3b4cca", "#7a1f5c")
    return folder


@pytest.fixture(scope="module")
def access(folder: Path) -> Access:
    """What `make access` writes for this folder."""
    made = folder.with_name("access")
    made.mkdir()
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "access", "--into", str(made)], env={**os.environ, "SHOPS_DIR": str(folder)}, check=True
    )
    return read_access(made / "access.json")


@pytest.fixture(scope="module")
def product(folder: Path, access: Access) -> Iterator[Product]:
    yield from whole(folder.with_name("product"), folder, access)


@pytest.fixture
async def running(product: Product) -> AsyncIterator[Running]:
    async with harness(product) as made:
        yield made


def test_its_topic_and_its_user_come_from_the_folder(access: Access) -> None:
    before, names = read_access().names, access.names
    assert set(names) - set(before) == {storefront_user(SLUG)}
    [own] = [one for one in access.principals if one.name == storefront_user(SLUG)]
    assert {(acl.name, acl.operations) for acl in own.acls if "Write" in acl.operations} == {
        (f"storefront.{SLUG}.orders", frozenset({"Describe", "Write"}))
    }


@pytest.mark.parametrize("way", ["place", "submit"])
async def test_it_sells(running: Running, way: str) -> None:
    order = await getattr(running.shop, way)(SLUG)
    assert (order.price, order.currency) == (1_234, "USD")
    await running.shop.pay(order)
    await running.judge.delivered([order])
    [mail] = await running.sandbox.mails(to=order.buyer.email)
    assert sender(mail) == ("Travel KG", "orders@travel-kg.example")
    assert "Travel KG" in mail["text"]
    assert "support@travel-kg.example" in mail["text"]
    assert "#7a1f5c" in mail["html"]


async def test_its_money_goes_back_by_its_own_policy(running: Running) -> None:
    await running.sandbox.faults(NO_SUCH_PROFILE)
    order = await running.shop.buy(SLUG)
    [mail] = await running.judge.refunded([order])
    assert "RC 1" in mail["text"]
    assert sender(mail) == ("Travel KG", "orders@travel-kg.example")


async def test_a_new_price_counts_in_the_running_product_and_a_broken_folder_changes_nothing(
    running: Running, folder: Path
) -> None:
    plans = folder / SLUG / "plans.toml"
    change(plans, "price = 1_234", "price = 2_345")
    assert await price(running, 2_345) == 2_345
    change(plans, "price = 2_345", "price = -1")
    await all_refuse(running, refused=True)
    assert await price(running, 2_345) == 2_345
    change(plans, "price = -1", "price = 1_234")
    assert await price(running, 1_234) == 1_234
    await all_refuse(running, refused=False)


def sender(mail: Mail) -> tuple[str, str]:
    return parseaddr(header(mail, "From"))


async def price(running: Running, wanted: int) -> int:
    """The price of the plan that the shop reads, once it is the wanted one."""
    url = f"{running.product.url('ordering')}/storefront"
    found = [0]

    async def other() -> str:
        answer = await running.shop.http.get(url, headers=running.shop.auth(SLUG))
        [found[0]] = [one["price"]["amount"] for one in answer.json()["plans"] if one["plan"]["id"] == PLAN]
        return "" if found[0] == wanted else f"the price is {found[0]}"

    await until(other)
    return found[0]


async def all_refuse(running: Running, *, refused: bool) -> None:
    """Every service says by its metric whether it refuses the folder."""

    async def others() -> str:
        missing = []
        for name in NAMES:
            text = (await running.shop.http.get(f"{running.product.url(name)}/metrics")).text
            if f"shops_folder_refused {float(refused)}" not in text:
                missing.append(name)
        return ", ".join(missing)

    await until(others)
