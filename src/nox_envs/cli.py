"""The command line `nox-envs`: its verbs and options, and the one place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import strftime
from typing import TYPE_CHECKING, NoReturn

from nox_envs.errors import FileProblems, NoxEnvsError, Problem, did_you_mean, nearest
from nox_envs.findings import FILES_MODES, fail_conditions, run_command
from nox_envs.report.report import FORMATS, verdict
from nox_envs.terminal import harmless, progress, wants_colour, write_anything

if TYPE_CHECKING:
    from nox_envs.project import Project
    from nox_envs.report.report import Report
    from nox_envs.spec.types import Point

_SPEC = "envs.yaml"
_ELSEWHERE = {
    "lock": "nox -s lock",
    "run": "nox -s ENVIRONMENT",
    "install": "nox --install-only -s ENVIRONMENT",
}
# Without a width argparse imports shutil, which takes as long as checking a venv.
_HELP = partial(argparse.RawDescriptionHelpFormatter, width=78)
_EPILOG = """exit codes: 0 clean, 1 drift, 2 could not check, 130 interrupted

nox builds and runs: `nox -s ENVIRONMENT` checks or builds a venv and runs its commands, `nox -s lock`
regenerates locks. `nox-envs COMMAND --help` shows examples."""


class Parser(argparse.ArgumentParser):
    """Suggest the nearest option for one that is not known; a mistake raises NoxEnvsError."""

    def parse_known_args(  # type: ignore[override]  # of all the ways to call it argparse uses one
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read all words; one that nothing takes is an error."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            options = [option for action in self._actions for option in action.option_strings]
            near = nearest(left[0].partition("=")[0], options) if left[0].startswith("-") else ""
            hint = f" (did you mean {near}?)" if near else ""
            self.error(f"unrecognized arguments: {' '.join(left)}{hint}")
        return found, left

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words of the command line, which may come from anywhere."""
        raise NoxEnvsError(f"{self.format_usage()}{self.prog}: error: {harmless(message)}")

    def add_environments(self) -> None:
        """Add the environments that a command is about."""
        text = "an environment, one of its sessions, or a pattern such as 'tests*' (default: all)"
        self._complete(self.add_argument("environments", nargs="*", metavar="ENVIRONMENT", help=text))

    def add_environment(self) -> None:
        """Add the one environment that a command is about."""
        text = "an environment, or one of its sessions"
        self._complete(self.add_argument("environment", metavar="ENVIRONMENT", help=text))

    def _complete(self, action: argparse.Action) -> None:
        action.completer = _sessions  # type: ignore[attr-defined]  # argcomplete reads it

    def add_format(self, *names: str) -> None:
        """Add the choice between formats, of which the first is the default."""
        self.add_argument("--format", choices=names, default=names[0], help=f"default: {names[0]}")

    def add_drift_options(self) -> None:
        """Add the words that `nox-envs drift` and `nox -s drift --` take."""
        self.add_environments()
        text = "compare installed files with their RECORD: none, those that changed in size or time, or all"
        self.add_argument("--files", choices=FILES_MODES, help=text)
        self.add_report_options()

    def add_report_options(self) -> None:
        """Add the words of every command that ends in a report."""
        self.add_format(*FORMATS)
        text = "error (default), warning, note, or a kind of finding; several with commas"
        add = self.add_argument
        add("--fail-on", type=fail_conditions, default=("error",), metavar="WHAT", help=text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    `argv` are the words after the program's name. 0 means clean, 1 drift, 2 could not check, 130 interrupted.
    """
    write_anything()
    if argv is None:
        # A process of its own creates some hundred thousand values, hardly any in a cycle, and is gone.
        gc.set_threshold(200_000)
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        if argv is None:
            # What Python does at its end takes as long as a check of two venvs.
            os._exit(code)
    except NoxEnvsError as error:
        print(harmless(str(error)), file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Discard what is left for stdout, whose reader is gone; the interpreter would complain when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        print(harmless(f"{error.filename or 'nox-envs'}: {error.strerror or error}"), file=sys.stderr)
        return 2
    return code


def _run(words: list[str]) -> int:
    parser = Parser(
        prog="nox-envs",
        description="Check and show what envs.yaml declares and what is installed.",
        epilog=_EPILOG,
        formatter_class=_HELP,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(prog=parser.prog, dest="command", metavar="COMMAND", parser_class=Parser)
    valued = ("--spec", "--envdir", "--color")  # options may stand before the command
    at = next((at for at, word in enumerate(words) if word in VERBS and words[at - 1] not in valued), 0)
    words = [*words[at : at + 1], *words[:at], *words[at + 1 :]]
    asked_for = next((word for word in words if not word.startswith("-")), "")
    for name in [asked_for] if asked_for in VERBS else VERBS:  # the others are not needed
        about, run, example = VERBS[name]
        epilog = f"example: nox-envs {example}"
        one = commands.add_parser(name, help=about, epilog=epilog, formatter_class=_HELP)
        one.set_defaults(run=run)
        _add_options(name, one)
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete  # nox brings it

        argcomplete.autocomplete(parser)
    if asked_for in _ELSEWHERE:
        parser.error(f"{asked_for!r} is a command of nox; run: {_ELSEWHERE[asked_for]}")
    if asked_for and asked_for not in VERBS:
        hint = did_you_mean(asked_for, VERBS) or "nox-envs --help lists them"
        parser.error(f"no command {asked_for!r} ({hint})")
    asked = parser.parse_args(words)
    if asked.version:
        from importlib.metadata import version

        print(f"nox-envs {version('nox-envs')}")
        return 0
    if asked.command:
        asked.colour = wants_colour(sys.stdout, os.environ, asked.color)
        return int(asked.run(asked))
    parser.print_help(sys.stderr)
    return 2


def _add_options(verb: str, parser: Parser) -> None:
    add = parser.add_argument
    add("--spec", type=Path, help="the spec (default: envs.yaml here or in a folder above)")
    add("--envdir", default=".nox", help="where nox keeps venvs (default: .nox)")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")
    add("-q", "--quiet", action="store_true", help="say only what is wrong")
    match verb:
        case "check":
            parser.add_environments()
        case "list":
            parser.add_environments()
            parser.add_format("text", "json")
        case "drift":
            parser.add_drift_options()
        case "report":
            add("paths", nargs="+", type=Path, metavar="PATH", help="a JSON report, or a folder of them")
            parser.add_report_options()
        case "completion":
            add("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")
        case "freeze":
            parser.add_environment()
            add("--all", action="store_true", help="with the packages that the venv's creator put there")
        case "activate":
            parser.add_environment()
            add("--shell", help="bash, zsh, fish, csh or pwsh (default: from $SHELL)")
        case "matrix":
            parser.add_environments()
            parser.add_format("json", "github")
            add("--tag", action="append", default=[], help="only sessions with this tag")
            add("--shard", default="1/1", metavar="I/N", help="only part I of N")
            add("--runner", default="", help="the runner where an environment has no runs_on")
        case "diff":
            parser.add_format("text", "json", "markdown")
            add("old", metavar="OLD", help="a lock, a folder of locks, a git revision (main:)")
            add("new", metavar="NEW", nargs="?", help="the same (default: OLD's path in the working tree)")
        case "schema":
            add("--report", action="store_true", help="the schema of JSON reports instead")
        case "init":
            add("--print", action="store_true", help="print the spec and write nothing")


def _sessions(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return what can stand for an ENVIRONMENT, for the completion of a shell."""
    rows = _project(parsed_args).rows
    return [*dict.fromkeys(name for row in rows for name in (row.environment, row.session))]


def _spec_path(asked: argparse.Namespace) -> Path:
    """Return the spec that is asked for, or the nearest envs.yaml in this folder or above."""
    if asked.spec:
        path = Path(asked.spec).absolute()
        return path / _SPEC if path.is_dir() else path
    here = Path.cwd()
    specs = (folder / _SPEC for folder in (here, *here.parents))
    return next((spec for spec in specs if spec.is_file()), here / _SPEC)


def _project(asked: argparse.Namespace) -> Project:
    from nox_envs.project import Project

    return Project(_spec_path(asked), envdir=asked.envdir, environ=os.environ, today=strftime("%Y-%m-%d"))


def _say(asked: argparse.Namespace, text: str) -> None:
    if not asked.quiet:
        print(harmless(text), file=sys.stderr)


def check(project: Project, asked: argparse.Namespace, say: Callable[[str], None]) -> tuple[int, str]:
    """Check locks for `nox-envs check` and `nox -s lock -- --check`; return the exit code and a summary."""
    from nox_envs.drift import check_locks
    from nox_envs.report.text import finding_lines

    report, summary = check_locks(project, tuple(asked.environments))
    for line in finding_lines(report.findings, colour=asked.colour):
        say(line)
    if report.problems:
        raise NoxEnvsError("\n".join(report.problems))
    return verdict(report, strict=False)[0], harmless(summary)


def _check(asked: argparse.Namespace) -> int:
    code, summary = check(_project(asked), asked, print)
    if code or not asked.quiet:
        print(summary, file=sys.stderr)
    return code


def _list(asked: argparse.Namespace) -> int:
    project, names, problems = _project(asked), tuple(asked.environments), list[Problem]()
    if asked.format == "text":
        rows = project.select_rows(names)
        width = max((len(row.session) for row in rows), default=0)
        for row in rows:
            print(harmless(f"{row.session:{width}}  {row.description}".rstrip()))
        return 0
    from nox_envs.report.json import json_text

    plain = ("environment", "session", "python", "description", "tags")
    sessions = [
        {
            **{name: getattr(point, name) for name in plain},
            "axes": dict(point.axes),
            "lock": _lock_of(project, point, problems)[0],
            "location": project.shown(project.location(point.session)),
            "built": project.location(point.session).is_dir(),
        }
        for point in project.select(names)
    ]
    sys.stdout.write(json_text({"schema": 1, "sessions": sessions}))
    if problems:
        raise FileProblems(problems)
    return 0


def _lock_of(project: Project, point: Point, problems: list[Problem]) -> tuple[str, str]:
    try:
        plan = project.plan_of(point)
        return plan.path, project.lock_digest(plan)
    except FileProblems as error:
        problems += error.problems
        return "", ""


def _drift(asked: argparse.Namespace) -> int:
    from nox_envs.drift import check_drift

    project = _project(asked)
    if asked.envdir != ".nox" and not (project.root / asked.envdir).is_dir():
        _say(asked, f"note: --envdir: no folder {asked.envdir}")
    # Nothing else takes long enough to be worth the thread.
    with progress(sys.stderr, "comparing files" if asked.files else ""):
        report = check_drift(project, tuple(asked.environments), files=asked.files)
    return _conclude(report, asked)


def _report(asked: argparse.Namespace) -> int:
    from nox_envs.report.json import gather

    points = _project(asked).points if asked.spec else ()
    return _conclude(gather(tuple(asked.paths), [one for one in points if one.default]), asked)


def _conclude(report: Report, asked: argparse.Namespace) -> int:
    from nox_envs.report import render
    from nox_envs.values import replace

    if asked.format not in ("text", "json") and isinstance(sys.stdout, io.TextIOWrapper):
        # These go to files and services, not to a terminal.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if asked.quiet and asked.format == "text":
        wrong = tuple(one for one in report.environments if one.status != "clean")
        report = replace(report, environments=wrong)
    sys.stdout.write(render(report, asked.format, colour=asked.colour))
    if asked.format == "github":
        from nox_envs.report.markdown import write_summary

        sys.stderr.write(write_summary(report, os.environ))
    code, reason = verdict(report, strict=bool(os.environ.get("CI")), fail_on=asked.fail_on)
    if code == 2:
        print(harmless(reason), file=sys.stderr)
    return code


def _built(asked: argparse.Namespace) -> tuple[Project, Point, Path]:
    project = _project(asked)
    points = project.select((asked.environment,))
    if len(points) > 1:
        sessions = ", ".join(repr(point.session) for point in points)
        raise NoxEnvsError(f"{asked.environment!r} has several venvs; name one of {sessions}")
    location = project.location(points[0].session)
    if not (location / "pyvenv.cfg").is_file():
        raise NoxEnvsError(f"{asked.environment!r} is not built; run: {run_command(points[0].session)}")
    return project, points[0], location


def _freeze(asked: argparse.Namespace) -> int:
    from nox_envs.venv.compare import named
    from nox_envs.venv.receipt import read_receipt
    from nox_envs.venv.snapshot import SEEDS, freeze_lines, take

    project, point, location = _built(asked)
    receipt, snapshot = read_receipt(location), take(location)
    seeds = {one.name for one in receipt.distributions if one.seed} if receipt else {*SEEDS}
    left = set[str]() if asked.all else seeds
    own = named(project.own(point), snapshot)
    if own and own.mode == "wheel":  # the file that it was installed from is gone
        print(f"# {own.name}: this project, installed from a wheel of its sources", file=sys.stderr)
        left.add(own.name)
    sys.stdout.write("".join(f"{harmless(line)}\n" for line in freeze_lines(snapshot, without=left)))
    return 0


def _activate(asked: argparse.Namespace) -> int:
    from nox_envs.activate import activation

    shell = asked.shell or os.environ.get("SHELL") or ("pwsh" if sys.platform == "win32" else "sh")
    print(activation(shell, _built(asked)[2]))
    return 0


def _matrix(asked: argparse.Namespace) -> int:
    from nox_envs.ci import matrix_rows, parse_shard, render_matrix

    shard, project, problems = parse_shard(asked.shard), _project(asked), list[Problem]()
    points = project.select(tuple(asked.environments))
    named = asked.environments or asked.tag
    jobs = matrix_rows(
        points if named else [point for point in points if point.default],  # as a bare `nox` runs them
        tags=asked.tag,
        runner=asked.runner or ("ubuntu-latest" if asked.format == "github" else ""),
        shard=shard,
        envdir=asked.envdir,
        lock_of=lambda point: _lock_of(project, point, problems),
    )
    sys.stdout.write(render_matrix(jobs, asked.format))
    if problems:
        raise FileProblems(problems)
    return 0


def _diff(asked: argparse.Namespace) -> int:
    from nox_envs.diff import diff, render_diff

    project = _project(asked) if _spec_path(asked).is_file() else None
    found = diff(Path.cwd(), asked.old, asked.new, project=project, env=os.environ)
    sys.stdout.write(render_diff(found, asked.format, colour=asked.colour))
    return 1 if found.different else 0


def _completion(asked: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode  # nox brings it

    print(shellcode(["nox-envs"], shell=asked.shell))
    return 0


def _schema(asked: argparse.Namespace) -> int:
    from nox_envs.files import read_text
    from nox_envs.report.json import json_text
    from nox_envs.spec.keys import json_schema

    file = Path(__file__).parent / "report/schema.json"
    sys.stdout.write(read_text(file, shown=file.name) if asked.report else json_text(json_schema()))
    return 0


def _init(asked: argparse.Namespace) -> int:
    from nox_envs.init import survey, write

    spec = Path(asked.spec or _SPEC).absolute()
    draft, notes = survey(spec.parent, spec=spec.name, environ=os.environ)
    for note in notes:
        _say(asked, f"note: {note}")
    if asked.print:
        sys.stdout.write(draft)
        return 0
    for line in write(draft, spec, shown=str(asked.spec or _SPEC)):
        _say(asked, line)
    return 0


# Each command with a line of help, what it does, and an example.
VERBS = {
    "check": ("check the spec and its locks", _check, "check tests"),
    "list": ("list the sessions of environments", _list, "list --format json"),
    "drift": ("compare spec, locks, venvs and installed files", _drift, "drift 'tests*' --files all"),
    "freeze": ("print what a venv has, as requirements", _freeze, "freeze tests > installed.txt"),
    "diff": ("show what changed between locks", _diff, "diff main: --format markdown"),
    "report": ("join the JSON reports of many jobs", _report, "report jobs/ --format html"),
    "matrix": ("print the jobs of a CI matrix", _matrix, "matrix --format github --shard 2/5"),
    "activate": ("print the line that activates a venv", _activate, "activate tests --shell fish"),
    "completion": ("print the completion for a shell", _completion, "completion fish | source"),
    "schema": ("print the JSON Schema of envs.yaml", _schema, "schema > envs.schema.json"),
    "init": ("write a spec from what the project has", _init, "init --print"),
}
