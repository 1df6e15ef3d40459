"""Owns the larger inputs: `python -m benchmarks.generated locks|reports|files …`.

It runs in a process of its own, so that the process that measures stays small.
"""

from __future__ import annotations

import csv
import hashlib
import random
import sys
from pathlib import Path


def locks(folder: Path, pins: int) -> None:
    """Write the lock that a resolver would make for each plan of the spec in `folder`, without one.

    Each has `pins` pins; a direct requirement `package-N` brings the next four with it.
    """
    from nox_envs.lockfile.text import Header, Lock, render
    from nox_envs.pins import Pin
    from nox_envs.workflow.project import Project

    project = Project(folder / "envs.yaml", envdir=".nox", environ={}, host=dict)
    for plan in project.plans():
        if not plan.path:
            continue
        direct = {requirement.name: str(requirement) for requirement in plan.requirements}
        prefix = min(direct).rpartition("-")[0]
        made = []
        for n in range(pins):
            name = f"{prefix}-{n}"
            hashes = tuple(
                sorted("sha256:" + hashlib.sha256(f"{name}{k}".encode()).hexdigest() for k in range(3))
            )
            via = (
                f"environment {plan.environments[0]}: {direct[name]}"
                if name in direct
                else f"{prefix}-{n - n % 5}"
            )
            made.append(Pin(name=name, version=f"1.{n}", hashes=hashes, via=(via,)))
        header = Header(
            environments=plan.environments, pythons=plan.pythons, resolver="uv", input=plan.digest
        )
        file = folder / plan.path
        file.parent.mkdir(exist_ok=True)
        file.write_text(render(Lock(origin=plan.path, header=header, pins=tuple(made))))


def reports(folder: Path, jobs: int) -> None:
    """Write the reports of simulated jobs below `folder`; a fifth of them has drifted."""
    from nox_envs.drift import Finding
    from nox_envs.report import EnvironmentReport, Report, render

    chance = random.Random(20260615)
    lock = {f"package-{n}": f"{n % 7}.{n % 3}" for n in range(275)}
    for job in range(jobs):
        installed, findings = dict(lock), []
        for name in chance.sample(sorted(lock), 3) if chance.random() < 0.2 else ():
            installed[name] = "9.9"
            findings.append(
                Finding(kind="version", severity="error", environment="tests", session="tests-3.12",
                        package=name, expected=lock[name], actual="9.9", line="requirements/tests.txt:7",
                        why=("test (envs.yaml:5)",), fix="nox -s tests-3.12")
            )  # fmt: skip
        report = EnvironmentReport(
            environment="tests", session="tests-3.12", python="3.12.1", lock="requirements/tests.txt",
            location=".nox/tests-3-12", status="drift" if findings else "clean", installed=len(installed),
            findings=tuple(findings), distributions=tuple(sorted(installed.items())),
            platform="linux-x86_64", seconds=round(60 * chance.random(), 3),
        )  # fmt: skip
        file = folder / f"job-{job:03}" / ".nox" / ".nox-envs" / "reports" / "tests-3.12.json"
        file.parent.mkdir(parents=True)
        file.write_text(render(Report(environments=(report,)), "json"))


def files(venv: Path, listing: Path) -> None:
    """Write the paths of the files that have a digest in a RECORD; print their number and bytes."""
    size, found = 0, []
    for record in sorted(venv.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        with record.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                path = record.parent.parent / row[0]
                if len(row) > 1 and row[1] and path.is_file():
                    found.append(str(path))
                    size += path.stat().st_size
    listing.write_text("".join(f"{path}\n" for path in found), encoding="utf-8")
    print(len(found), size)


if __name__ == "__main__":
    match sys.argv[1:]:
        case "locks", folder, pins:
            locks(Path(folder), int(pins))
        case "reports", folder, jobs:
            reports(Path(folder), int(jobs))
        case "files", venv, listing:
            files(Path(venv), Path(listing))
