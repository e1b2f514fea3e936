"""Invariants of the services themselves, from what each answers about itself."""

from collections.abc import Iterable
from datetime import timedelta

from operations.invariants.rules.base import Found, Seen, ServiceInvariant


class ServiceNotReady(ServiceInvariant):
    """Every service is ready.

    A service has not answered, or has said that it is not ready, for a minute: it does not reach its database or the
    brokers, is not migrated, or its consumer stands still. The detail says which.
    """

    name = "service_not_ready"
    after = timedelta(minutes=1)

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """One per service."""
        for one in seen.services:
            if one.not_ready_since is not None and one.not_ready_since <= seen.now - after:
                wrong = {name: said for name, said in one.checks.items() if said != "ok"}
                yield Found(one.service, one.not_ready_since, {**wrong, "problem": one.problem})


class OutboxOld(ServiceInvariant):
    """What a service says is published within a minute.

    An event was committed and has not reached the brokers for a minute: the service's publishing and its relay both do
    not work, or the brokers refuse it. Everybody else acts on old knowledge meanwhile.
    """

    name = "outbox_old"
    after = timedelta(minutes=1)

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """One per service."""
        for one in seen.services:
            if one.summary is None or one.summary.outbox.oldest is None:
                continue
            if one.summary.outbox.oldest <= seen.now - after:
                yield Found(one.service, one.summary.outbox.oldest, {"rows": one.summary.outbox.rows})


class DeadLettersWaiting(ServiceInvariant):
    """No record waits among the dead letters.

    Records could not be applied and wait for a decision: redrive them when the cause is mended, or discard them with a
    reason. What they say has not happened, as far as that service knows.
    """

    name = "dead_letters_waiting"

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """One per service."""
        del after
        for one in seen.services:
            if one.summary is not None and one.summary.dead_letters.waiting:
                yield Found(one.service, None, {"waiting": one.summary.dead_letters.waiting})


class WorkParked(ServiceInvariant):
    """No work waits for a person.

    No attempt of the service's own can settle these rows: look at each, mend the cause, and have it tried again.
    """

    name = "work_parked"
    severity = "ticket"

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """One per service and kind of work."""
        del after
        for one in seen.services:
            for work in one.summary.work if one.summary else ():
                if work.state == "parked" and work.rows:
                    yield Found(f"{one.service}/{work.kind}", work.oldest_due_at, {"rows": work.rows})


class WorkLate(ServiceInvariant):
    """Due work is done.

    Rows were due a quarter of an hour ago and nobody has touched them: no instance performs this kind of work, or all
    of its performers are stuck. Work that is tried again and again is not meant: each try moves its time.
    """

    name = "work_late"
    severity = "ticket"
    after = timedelta(minutes=15)

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """One per service, kind of work and state."""
        for one in seen.services:
            for work in one.summary.work if one.summary else ():
                if work.state != "parked" and work.oldest_due_at <= seen.now - after:
                    subject = f"{one.service}/{work.kind}/{work.state}"
                    yield Found(subject, work.oldest_due_at, {"rows": work.rows})


class WatchBehind(ServiceInvariant):
    """The watch itself sees what happens.

    For five minutes operations has not applied everything that was told: it has a backlog, or the brokers do not
    answer. The rules about orders stand still meanwhile; they raise no false alarm, and no true one.
    """

    name = "watch_behind"
    after = timedelta(minutes=5)

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """Only itself."""
        since = seen.as_of or seen.started_at
        if since <= seen.now - after:
            yield Found("operations", since)


RUNNING = (ServiceNotReady(), OutboxOld(), DeadLettersWaiting(), WorkParked(), WorkLate(), WatchBehind())
