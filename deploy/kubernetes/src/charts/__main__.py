"""`python -m charts [folder]`: write the schemas of values, then build and check all charts with all examples.

With a folder, archives of the charts are left in it.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from charts.catalogue import ALL, INSTALLABLE, values_files
from charts.helm import Charts, HelmError
from charts.schemas import write
from charts.tools import helm
from charts.validation import custom_schemas, problems
from local_stack.errors import LocalStackError


def check(charts: Charts) -> list[str]:
    """Everything that is wrong with the charts, one sentence each."""
    found = []
    for chart in INSTALLABLE:
        for name, path in values_files(chart).items():
            charts.lint(chart, [path])
            manifests = charts.template(chart, [path])
            wrong = [f"{chart} with {name}: {text}" for one in manifests for text in problems(one)]
            print(f"{chart} with {name}: {len(manifests)} resources, {len(wrong)} problems")
            found += wrong
    return found


def main() -> int:
    """0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m charts", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where archives of the charts are written")
    parser.add_argument("--fetch", action="store_true", help="only get Helm and the operators' schemas into the cache")
    arguments = parser.parse_args()
    if arguments.fetch:
        return _fetch()
    folder: Path | None = arguments.folder
    write()
    try:
        with TemporaryDirectory() as scratch:
            charts = Charts.build(Path(scratch))
            found = check(charts)
            if folder is not None and not found:
                folder.mkdir(parents=True, exist_ok=True)
                for archive in charts.package(folder):
                    print(archive)
    except (HelmError, LocalStackError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(found) if found else f"{len(ALL)} charts are well", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


def _fetch() -> int:
    """So that no test waits for it. Where it cannot be had, the charts' tests are skipped, and say so too."""
    try:
        helm()
        custom_schemas()
    except LocalStackError as error:
        print(f"The charts will not be tested: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
