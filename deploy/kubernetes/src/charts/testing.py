"""For the tests: every chart with every example, and ways to look at manifests."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from charts.catalogue import INSTALLABLE, values_files
from charts.helm import Manifest

#: Every chart with every example of its values.
EXAMPLES = [(chart, example) for chart in INSTALLABLE for example in values_files(chart)]
#: The manifests of a chart with an example; "minimal" where none is named.
Rendered = Callable[..., list[Manifest]]


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    """Those of these kinds."""
    return [one for one in manifests if one["kind"] in kinds]


def named(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """The one of that kind and name. Raises ValueError where there is not exactly one."""
    (found,) = [one for one in of_kind(manifests, kind) if one["metadata"]["name"] == name]
    return found


def pods(manifests: Sequence[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod's specification, with the name of what starts it."""
    for one in of_kind(manifests, "Deployment", "Job"):
        yield f"{one['kind']} {one['metadata']['name']}", one["spec"]["template"]["spec"]
