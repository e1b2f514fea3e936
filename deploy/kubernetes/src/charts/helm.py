"""Helm, as the checks use it: charts built into a folder of their own, rendered to plain manifests."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from charts.catalogue import ALL, CHARTS, INSTALLABLE
from charts.tools import KUBERNETES, helm

Manifest: TypeAlias = dict[str, Any]
_SECONDS = 120.0


class HelmError(Exception):
    """Helm refused; the text is Helm's own."""


class Charts:
    """A built copy of all charts: what depends on others carries them, as after `helm dependency build`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._helm = str(helm())

    @classmethod
    def build(cls, folder: Path) -> "Charts":
        """Copy the charts into `folder`, files instead of links, and put each one's dependencies inside it."""
        built = cls(folder)
        for name in ALL:
            shutil.copytree(CHARTS / name, folder / name, ignore=shutil.ignore_patterns("*.tgz"))
            if (folder / name / "Chart.lock").exists():
                built.run("dependency", "build", str(folder / name))
        return built

    def package(self, target: Path) -> list[Path]:
        """An archive of each chart that can be installed."""
        for name in INSTALLABLE:
            self.run("package", str(self.folder / name), "--destination", str(target))
        return sorted(target.glob("*.tgz"))

    def template(
        self, chart: str, values: Sequence[Path] = (), settings: Sequence[str] = (), *, upgrade: bool = False
    ) -> list[Manifest]:
        """The manifests of a release called like the chart. Raises HelmError with Helm's reason."""
        command = ["template", chart, str(self.folder / chart), "--namespace", "esim", "--kube-version", KUBERNETES]
        command += [argument for path in values for argument in ("--values", str(path))]
        command += [argument for setting in settings for argument in ("--set-json", setting)]
        command += ["--is-upgrade"] if upgrade else []
        return [one for one in yaml.safe_load_all(self.run(*command)) if one]

    def lint(self, chart: str, values: Sequence[Path] = ()) -> None:
        """`helm lint --strict`. Raises HelmError for every error and warning."""
        options = [argument for path in values for argument in ("--values", str(path))]
        self.run("lint", str(self.folder / chart), "--strict", "--kube-version", KUBERNETES, *options)

    def run(self, *arguments: str) -> str:
        """Standard output of a Helm command. Raises HelmError."""
        done = subprocess.run(  # noqa: S603 - our own command line
            [self._helm, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(f"helm {' '.join(arguments[:2])}: {done.stdout}{done.stderr}")
        return done.stdout
