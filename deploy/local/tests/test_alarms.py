"""Alarms and dashboards ask for figures that exist, and every alarm says in the runbook what to do."""

import json
import re
from pathlib import Path

import pytest

from local_stack.paths import WORK_TREE

COMPOSE = WORK_TREE / "deploy" / "compose"
RULES = (COMPOSE / "prometheus" / "rules.yml").read_text(encoding="utf-8")
ALARMS = re.findall(r"- alert: (\w+)", RULES)
DASHBOARDS = sorted((COMPOSE / "grafana" / "dashboards").glob("*.json"))
#: PromQL's own words, and labels that stand where names do.
_WORDS = {"sum", "by", "rate", "increase", "max", "or", "le", "histogram_quantile", "up"}


def figures() -> set[str]:
    """What the services show: every name that code gives a counter, gauge or histogram."""
    named = re.compile(r'(Counter|Gauge|Histogram)\(\s*"([a-z_]+)"')
    found = {"up"}
    for file in [*WORK_TREE.glob("services/*/src/**/*.py"), *WORK_TREE.glob("shared/src/**/*.py")]:
        for kind, name in named.findall(file.read_text(encoding="utf-8")):
            found |= {name} if kind == "Gauge" else {f"{name}_total"} if kind == "Counter" else {f"{name}_bucket"}
    return found


def asked(expression: str) -> set[str]:
    """The figures that an expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|\"[^\"]*\"", " ", expression)
    return set(re.findall(r"[a-z][a-z_]+", bare)) - _WORDS


def test_alarms_ask_for_figures_that_exist() -> None:
    expressions = re.findall(r"expr: (.+)", RULES)
    assert len(expressions) == len(ALARMS) > 10
    assert {name for one in expressions for name in asked(one)} - figures() == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_for_figures_that_exist(dashboard: Path) -> None:
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 10
    assert {name for one in expressions for name in asked(one)} - figures() == set()


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_runbook_says_what_to_do(alarm: str) -> None:
    book = (COMPOSE / "RUNBOOK.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {alarm}\n(.+?)(?=^## |\Z)", book, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert len(section[1].split()) > 10
    assert f'runbook: "RUNBOOK.md#{alarm.lower()}"' in RULES
