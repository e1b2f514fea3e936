"""All charts, built once per process; Helm and the operators' schemas come into the cache the first time."""

import pytest

from charts.catalogue import values_files
from charts.helm import Charts, Manifest
from charts.testing import Rendered
from charts.tools import helm
from charts.validation import custom_schemas
from local_stack.errors import LocalStackError


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    try:
        helm()
        custom_schemas()
    except LocalStackError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Charts:
    return Charts.build(tmp_path_factory.mktemp("charts"))


@pytest.fixture(scope="session")
def rendered(charts: Charts) -> Rendered:
    """The manifests of a chart with one of its examples, rendered once."""
    kept: dict[tuple[str, str], list[Manifest]] = {}

    def render(chart: str, example: str = "minimal") -> list[Manifest]:
        if (chart, example) not in kept:
            kept[chart, example] = charts.template(chart, [values_files(chart)[example]])
        return kept[chart, example]

    return render
