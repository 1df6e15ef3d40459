"""The report and its formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nox_envs.report.report import Format, Report


def render(report: Report, format: Format, *, colour: bool = False) -> str:  # noqa: A002
    """Return a report in one of the formats; `colour` matters to text only."""
    # Whoever needs the value alone, or one line of text, does not pay for the formats.
    from nox_envs.report import github, json, markdown, sarif, text

    match format:
        case "text":
            return text.render_text(report, colour=colour)
        case "json":
            return json.render_json(report)
        case "markdown":
            return markdown.render_markdown(report)
        case "github":
            return github.render_github(report)
        case "sarif":
            return sarif.render_sarif(report)
        case "html":
            return json.render_html(report)
