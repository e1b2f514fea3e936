"""Prometheus' own judgement of configuration, alarms and dashboards; a missing promtool is said loudly."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from local_stack import promtool
from local_stack.errors import LocalStackError
from local_stack.paths import WORK_TREE

PROMETHEUS = WORK_TREE / "deploy" / "compose" / "prometheus"
DASHBOARDS = WORK_TREE / "deploy" / "compose" / "grafana" / "dashboards"


@pytest.fixture(scope="module")
def tool() -> Path:
    try:
        return promtool.find()
    except LocalStackError as error:
        pytest.skip(str(error))


def run(tool: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - a checker of our own files
        [tool, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_and_its_rules_are_valid(tool: Path) -> None:
    assert "rules found" in run(tool, "check", "config", str(PROMETHEUS / "prometheus.yml"))
    run(tool, "check", "rules", "--lint=all", "--lint-fatal", str(PROMETHEUS / "rules.yml"))


def test_each_alarm_rings_when_it_should_and_not_before(tool: Path) -> None:
    run(tool, "test", "rules", *map(str, sorted(PROMETHEUS.glob("rules_test_*.yml"))))


def test_every_panel_asks_something_that_prometheus_understands(tool: Path, tmp_path: Path) -> None:
    expressions = [
        target["expr"].replace("$service", "payments")
        for path in DASHBOARDS.glob("*.json")
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", ())
    ]
    assert len(expressions) > 50
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run(tool, "check", "rules", str(tmp_path / "panels.yml"))


def test_what_is_wrong_is_found(tool: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: [{name: a, rules: [{record: b, expr: 'sum(rate(x[5m])'}]}]")
    with pytest.raises(AssertionError, match="unclosed left parenthesis"):
        run(tool, "check", "rules", str(tmp_path / "rules.yml"))
