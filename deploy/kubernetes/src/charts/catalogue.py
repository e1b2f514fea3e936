"""What charts there are, and in which order they are built."""

from pathlib import Path

from local_stack import product
from local_stack.paths import WORK_TREE

FOLDER = WORK_TREE / "deploy" / "kubernetes"
CHARTS = FOLDER / "charts"
EXAMPLES = FOLDER / "examples"

LIBRARY = "esim-service"
SERVICES = tuple(service.name for service in (*product.SERVICES, product.OPERATIONS))
UMBRELLA = "esim-fulfilment"
#: Whoever depends on another comes after it.
ALL = (LIBRARY, *SERVICES, "monitoring", "infrastructure", UMBRELLA)
INSTALLABLE = tuple(name for name in ALL if name != LIBRARY)


def values_files(chart: str) -> dict[str, Path]:
    """The examples of values that a chart is rendered with, by their names."""
    return {path.stem: path for path in sorted((EXAMPLES / chart).glob("*.yaml"))}
