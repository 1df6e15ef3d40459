"""Owns the way back from the JSON of a report to the value; trusts nothing that it reads."""

from __future__ import annotations

import json
import math
from typing import TypeVar

from nox_envs.drift.finding import Finding
from nox_envs.errors import FileProblems, Place, Problem
from nox_envs.kinds import KINDS, Severity
from nox_envs.report import SCHEMA, EnvironmentReport, Report, Status

T = TypeVar("T")

_STATUSES: tuple[Status, ...] = ("clean", "repaired", "drift", "skipped")
_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class _Refused(ValueError):
    """Say what is wrong with a JSON value, and at which path of the document."""

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(message)


def read_report(text: str, *, origin: str) -> Report:
    """Read a report from its JSON; `origin` is the file's name in messages.

    Keys that are not known are left aside, those that came after the first schema may be absent.

    Raises:
        FileProblems: the text is no JSON, no report, or of a newer schema.
    """
    try:
        return _report(_Table(_parse(text, origin), ""))
    except _Refused as error:
        problem = Problem(
            place=Place(origin=origin),
            path=error.path,
            message=str(error),
            hint="write it with: nox-envs drift --format json",
        )
        raise FileProblems((problem,)) from None


def _parse(text: str, origin: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = Place(origin=origin, line=error.lineno, column=error.colno)
        message, hint = f"is no JSON: {error.msg}", "the file may be cut off; fetch it again"
        raise FileProblems((Problem(place=place, message=message, hint=hint),)) from None
    except (RecursionError, ValueError):
        raise _Refused("", "is no JSON that can be read: nested too deeply, or a number too long") from None


class _Table:
    """Read the keys of one JSON object, each with its type."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise _Refused(path, f"expected an object, found {_shown(value)}")
        self._value: dict[str, object] = value
        self.path = path

    def at(self, key: str) -> str:
        """Return the path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return the value of a key, which must be of one type; without a default it must be there."""
        value = self._value.get(key, default)
        if value is None:
            raise _Refused(self.at(key), "is missing")
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise _Refused(self.at(key), f"expected {_NAMES[kind]}, found {_shown(value)}")
        return value

    def rows(self, key: str, default: list[object] | None = None) -> list[tuple[str, object]]:
        """Return the items of a list, each with its path."""
        items = self.get(key, list, default)
        return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(items)]

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if it is absent."""
        return tuple(_text(item, path) for path, item in self.rows(key, []))

    def number(self, key: str) -> float:
        """Return a number that is finite and not negative, 0 if it is absent."""
        value = self._value.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Refused(self.at(key), f"expected a number, found {_shown(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not 0 <= number < math.inf:
            raise _Refused(self.at(key), f"expected a number from 0 on, found {_shown(value)}")
        return number

    def choice(self, key: str, known: tuple[T, ...]) -> T:
        """Return one of the texts that are known."""
        value = self.get(key, str)
        for name in known:
            if name == value:
                return name
        raise _Refused(self.at(key), f"expected one of {', '.join(map(str, known))}, found {_shown(value)}")


_NAMES: dict[type, str] = {str: "a text", int: "a whole number", list: "a list"}


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _Refused(path, f"expected a text, found {_shown(value)}")
    return value


def _report(table: _Table) -> Report:
    schema = table.get("schema", int)
    if schema != SCHEMA:
        raise _Refused("schema", f"is {_shown(schema)}; this nox-envs reads {SCHEMA}")
    return Report(
        environments=tuple(_environment(_Table(row, path)) for path, row in table.rows("environments")),
        findings=tuple(_finding(_Table(row, path)) for path, row in table.rows("findings", [])),
        problems=table.texts("problems"),
        notes=table.texts("notes"),
    )


def _environment(table: _Table) -> EnvironmentReport:
    return EnvironmentReport(
        environment=table.get("environment", str),
        session=table.get("session", str),
        python=table.get("python", str, ""),
        lock=table.get("lock", str, ""),
        location=table.get("location", str, ""),
        status=table.choice("status", _STATUSES),
        reason=table.get("reason", str, ""),
        installed=int(table.number("installed")),
        findings=tuple(_finding(_Table(row, path)) for path, row in table.rows("findings")),
        distributions=tuple(_row(row, path) for path, row in table.rows("distributions", [])),
        platform=table.get("platform", str, ""),
        seconds=table.number("seconds"),
        origin=table.get("origin", str, ""),
        ignored=int(table.number("ignored")),
    )


def _row(value: object, path: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise _Refused(path, f"expected name and version, found {_shown(value)}")
    name, version = value
    return _text(name, path), _text(version, path)


def _finding(table: _Table) -> Finding:
    return Finding(
        kind=table.choice("kind", tuple(KINDS)),
        severity=table.choice("severity", _SEVERITIES),
        environment=table.get("environment", str, ""),
        session=table.get("session", str, ""),
        package=table.get("package", str, ""),
        expected=table.get("expected", str, ""),
        actual=table.get("actual", str, ""),
        path=table.get("path", str, ""),
        line=table.get("line", str, ""),
        why=table.texts("why"),
        fix=table.get("fix", str, ""),
    )
