"""The committed table is what the code says today, and grants no more than the rules of architecture allow."""

from pathlib import Path

import pytest

from access.__main__ import current
from access.page import page
from access.table import Table, text
from local_stack.access import FILE, read_access
from local_stack.product import STOREFRONTS
from shared.contracts import EVENTS, orders_topic, updates_topic


@pytest.fixture
async def table() -> Table:
    return await current()


def test_the_committed_files_are_up_to_date(table: Table) -> None:
    assert FILE.read_text(encoding="utf-8") == text(table), "run `make access`"
    assert Path(FILE.with_name("README.md")).read_text(encoding="utf-8") == page(table), "run `make access`"


def test_each_topic_is_written_by_its_owner_alone(table: Table) -> None:
    of_shops = {*map(orders_topic, STOREFRONTS), *map(updates_topic, STOREFRONTS)}
    assert {topic["name"] for topic in table["topics"]} == {*EVENTS, *of_shops}
    writers: dict[str, set[str]] = {}
    for principal in read_access().principals:
        for acl in principal.acls:
            assert acl.operations.isdisjoint({"All", "Delete", "ClusterAction"})
            if "Write" in acl.operations:
                writers.setdefault(acl.name, set()).add(principal.of)
                of_a_shop = principal.kind == "storefront" or acl.name in of_shops
                assert acl.pattern == "prefixed" or of_a_shop
    storefronts = {principal.of for principal in read_access().principals if principal.kind == "storefront"}
    services = {event.owner() for event in EVENTS.values()} - {"storefront"}
    submitted = {orders_topic(shop): {shop} for shop in storefronts}
    heard = {updates_topic(shop): {"ordering"} for shop in storefronts}
    assert writers == {f"{name}.": {name} for name in services} | submitted | heard


def test_readers_name_their_topics_one_by_one_and_owners_read_nothing(table: Table) -> None:
    for principal in read_access().principals:
        reading = [acl for acl in principal.acls if "Read" in acl.operations]
        assert all(acl.pattern == "literal" for acl in reading if acl.type == "topic")
        assert (principal.kind != "owner") == bool(reading)
        changing = [acl for acl in principal.acls if acl.operations & {"Create", "Alter", "AlterConfigs"}]
        assert (principal.kind == "owner") == bool(changing)


def test_a_storefront_reads_its_own_updates_alone_in_groups_of_its_own(table: Table) -> None:
    for principal in read_access().principals:
        read = {acl.name for acl in principal.acls if acl.type == "topic" and "Read" in acl.operations}
        groups = {(acl.name, acl.pattern) for acl in principal.acls if acl.type == "group"}
        if principal.kind == "storefront":
            assert read == {updates_topic(principal.of)}
            # The dot ends the name: no other shop's user begins with it.
            assert groups == {(principal.name, "literal"), (f"{principal.name}.", "prefixed")}
        else:
            assert read.isdisjoint(map(updates_topic, STOREFRONTS))
