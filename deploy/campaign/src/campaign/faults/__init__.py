"""How each kind of fault is done to a running stack."""

from collections.abc import Mapping

from campaign.faults import kafka_records, network, outside, processes, releases, servers, users
from campaign.scene import Perform

PERFORM: Mapping[str, Perform] = {
    "kill": processes.kill,
    "kill amid the start": processes.kill_amid_start,
    "kill all": processes.kill_all,
    "broker killed": servers.kafka_killed,
    "broker restarted": servers.kafka_restarted,
    "broker paused": servers.kafka_paused,
    "broker lost": servers.broker_lost,
    "broker cut off": network.broker_cut_off,
    "two brokers killed": servers.two_brokers_killed,
    "rebalance storm": processes.storm,
    "postgres killed": servers.postgres_killed,
    "postgres restarted": servers.postgres_restarted,
    "postgres paused": servers.postgres_paused,
    "primary lost": servers.primary_lost,
    "standby killed": servers.standby_killed,
    "connections cut at commit": network.cut_at_commit,
    "connections cut": network.cut,
    "connections half open": network.half_open,
    "replies lost": outside.replies_lost,
    "timeouts": outside.timeouts,
    "too many requests": outside.too_many_requests,
    "server errors": outside.server_errors,
    "partial bodies": outside.partial_bodies,
    "duplicate webhooks": outside.duplicate_webhooks,
    "replay from offset 0": kafka_records.replay,
    "webhooks late": outside.webhooks_late,
    "answers late": outside.answers_late,
    "clock moved": processes.clock_moved,
    "bad records": kafka_records.bad_records,
    "disk full": servers.disk_full,
    "service stopped": processes.stopped,
    "service frozen": processes.frozen,
    "forged webhooks": outside.forged_webhooks,
    "last release beside": releases.last_release_beside,
    "taken over while frozen": processes.taken_over,
    "redeployed": processes.redeployed,
    "shop's receiver away": users.receiver_away,
    "erasure": users.erasure,
}
