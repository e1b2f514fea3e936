"""A recovery refuses where it could do harm, and says why."""

from datetime import timedelta

import pytest

from shared.contracts import OrderPaid, QrDelivered
from shared.kernel.service import Service
from shared.recovery.models import RecoveryRefusedError
from shared.recovery.run import recover
from shared.testing.facts import paid
from shared.testing.recovery import remove_records
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings


async def recovered(stage: Stage, service: Service, **ago: float) -> list[str]:
    lines: list[str] = []
    settings = await stage.settings(Settings, service.name, database_url=service.settings.database_url)
    await recover(toy.build(settings), service.clock.now() - timedelta(**ago), lines.append)
    return lines


async def test_it_waits_until_the_service_is_stopped(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    with pytest.raises(RecoveryRefusedError, match="stop every instance"):
        await recovered(stage, service, hours=1)
    with pytest.raises(RecoveryRefusedError, match="in the future"):
        await recovered(stage, service, hours=-1)


async def test_records_that_are_gone_are_missed_and_others_are_applied_once(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    await stage.publish(*[paid() for _ in range(20)])
    await stage.events(QrDelivered, count=20)
    await stage.stop(service)

    assert "20 records read again" in await recovered(stage, service, hours=1)

    await remove_records(stage, OrderPaid)
    with pytest.raises(RecoveryRefusedError, match="may be gone"):
        await recovered(stage, service, days=8)
    assert "0 records read again" in await recovered(stage, service, days=6)
