"""Hostile input at every door, while good orders go on (deploy/hostile).

It is random, so all of it is never tried: `make test-all` takes a minute; a run with a slice takes a third of one, with
the slice's own seed, and lets schemathesis loose on one service instead of five. All slices take nearly three minutes.
On servers of its own: the judges of other tests do not know what hostile input leaves behind.
"""

import os
from pathlib import Path

import pytest

from hostile.run import prepare, run
from product.harness import Running
from product.running import NAMES
from product.stage import target_of
from shared.testing import slices

HERE = Path(__file__).parent
SECONDS = 60.0
SECONDS_OF_A_SLICE = 20.0


@pytest.mark.long
@pytest.mark.timeout(420)
async def test_hostile_input_costs_no_good_order(private: Running, tmp_path: Path) -> None:
    product = private.product
    target = target_of(product)
    number = slices.of_this_run(HERE)
    seed = int(os.environ.get("HOSTILE_SEED", "1" if number is None else number))
    findings = await run(
        target,
        SECONDS if number is None else SECONDS_OF_A_SLICE,
        seed,
        prepare(tmp_path / "hostile"),
        lambda _line: None,
        explored=slices.some_of(NAMES, number),
    )
    for name in NAMES:
        assert not [row for row in await product.query(name, "SELECT reason FROM dead_letters") if not row[0]]
    assert findings.kept == []
    assert findings.answers["good orders", "delivered"] > 0
