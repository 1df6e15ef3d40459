"""The report as JSON and as a page that shows it, its JSON Schema, and the way back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from nox_envs import codec
from nox_envs.errors import FileProblems, Invalid, NoxEnvsError, Place
from nox_envs.files import parse_json, read_text
from nox_envs.report.report import SCHEMA, EnvironmentReport, Report
from nox_envs.spec.types import Point
from nox_envs.terminal import redact
from nox_envs.values import contents, replace

# A thousand sessions with three hundred distributions each take eight million bytes.
LIMIT = 1 << 24
_EMPTY = '"distributions": []'
# The folders that every project has around its reports do not tell who sent them.
_TAIL = (".nox", ".nox-envs", "reports")


def json_text(document: object, *, indent: int | None = 2) -> str:
    """Return a document of values as JSON in ASCII, keys sorted, that the log of a CI job does not act on."""
    text = json.dumps(document, indent=indent, sort_keys=True, default=contents)
    # Both can only be within a string: `##[command]` of GitHub and Azure, `::command::` of GitHub.
    return text.replace("##", "#\\u0023").replace("::", ":\\u003a") + ("\n" if indent else "")


def render_json(report: Report) -> str:
    """Return a report as JSON; a removed key or a new meaning changes `schema`, a new key does not."""
    short = [replace(one, seconds=round(one.seconds, 3), distributions=()) for one in report.environments]
    states, kinds = Counter(one.status for one in short), Counter(one.kind for one in report.all_findings)
    summary = {"environments": states, "findings": kinds}
    document = {**contents(report), "schema": SCHEMA, "environments": short, "summary": summary}
    # Distributions stand on one line: indented, they take ten times as long. Within a string every quote is
    # escaped, so that no text from outside looks like their key.
    first, *rest = json_text(document).split(_EMPTY)
    rows = [json_text(one.distributions, indent=None) for one in report.environments]
    return first + "".join(f"{_EMPTY[:-2]}{row}{part}" for row, part in zip(rows, rest, strict=True))


def render_html(report: Report) -> str:
    """Return the static page with the JSON of a report in it, which the page's own script shows."""
    page = read_text(Path(__file__).parent / "page.html", shown="page.html")
    # Within a script element `<` alone could end it or begin a comment.
    data = render_json(report).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return page.replace(">null<", f">{data}<", 1)


def read_report(text: str, *, origin: str) -> Report:
    """Read a report from its JSON, unknown keys aside; `origin` names the file. Raises FileProblems."""
    try:
        document = parse_json(text)
        if (known := codec.decode(int, document.get("schema"), "schema")) != SCHEMA:
            raise Invalid(f"schema: is {known}; this nox-envs reads {SCHEMA}")
        return codec.decode(Report, document, text=redact)
    except Invalid as error:
        hint = error.hint or "write it with: nox-envs drift --format json"
        raise FileProblems([Invalid(redact(error.message), hint).at(Place(origin=origin))]) from None


def gather(paths: tuple[Path, ...], expected: Iterable[Point] = ()) -> Report:
    """Join the reports in folders and files; what several of them say of the project stays once.

    Each session is marked with the job or host that sent it. What is not a report becomes a problem, a point
    that is `expected` and in no report is skipped. Raises NoxEnvsError for a missing path.
    """
    reports: list[Report] = []
    environments: list[EnvironmentReport] = []
    for path in paths:
        files = _files(path, named=len(paths) > 1)
        if not files:
            reports.append(Report(environments=(), problems=(f"{path}: holds no report (*.json)",)))
        for file, sender in files:
            try:
                report = read_report(read_text(file, shown=str(file), limit=LIMIT), origin=str(file))
            except FileProblems as error:
                report = Report(environments=(), problems=tuple(map(str, error.problems)))
            reports.append(report)
            for one in report.environments:
                environments += [replace(one, origin="/".join(filter(None, (sender, one.origin))))]
    sent, reason = {one.session for one in environments}, "no report"
    environments += [
        EnvironmentReport(environment=one.environment, session=one.session, status="skipped", reason=reason)
        for one in expected
        if one.session not in sent
    ]
    shared = {
        name: tuple(dict.fromkeys(one for report in reports for one in getattr(report, name)))
        for name in ("findings", "problems")
    }
    return Report(environments=tuple(environments), **shared)


def _files(path: Path, *, named: bool) -> list[tuple[Path, str]]:
    """Return the reports at a path, each with its sender: the folder below it, and it too if `named`."""
    if not path.exists():
        raise NoxEnvsError(f"{path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    found = islice(path.rglob("*.json"), 20_000) if path.is_dir() else [path]
    files = sorted(file for file in found if file.is_file() and (file == path or not file.is_symlink()))
    given = [part for part in folder.resolve().parts if part not in _TAIL][-1:] if named else []
    # In whole projects there is JSON of others, too.
    ours = [file for file in files if file.parts[-3:-1] == _TAIL[1:]] or files
    below = [[part for part in file.relative_to(folder).parts[:-1] if part not in _TAIL] for file in ours]
    return [(file, "/".join((*given, *parts))) for file, parts in zip(ours, below, strict=True)]
