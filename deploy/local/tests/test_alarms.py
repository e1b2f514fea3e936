"""Alarms and dashboards ask for figures that exist, and every alarm was tried out and stands in the runbook."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from fulfil import cli as fulfil
from local_stack.paths import WORK_TREE
from shared.testing.documents import JsonObject

COMPOSE = WORK_TREE / "deploy" / "compose"
RULES = yaml.safe_load((COMPOSE / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
ALARMS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
TRIALS = [
    trial
    for path in sorted((COMPOSE / "prometheus").glob("rules_test_*.yml"))
    for trial in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
]
BOOK = (COMPOSE / "RUNBOOK.md").read_text(encoding="utf-8")
DASHBOARDS = sorted((COMPOSE / "grafana" / "dashboards").glob("*.json"))
#: PromQL's own words.
_WORDS = {"sum", "by", "rate", "increase", "max", "or", "le", "histogram_quantile", "unless", "offset", "time", "topk"}
_WORDS |= {"vector", "label_values", "and"}
#: What Prometheus and its client library add by themselves.
_GIVEN = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def exported_metrics() -> set[str]:
    """What the services show: every name that code gives a counter, gauge or histogram."""
    named = re.compile(r'(Counter|Gauge|Histogram)\(\s*"([a-z_]+)"')
    found = set(_GIVEN)
    for place in ("services/*/src/**/*.py", "shared/src/**/*.py", "deploy/operations/src/**/*.py"):
        for file in WORK_TREE.glob(place):
            for kind, name in named.findall(file.read_text(encoding="utf-8")):
                endings = {"Gauge": [""], "Counter": ["_total"], "Histogram": ["_bucket", "_count", "_sum"]}
                found |= {name + ending for ending in endings[kind]}
    return found


def asked(expression: str) -> set[str]:
    """The figures that an expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|\"[^\"]*\"|offset \w+|, service\)", " ", expression)
    return set(re.findall(r"[a-z][a-z_]+", bare)) - _WORDS


def load(path: Path) -> JsonObject:
    found: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_alarms_use_metrics_that_exist() -> None:
    assert len(ALARMS) > 20
    assert {name for one in ALARMS.values() for name in asked(one["expr"])} - exported_metrics() == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_use_metrics_that_exist(dashboard: Path) -> None:
    panels = load(dashboard)["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 10
    assert {name for one in expressions for name in asked(one)} - exported_metrics() == set()


def test_what_waits_for_a_person_has_a_panel() -> None:
    expressions = [
        target["expr"] for path in DASHBOARDS for panel in load(path)["panels"] for target in panel.get("targets", ())
    ]
    waiting = {"dead_letters_waiting", "work_waiting", "refund_cases_open", "refunds_refused_open"}
    waiting |= {"refunds_refused_oldest_seconds", "refund_hand_payments_unconfirmed"}
    assert waiting - {name for one in expressions for name in asked(one)} == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_grafanas_own_model_knows_every_field_of_a_dashboard(dashboard: Path) -> None:
    written = load(dashboard)
    assert list(strangers(written)) == []
    written["panels"][1]["fieldConfig"]["defaults"]["untis"] = "s"
    written["panels"][1]["targets"][0]["exrp"] = "up"
    assert list(strangers(written)) == ["panels/1/fieldConfig/defaults/untis", "panels/1/targets/0/exrp"]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_places_of_their_own(dashboard: Path) -> None:
    taken: set[tuple[int, int]] = set()
    panels = load(dashboard)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_the_runbook_says_what_to_do(alarm: str) -> None:
    section = re.search(rf"^## {alarm}\n(.+?)(?=^## |\Z)", BOOK, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert len(section[1].split()) > 10
    assert ALARMS[alarm]["annotations"]["runbook"] == f"RUNBOOK.md#{alarm.lower()}"
    assert ALARMS[alarm]["labels"]["severity"] in {"page", "ticket"}


def test_the_runbook_knows_no_alarm_that_is_not_there() -> None:
    assert set(re.findall(r"^## (\w+)$", BOOK, re.MULTILINE)) == set(ALARMS)


def test_the_runbooks_commands_exist() -> None:
    commands = {" ".join(found.split()) for found in re.findall(r"`fulfil ([^`]+)`", BOOK)}
    assert len(commands) > 4
    for command in commands:
        fulfil._parser().parse_args(shlex.split(command.replace("…", "0000")))


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_each_alarm_is_tried_out_silent_and_ringing(alarm: str) -> None:
    """By promtool, where there is one (test_promtool.py)."""
    cases = [case for trial in TRIALS for case in trial["alert_rule_test"] if case["alertname"] == alarm]
    assert any(case["exp_alerts"] for case in cases)
    assert any(not case["exp_alerts"] for case in cases)


def strangers(written: JsonObject) -> Iterator[str]:
    """Fields that Grafana's model of a dashboard does not take in, and would lose."""
    plugins.register_default_plugins()
    kept = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(written)))
    yield from _lost(written, kept, "")


def _lost(written: object, kept: object, where: str) -> Iterator[str]:
    if isinstance(written, dict) and isinstance(kept, dict):
        for name, value in written.items():
            if name not in kept:
                yield where + name
            else:
                yield from _lost(value, kept[name], f"{where}{name}/")
    elif isinstance(written, list) and isinstance(kept, list) and len(written) == len(kept):
        for number, (value, other) in enumerate(zip(written, kept, strict=True)):
            yield from _lost(value, other, f"{where}{number}/")
    elif written != kept:
        yield where.rstrip("/")
