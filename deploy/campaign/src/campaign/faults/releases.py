"""Old and new versions of a service side by side."""

import asyncio
from datetime import timedelta

from campaign.scene import NotPossibleError, Record, Scene, lifted
from campaign.schedule import Fault
from release.history import NoHistoryError, export, last_release, python_path

#: An order whose buyer did nothing for so long has ended.
_ON_THE_WAY = timedelta(seconds=60)


async def last_release_beside(scene: Scene, fault: Fault, record: Record) -> None:
    """An instance of the service as it was last released works beside the one of now, and alone for a moment."""
    if len(scene.stack.brokers) > 1:
        raise NotPossibleError("the last release takes the addresses of several brokers for one host")
    try:
        tree = await asyncio.to_thread(export, last_release(fault.target).commit)
    except (NoHistoryError, FileNotFoundError) as error:
        raise NotPossibleError(f"no code of the last release: {error}") from error
    async with scene.holding(fault.target):
        old = scene.stack.second(fault.target, PYTHONPATH=python_path(tree, fault.target))
        try:
            await old.start()
            await asyncio.sleep(fault.seconds / 2)
            await scene.stack.parts[fault.target].stop()
            await asyncio.sleep(fault.seconds / 2)
            await scene.start(fault.target, record)
        finally:
            await old.stop()
            if fault.target == "ordering" and not (tree / "services/ordering/src/ordering/webhooks").exists():
                for journey in scene.traffic.journeys:
                    if not journey.steps or journey.steps[-1][0] > record.began - _ON_THE_WAY:
                        journey.without_webhooks = True
        lifted(record)
