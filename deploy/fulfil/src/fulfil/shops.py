"""The commands `shops check` and `shops values`: the shops' folder, looked at without any service."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.shops.reading import Shops

_REFUSED = 1


def check(options: argparse.Namespace) -> int:
    """Print what each shop has, or every fault with its file and field; 1 where the folder is refused."""
    shops = _read(options)
    if shops is None:
        return _REFUSED
    for slug, shop in shops.items():
        plans, versions = len({plan.id for plan in shop.plans}), ", ".join(policy.version for policy in shop.policies)
        print(f"{slug}: {shop.name}, {shop.currency}, {shop.time_zone}; {plans} plans; policy {versions}")
    return 0


def values(options: argparse.Namespace) -> int:
    """Print the folder as values of the Helm charts; 1 where it is refused."""
    shops = _read(options)
    if shops is None:
        return _REFUSED
    paths = [
        options.folder / slug / name
        for slug, shop in shops.items()
        for name in (
            "shop.toml",
            "plans.toml",
            "brand/brand.toml",
            *(f"policy/{policy.version}.toml" for policy in shop.policies),
        )
    ]
    texts = {path.relative_to(options.folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    print(json.dumps({"global": {"shops": texts}}, ensure_ascii=False, indent=1))  # JSON is YAML too
    return 0


def _read(options: argparse.Namespace) -> "Shops | None":
    """The shops; None, after printing all faults, where the folder is refused."""
    # The commands about services start without pydantic and the calendars of all countries.
    from shared.shops.checks import no_example_addresses  # noqa: PLC0415 - see above
    from shared.shops.faults import ShopsError  # noqa: PLC0415 - as above
    from shared.shops.holidays import known_holidays  # noqa: PLC0415 - as above
    from shared.shops.reading import read_shops  # noqa: PLC0415 - as above

    try:
        return read_shops(
            options.folder, [known_holidays, no_example_addresses] if options.production else [known_holidays]
        )
    except ShopsError as error:
        print(error, file=sys.stderr)
        print(f"fulfil: the folder is refused: {len(error.faults)} faults", file=sys.stderr)
        return None
