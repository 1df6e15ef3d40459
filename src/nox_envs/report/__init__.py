"""The report and its formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nox_envs.report.report import Format, Report


def render(report: Report, format: Format, *, colour: bool = False) -> str:  # noqa: A002
    """Return a report in one of the formats; `colour` matters to text only."""
    # Whoever needs the value alone, or one line of text, does not pay for the formats.
    if format == "text":
        from nox_envs.report.text import render_text

        return render_text(report, colour=colour)
    from nox_envs.report import github, json, markdown, sarif

    renderers = {
        "json": json.render_json,
        "markdown": markdown.render_markdown,
        "github": github.render_github,
        "sarif": sarif.render_sarif,
        "html": json.render_html,
    }
    return renderers[format](report)
