"""Owns the outcome of checking environments as a value, and one pure renderer per format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from nox_envs.values import value

if TYPE_CHECKING:
    from nox_envs.drift import Finding

Status: TypeAlias = Literal["clean", "repaired", "drift", "skipped"]
Format: TypeAlias = Literal["text", "json", "markdown", "github", "sarif", "junit", "html"]

FORMATS: tuple[Format, ...] = ("text", "json", "markdown", "github", "sarif", "junit", "html")
SCHEMA = 1


@value
class EnvironmentReport:
    """Hold the outcome for one point.

    `lock` and `location` are relative to the spec's directory; `installed` counts distributions
    without seed packages; `reason` says why a point was skipped. With status `repaired` the findings
    are what was there before.

    `distributions` are name and version of what is installed; `platform` is `linux-x86_64` and the
    like; `seconds` is how long the session took, 0 where nothing was run; `origin` names the job or
    host that sent the report, empty for the machine at hand; `ignored` counts the findings that an
    ignore rule or a baseline accepts.
    """

    environment: str
    session: str
    python: str
    lock: str
    location: str
    status: Status
    reason: str = ""
    installed: int = 0
    findings: tuple[Finding, ...] = ()
    distributions: tuple[tuple[str, str], ...] = ()
    platform: str = ""
    seconds: float = 0.0
    origin: str = ""
    ignored: int = 0

    @property
    def title(self) -> str:
        """Return the session, and who sent the report where it came from elsewhere."""
        return f"{self.session} [{self.origin}]" if self.origin else self.session


@value
class Report:
    """Hold the outcome for several points, in the order of the spec.

    `findings` are about no single environment, such as a lock that nothing declares. `problems` say
    what could not be read, so that the check is not complete; `notes` say what is worth knowing,
    such as an ignore rule that matched nothing.
    """

    environments: tuple[EnvironmentReport, ...]
    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Return whether anything differs now that is an error."""
        return any(finding.severity == "error" for finding in self.present)

    @property
    def present(self) -> tuple[Finding, ...]:
        """Return every finding that is there now, those that were mended aside."""
        environments = (e for e in self.environments if e.status != "repaired")
        return (*(f for e in environments for f in e.findings), *self.findings)

    @property
    def skipped(self) -> bool:
        """Return whether any point could not be checked."""
        return any(environment.status == "skipped" for environment in self.environments)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Return every finding, those that were mended among them."""
        return (*(f for e in self.environments for f in e.findings), *self.findings)


def render(report: Report, format: Format, *, colour: bool = False) -> str:  # noqa: A002
    """Render a report in one of FORMATS; `colour` matters to text only."""
    match format:
        case "text":
            from nox_envs.report.as_text import render_text

            return render_text(report, colour=colour)
        case "json":
            from nox_envs.report.as_json import render_json

            return render_json(report)
        case "markdown":
            from nox_envs.report.as_markdown import render_markdown

            return render_markdown(report)
        case "github":
            from nox_envs.report.as_github import render_github

            return render_github(report)
        case "sarif":
            from nox_envs.report.as_sarif import render_sarif

            return render_sarif(report)
        case "junit":
            from nox_envs.report.as_junit import render_junit

            return render_junit(report)
        case "html":
            from nox_envs.report.as_html import render_html

            return render_html(report)
