"""A minute of hostile input at every door, while good orders go on (deploy/hostile).

On servers of its own: the judges of other tests do not know what hostile input leaves behind.
"""

import os
from pathlib import Path

import pytest

from hostile.run import prepare, run
from hostile.target import Target
from product.hands import Running
from product.running import NAMES

SECONDS = 60.0


@pytest.mark.timeout(420)
async def test_a_minute_of_hostile_input_costs_no_good_order(private: Running, tmp_path: Path) -> None:
    product = private.product
    target = Target(
        product.site,
        lambda user: product.users.get(user, product.kafka),
        prefix=product.prefix,
        services=NAMES,
    )
    seed = int(os.environ.get("HOSTILE_SEED", "1"))
    findings = await run(target, SECONDS, seed, prepare(tmp_path / "hostile"), lambda _line: None)
    for name in NAMES:
        assert not [row for row in await product.query(name, "SELECT reason FROM dead_letters") if not row[0]]
    assert findings.kept == []
    assert findings.answers["good orders", "delivered"] > 0
