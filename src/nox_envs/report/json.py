"""The report as JSON and as a page that shows it, its JSON Schema, and the way back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TypeAlias, TypeVar

from nox_envs.errors import FileProblems, Invalid, NoxEnvsError, Place
from nox_envs.files import Table, parse_json, read_text
from nox_envs.findings import KINDS, SEVERITIES, Finding
from nox_envs.report.report import SCHEMA, STATUSES, EnvironmentReport, Report
from nox_envs.spec.types import Point
from nox_envs.terminal import redact
from nox_envs.values import fields, replace

T = TypeVar("T")
_Field: TypeAlias = tuple[dict[str, object], Callable[[Table, str], object]]

# A thousand sessions with three hundred distributions each take eight million bytes.
LIMIT = 1 << 24
_MOST_FILES = 20_000
_EMPTY = '"distributions": []'
# The folders that every project has around its reports do not tell who sent them.
_TAIL = (".nox", ".nox-envs", "reports")


def json_text(document: object, *, indent: int | None = 2) -> str:
    """Return a document of values as JSON in ASCII, keys sorted, that the log of a CI job does not act on."""
    text = json.dumps(document, indent=indent, sort_keys=True, default=_contents)
    # Both can only be within a string: `##[command]` of GitHub and Azure, `::command::` of GitHub.
    return text.replace("##", "#\\u0023").replace("::", ":\\u003a") + ("\n" if indent else "")


def _contents(instance: object) -> dict[str, object]:
    return {name: getattr(instance, name) for name in fields(instance)}


def render_json(report: Report) -> str:
    """Return a report as JSON; a removed key or a new meaning makes `schema` 2, a new key does not."""
    short = [replace(one, seconds=round(one.seconds, 3), distributions=()) for one in report.environments]
    states, kinds = Counter(one.status for one in short), Counter(one.kind for one in report.all_findings)
    summary = {"environments": states, "findings": kinds}
    document = {**_contents(report), "schema": SCHEMA, "environments": short, "summary": summary}
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
        table = parse_json(text)
        if (schema := table.integer("schema")) != SCHEMA:
            raise Invalid(f"schema: is {schema}; this nox-envs reads {SCHEMA}")
        return _read(Report, table)
    except Invalid as error:
        hint = error.hint or "write it with: nox-envs drift --format json"
        raise FileProblems([Invalid(redact(error.message), hint).at(Place(origin=origin))]) from None


def _read(of: type[T], table: Table) -> T:
    return of(**{name: _FIELDS[kind][1](table, name) for name, kind in of.__annotations__.items()})


def _one_of(known: Iterable[str]) -> _Field:
    words = list(known)

    def read(table: Table, key: str) -> str:
        if (word := table.text(key)) in words:
            return word
        raise Invalid(f"{table.path}.{key}: {word[:100]!r} is not one of {', '.join(words)}")

    return {"enum": words}, read


def _values(of: type[T]) -> _Field:
    def read(table: Table, key: str) -> tuple[T, ...]:
        return tuple([_read(of, one) for one in table.tables(key)])

    return {"type": "array", "items": {"$ref": f"#/$defs/{of.__name__}"}}, read


def _pairs(table: Table, key: str) -> tuple[tuple[str, str], ...]:
    rows = [row for row in table.items(key) if isinstance(row, list) and [*map(type, row)] == [str, str]]
    if len(rows) < len(table.items(key)):
        raise Invalid(f"{table.path}.{key}: expected lists of a name and a version")
    return tuple([(name, version) for name, version in rows])


_TEXT: dict[str, object] = {"type": "string"}
_PAIR: dict[str, object] = {"type": "array", "prefixItems": [_TEXT, _TEXT], "minItems": 2, "maxItems": 2}
# What a field may be, by its type: the JSON Schema, and what reads it from a table.
_FIELDS: dict[str, _Field] = {
    "Kind": _one_of(KINDS),
    "Severity": _one_of(SEVERITIES),
    "Status": _one_of(STATUSES),
    "str": (_TEXT, lambda table, key: redact(table.text(key, ""))),
    "int": ({"type": "integer", "minimum": 0}, lambda table, key: int(table.number(key, 0))),
    "float": ({"type": "number", "minimum": 0}, lambda table, key: table.number(key, 0)),
    "Pairs": ({"type": "array", "items": _PAIR}, _pairs),
    "tuple[str, ...]": ({"type": "array", "items": _TEXT}, lambda *at: tuple(map(redact, Table.texts(*at)))),
    "tuple[Finding, ...]": _values(Finding),
    "tuple[EnvironmentReport, ...]": _values(EnvironmentReport),
}


def report_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a report, which later versions may add keys to."""
    counts = {"type": "object", "additionalProperties": _FIELDS["int"][0]}
    more = {"schema": {"const": SCHEMA}, "summary": {"type": "object", "additionalProperties": counts}}
    schemas: dict[str, dict[str, object]] = {}
    for one in (Report, EnvironmentReport, Finding):
        own = {name: _FIELDS[kind][0] for name, kind in one.__annotations__.items()}
        properties = {**own, **more} if one is Report else own
        schemas[one.__name__] = {"type": "object", "required": list(properties), "properties": properties}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "nox-envs report", **schemas.pop("Report"), "$defs": schemas}


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
            told = report.environments
            environments += [
                replace(one, origin="/".join(filter(None, (sender, one.origin)))) for one in told
            ]
    sent, reason = {one.session for one in environments}, "no report"
    environments += [
        EnvironmentReport(environment=one.environment, session=one.session, status="skipped", reason=reason)
        for one in expected
        if one.session not in sent
    ]
    return Report(
        environments=tuple(environments),
        findings=tuple(dict.fromkeys(one for report in reports for one in report.findings)),
        problems=tuple(dict.fromkeys(one for report in reports for one in report.problems)),
        notes=tuple(dict.fromkeys(one for report in reports for one in report.notes)),
    )


def _files(path: Path, *, named: bool) -> list[tuple[Path, str]]:
    """Return the reports at a path, each with its sender: the folder below it, and it too if `named`."""
    if not path.exists():
        raise NoxEnvsError(f"{path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    found = islice(path.rglob("*.json"), _MOST_FILES) if path.is_dir() else [path]
    files = sorted(file for file in found if file.is_file())
    given = [part for part in folder.resolve().parts if part not in _TAIL][-1:] if named else []
    # In whole projects there is JSON of others, too.
    ours = [file for file in files if file.parts[-3:-1] == _TAIL[1:]] or files
    below = [[part for part in file.relative_to(folder).parts[:-1] if part not in _TAIL] for file in ours]
    return [(file, "/".join((*given, *parts))) for file, parts in zip(ours, below, strict=True)]
