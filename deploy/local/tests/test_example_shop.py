"""What `make up` says of the example shop, and the lines that a shop's own program takes its addresses from."""

import shlex
from pathlib import Path

import pytest

from local_stack import cli
from local_stack.example_shop import STOREFRONT, WITH_SHOP, shop_environment
from local_stack.site import Site

PORTS = ("ordering", "payments", "notifications", "refunds", "sandbox", "shop")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    stored = Site(tmp_path, ports={name: 8000 + number for number, name in enumerate(PORTS)})
    stored.storefront_keys = {STOREFRONT: "a'key", "esimka": "another"}
    stored.save()
    monkeypatch.setattr(cli, "run_dir", lambda _name: tmp_path)
    return stored


def test_the_shop_is_named_first() -> None:
    assert WITH_SHOP[0].name == "shop"


def test_its_lines_are_what_a_shell_reads(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["local_stack", "shop-environment"])
    assert cli.main() == 0
    words = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert {name for name, _ in words} == {"export"}
    assert dict(word.split("=", 1) for _, word in words) == shop_environment(site, STOREFRONT)


def test_an_unknown_shop_is_one_line(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["local_stack", "shop-environment", "nowhere"])
    assert cli.main() == 1
    assert capsys.readouterr().err == f"There is no shop “nowhere” here ({STOREFRONT}, esimka).\n"
