"""Owns the benchmark of joined reports."""

from __future__ import annotations

from benchmarks.harness import Aim, Contender, Table, race, run
from benchmarks.projects import REPOSITORY, Workshop, nox_envs
from benchmarks.tools import PYTHON


def reports(workshop: Workshop) -> list[Table]:
    """Measure the joining of the reports of 100, 200 and 500 simulated jobs of 275 distributions each."""
    folder = workshop.new("reports")
    contenders = []
    for jobs in (100, 200, 500):
        made = folder / str(jobs)
        run(
            (PYTHON, "-m", "benchmarks.generated", "reports", str(made), str(jobs)),
            REPOSITORY,
        )
        contenders.append(
            Contender(name=f"{jobs} jobs", argv=nox_envs("report", str(made)), cwd=folder, codes=(0, 1))
        )
    # Five times the jobs take five times the time, less what the start of the program takes in both.
    aims = (Aim(ours="500 jobs", against="100 jobs", limit=5.0),)
    title = "nox-envs report of many jobs, 275 distributions each"
    return [Table(title=title, rows=race(contenders, workshop.rounds), aims=aims)]
