"""The campaign (deploy/campaign): buyers of three shops under a seeded schedule of faults, judged by the outside.

With `CAMPAIGN_SEED`, `make test` plays twenty seconds of that seed on the product and the servers that other tests use:
faults of the services and of the companies outside. Without it that is left out: the bad records that it leaves behind
are found by the tests that search all topics and dead letters. `make test-all` plays ten minutes of seed 1 with all
faults, on a stack of its own, as `make campaign` does.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from campaign.run import Plan, run
from campaign.schedule import OF_SERVICES, schedule
from product.harness import Running
from product.stage import ProductStage, target_of
from shared.testing import slices

HERE = Path(__file__).parent
SECONDS, QUIET_SECONDS = 600, 300
SHORT_SECONDS, SHORT_QUIET_SECONDS, SHORT_RATE = 20.0, 150.0, 2.0


@pytest.mark.long
@pytest.mark.skipif("CAMPAIGN_SEED" not in os.environ, reason="CAMPAIGN_SEED=1 make test ARGS=tests/test_campaign.py")
async def test_no_order_is_lost_or_doubled_in_a_short_campaign(running: Running) -> None:
    seed = int(os.environ["CAMPAIGN_SEED"])
    product = running.product
    faults = schedule(seed, SHORT_SECONDS, OF_SERVICES)
    plan = Plan(seed, SHORT_SECONDS, faults, SHORT_RATE, SHORT_QUIET_SECONDS, own_logs=False)
    result = await run(ProductStage(product), {}, plan, lambda _line: None, target_of(product))
    assert result.violations == []
    assert sum(journey.paid_at is not None for journey in result.journeys) > SHORT_SECONDS / 2
    assert len(result.records) == len(faults) > 1


@pytest.mark.long
@pytest.mark.infra
@pytest.mark.timeout(SECONDS + 2 * QUIET_SECONDS + 240)
async def test_no_order_is_lost_or_doubled(tmp_path: Path) -> None:
    if slices.of_this_run(HERE) is not None:
        pytest.skip("make test-all")
    seed = int(os.environ.get("CAMPAIGN_SEED") or 1)
    command = ["-m", "campaign", f"--seed={seed}", f"--seconds={SECONDS}", f"--quiet-seconds={QUIET_SECONDS}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        f"--directory={tmp_path / 'campaign'}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode in {0, 1}, text[-4000:]
    report = json.loads((tmp_path / "campaign" / f"{seed}.json").read_text())
    assert report["violations"] == [], text[-8000:]
    assert report["paid"] > SECONDS / 10
    assert len(report["faults"]) > SECONDS / 10
