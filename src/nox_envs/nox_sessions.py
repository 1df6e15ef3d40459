"""Sessions in nox: registration, and what a session asks of nox through its public API."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, NoReturn

import nox
import nox.registry
import nox.virtualenv
from nox.command import CommandFailed
from nox.virtualenv import VirtualEnv

from nox_envs.errors import FileProblems, InstallFailed, NoxEnvsError
from nox_envs.host import Host
from nox_envs.memory import Row
from nox_envs.project import Project
from nox_envs.session import SessionRun
from nox_envs.terminal import harmless, progress_on, redact, wants_colour, write_anything
from nox_envs.values import replace

if TYPE_CHECKING:
    import argparse

    from nox_envs.lock.plan import LockPlan
    from nox_envs.lock.run import LockResult
    from nox_envs.report.report import Report
    from nox_envs.spec.types import Command, Pairs

# What a program needs to start at all; `pass_env` adds to it.
_ALWAYS_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS", "CI", "NO_COLOR", "FORCE_COLOR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


def load(spec: str | os.PathLike[str] = "envs.yaml", *, lock: str = "lock", drift: str = "drift") -> None:
    """Register a nox session for every point of a spec, and the sessions `lock` and `drift`.

    `spec` is a file in the folder of the noxfile; `lock` and `drift` rename the built-in sessions. A spec
    with problems prints them and ends nox with exit code 2.
    """
    write_anything()  # nox prints the descriptions of a spec on any terminal
    try:
        project = Project(
            _beside_the_noxfile(spec),
            environ=os.environ,
            reserved=(lock, drift),
            today=time.strftime("%Y-%m-%d"),
        )
        _refuse_clash(project, (lock, drift))
        environments: dict[str, list[Row]] = {}
        for row in project.rows:
            environments.setdefault(row.environment, []).append(row)
        for rows in environments.values():
            _register_environment(project, rows)
        project.remember()
    except NoxEnvsError as error:
        sys.stderr.write(f"{harmless(str(error))}\n")
        raise SystemExit(2) from None
    _register_builtin(project, lock, drift)


def _beside_the_noxfile(spec: str | os.PathLike[str]) -> Path:
    """Return the path of the spec; nox has made the folder of the noxfile the current one."""
    path, here = Path(spec), Path.cwd()
    if path.parent.resolve() != here.resolve():
        raise NoxEnvsError(
            f"{os.fspath(spec)}: the spec must be in the folder of the noxfile, since nox keeps venvs there;"
            f" move it there, and call load({path.name!r})"
        )
    return here / path.name


def _refuse_clash(project: Project, builtin: tuple[str, str]) -> None:
    """Raise NoxEnvsError for a session that the noxfile has and we would replace."""
    if not (written := nox.registry.get()):
        return
    rows = {name: row for row in project.rows for name in (row.session, row.environment)}
    ours = {name: str(project.point(row).place) for name, row in rows.items() if name in written}
    ours |= {name: "a session of nox-envs (load can rename it)" for name in builtin if name in written}
    for name, place in ours.items():
        code = getattr(written[name].func, "__code__", None)
        where = f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else "the noxfile"
        raise NoxEnvsError(f"{where}: the session {name!r} is also {place}; rename one of them")


def _register_environment(project: Project, rows: list[Row]) -> None:
    """Register the sessions of one environment as nox names them: one, one per Python, or parametrized."""
    first = rows[0]
    name = first.environment
    same = len({(row.backend, row.default) for row in rows}) == 1
    if same and _is_matrix(rows) and len({row.requires for row in rows}) == 1:
        _register_matrix(project, rows)
    elif same and _is_python_list(rows):
        requires = _with_python(first)
        _declare(
            _session_of(project, first),
            first,
            name=name,
            python=[row.python or "" for row in rows],
            requires=requires,
        )
    else:
        for row in rows:
            _declare(
                _session_of(project, row), row, name=row.session, python=row.python, requires=row.requires
            )
        if _is_matrix(rows):
            _register_whole(rows)


def _is_matrix(rows: list[Row]) -> bool:
    return all(row.session.startswith(f"{row.environment}(") and row.session.endswith(")") for row in rows)


def _is_python_list(rows: list[Row]) -> bool:
    alike = len({(row.tags, _with_python(row)) for row in rows}) == 1
    return alike and all(row.python and row.session == f"{row.environment}-{row.python}" for row in rows)


def _with_python(row: Row) -> tuple[str, ...]:
    """Return what a row requires with its Python as the placeholder that nox fills in."""
    return tuple(name.replace(row.python, "{python}") if row.python else name for name in row.requires)


def _session_of(project: Project, row: Row) -> Callable[[nox.Session], None]:
    def run(session: nox.Session) -> None:
        _run_point(project, session, row)

    return run


def _register_matrix(project: Project, rows: list[Row]) -> None:
    first = rows[0]
    prefix = len(first.environment) + 1
    by_session = {row.session: row for row in rows}
    parameters = [
        nox.param(row.python, row.session, id=row.session[prefix:-1], tags=list(row.tags)) for row in rows
    ]

    # nox takes `python` out of the parameters, but not under `-P`.
    def run(session: nox.Session, point: str, **_: object) -> None:
        _run_point(project, session, by_session[point])

    parametrized = nox.parametrize(["python", "point"], parameters)(run)
    _declare(parametrized, first, name=first.environment, python=None, requires=first.requires, tags=())


def _register_whole(rows: list[Row]) -> None:
    """Register the environment's name as a session that requires all of its points."""

    def run(session: nox.Session) -> None:
        session.log("every point of this environment has run")

    run.__doc__ = rows[0].description
    sessions = [row.session for row in rows]
    nox.session(name=rows[0].environment, python=False, default=False, requires=sessions)(run)


def _declare(
    run: Callable[[nox.Session], None],
    row: Row,
    *,
    name: str,
    python: str | list[str] | None,
    requires: tuple[str, ...],
    tags: tuple[str, ...] | None = None,
) -> None:
    run.__doc__ = row.description
    nox.session(
        name=name,
        python=python,
        venv_backend=row.backend or "uv",
        reuse_venv=True,
        allow_parallel=True,
        default=row.default,
        requires=list(requires),
        tags=list(row.tags if tags is None else tags),
    )(run)


def _run_point(project: Project, session: nox.Session, row: Row) -> None:
    project.envdir = os.fspath(session.env_dir.parent)
    with _errors_end(session):
        python = session.python if isinstance(session.python, str) else None
        point = project.point(row, session=session.name, python=python)
        run = SessionRun(project, point, _host(session), time.monotonic)
        try:
            run.run()
        finally:
            if os.environ.get("GITHUB_ACTIONS") and run.report:
                from nox_envs.report.report import Report

                _publish(Report(environments=(run.report,)))


@contextmanager
def _signals_interrupt(session: nox.Session) -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what a session runs, as Ctrl-C does, and then nox with their exit code."""
    received: list[int] = []

    def interrupt(number: int, _: object) -> NoReturn:
        received.append(number)
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handled = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in handled if current_thread() is main_thread() else ():
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        if not received:
            raise
        session.warn(f"{session.name}: ended by {signal.Signals(received[0]).name}")
        raise SystemExit(128 + received[0]) from None


@contextmanager
def _errors_end(session: nox.Session) -> Iterator[None]:
    """End the session as failed on an error that a user can cause."""
    try:
        with _signals_interrupt(session):
            yield
    except NoxEnvsError as error:
        session.error(harmless(str(error)))
    except OSError as error:
        session.error(harmless(f"{error.filename or session.name}: {error.strerror or error}"))


def _host(session: nox.Session) -> Host:
    venv = session.virtualenv
    if not isinstance(venv, VirtualEnv):
        session.error("nox-envs checks virtual environments; run without --no-venv and conda backends")
    return Host(
        location=Path(venv.location).absolute(),
        python=str(Path(session.bin, "python.exe" if sys.platform == "win32" else "python").absolute()),
        uv=nox.virtualenv.UV,
        posargs=tuple(session.posargs),
        recreate=partial(_recreate, venv),
        may_install=partial(_may_install, session),
        install=partial(_install, session),
        run=partial(_run_command, session),
        say=partial(session.log, "%s"),
        warn=partial(session.warn, "%s"),
    )


def _recreate(venv: VirtualEnv) -> None:
    venv.reuse_existing = False
    # uv refuses to clear a folder that is not a venv any more.
    shutil.rmtree(venv.location, ignore_errors=True)
    venv.create()


def _may_install(session: nox.Session) -> bool:
    """Return whether nox installs: with `-R` or `--no-install` it leaves a reused venv alone."""
    uv = nox.virtualenv.UV
    return session.run_install(uv, "--version", external=True, silent=True, log=False) is not None


def _install(session: nox.Session, argv: tuple[str, ...]) -> str:
    """Run uv and return what it says; raises InstallFailed with its own words."""
    from tempfile import TemporaryFile

    with TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            # The variable contradicts --verify-hashes, which uv refuses.
            session.run_install(*argv, env={"UV_NO_VERIFY_HASHES": None}, external=True, stderr=said)
            failure = ""
        except CommandFailed as error:
            failure = str(error)
        said.seek(0)
        output = redact(said.read())
    if failure:
        raise InstallFailed(f"uv could not install: {failure}\n{output.strip()}", output=output)
    return output


def _run_command(
    session: nox.Session, command: Command, env: Pairs, pass_env: tuple[str, ...] | None
) -> None:
    """Run a command of the spec in the venv; a failure ends the session."""
    program = command.argv[0]
    directory = Path(command.change_dir) if command.change_dir else None
    if directory is not None and not directory.is_dir():
        session.error(
            f"{command.place}: change_dir: no directory {str(directory)!r}; create it, or name another one"
        )
    if not (command.external or _is_inside(session, program)):
        session.error(
            f"{command.place}: {program!r} is not installed in the venv; add the package that brings it to"
            " the requirements, or write external: true to run the one on this machine"
        )
    with session.chdir(directory) if directory else nullcontext():
        try:
            session.run(
                *command.argv,
                env={**_passed(pass_env, os.environ), **dict(env)},
                include_outer_env=pass_env is None,
                success_codes=command.success_codes,
                external=True,
            )
        except CommandFailed as error:
            if error.return_code is None:
                session.error(f"{command.place}: {program!r} is not on this machine; install it")
            if not command.allow_failure:
                raise
            session.warn(f"{session.name}: {program} failed, which the spec allows")


def _is_inside(session: nox.Session, program: str) -> bool:
    """Return whether a program is in the venv, is one that nox provides, or is written as a path."""
    if Path(program).name != program or program in session.virtualenv.allowed_globals:
        return True
    return shutil.which(program, path=os.pathsep.join(session.bin_paths or ())) is not None


def _passed(patterns: tuple[str, ...] | None, environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the outer variables that `patterns` (with * and ?) let through; all are inherited for None."""
    if patterns is None:
        return {}
    wanted = (*patterns, *_ALWAYS_PASSED)
    return {
        name: content
        for name, content in environ.items()
        if any(fnmatchcase(name, pattern) for pattern in wanted)
    }


def _publish(report: Report, *, annotate: bool = True) -> None:
    """Tell GitHub Actions: annotations on stdout with `annotate`, and the report in the job summary."""
    from nox_envs.report import render
    from nox_envs.report.github import append_summary

    if annotate:
        sys.stdout.write(render(report, "github"))
        sys.stdout.flush()
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        append_summary(report, summary)


# The built-in sessions.


class _HelpShown(Exception):
    """The words after `--` asked for the help, which is printed."""


def _parser(prog: str) -> argparse.ArgumentParser:
    import argparse

    class Words(argparse.ArgumentParser):
        """Read the words after `--`: a mistake is an error of the session, not the end of nox."""

        def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
            raise _HelpShown

        def error(self, message: str) -> NoReturn:
            raise NoxEnvsError(f"{message}\n{self.format_usage().strip()}")

    return Words(prog=prog)


def _register_builtin(project: Project, lock: str, drift: str) -> None:
    def register(name: str, run: Callable[[Project, nox.Session], None]) -> None:
        def builtin(session: nox.Session) -> None:
            with _errors_end(session), suppress(_HelpShown):
                project.envdir = os.fspath(session.env_dir.parent)
                run(project, session)

        builtin.__doc__ = run.__doc__
        nox.session(name=name, python=False, default=False)(builtin)

    register(lock, _lock)
    register(drift, _drift)


def _drift(project: Project, session: nox.Session) -> None:
    """Check every lock and venv: nox -s drift -- [ENVIRONMENT ...] [--format json]."""
    from nox_envs.drift import add_drift_options, check_drift
    from nox_envs.report import render
    from nox_envs.report.report import verdict

    parser = _parser(f"nox -s {session.name} --")
    add_drift_options(parser)
    asked = parser.parse_args(session.posargs)
    told = progress_on(sys.stderr)
    report = check_drift(
        project, tuple(asked.environments), files=asked.files, otherwise="changed", told=told
    )
    sys.stdout.write(render(report, asked.format, colour=_colour()))
    sys.stdout.flush()
    if os.environ.get("GITHUB_ACTIONS"):
        _publish(report, annotate=asked.format == "text")
    code, reason = verdict(report, strict=bool(os.environ.get("CI")), fail_on=asked.fail_on)
    if code:
        session.error(harmless(reason))


def _colour() -> bool:
    environ = os.environ
    return wants_colour(
        sys.stdout,
        choice="auto",
        no_color=environ.get("NO_COLOR", ""),
        force_color=environ.get("FORCE_COLOR", ""),
        term=environ.get("TERM", ""),
    )


def _lock(project: Project, session: nox.Session) -> None:
    """Regenerate locks: nox -s lock -- [ENVIRONMENT ...] [--upgrade] [--check], and more with --help."""
    parser = _parser(f"nox -s {session.name} --")
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--upgrade", "-U", action="store_true", help="take the newest of everything")
    parser.add_argument(
        "--upgrade-package",
        "-P",
        action="append",
        default=[],
        metavar="NAME[==VERSION]",
        help="take the newest of one package, or this version of it; may be repeated",
    )
    parser.add_argument(
        "--check", action="store_true", help="say offline what no longer matches; write nothing"
    )
    parser.add_argument("--dry-run", action="store_true", help="resolve, show the changes, write nothing")
    parser.add_argument("--prune", action="store_true", help="remove locks that nothing declares any more")
    asked = parser.parse_args(session.posargs)
    if not asked.check:
        _regenerate(project, session, asked)
        return
    for name in ("upgrade", "upgrade_package", "dry_run", "prune"):
        if getattr(asked, name):
            raise NoxEnvsError(f"--check changes nothing: run it without --{name.replace('_', '-')}")
    _check_locks(project, session, tuple(asked.environments))


def _check_locks(project: Project, session: nox.Session, names: tuple[str, ...]) -> None:
    from nox_envs.drift import check_locks
    from nox_envs.findings import count_kinds
    from nox_envs.report.text import finding_lines

    checked = check_locks(project, names)
    for line in finding_lines(checked.findings):
        session.warn("%s", line)
    if checked.problems:
        raise FileProblems(checked.problems)
    if failing := [one for one in checked.findings if one.severity == "error"]:
        session.error(f"locks do not match {project.origin}: {count_kinds(failing)}")
    session.log("the locks can be used as they are" if checked.findings else "every lock matches")


def _regenerate(project: Project, session: nox.Session, asked: argparse.Namespace) -> None:
    from nox_envs.drift import orphans
    from nox_envs.lock.run import closing_lines, prune

    chosen = {point.session for point in project.select(tuple(asked.environments))}
    for line in project.outside_settings():
        session.warn("%s", line)
    results = list(_results(project, chosen, asked))
    for line in closing_lines(results):
        session.log("%s", line)
    failed = [result.plan.path for result in results if result.outcome == "failed"]
    broken = {name: error for name, error in project.broken.items() if name in chosen}
    for error in dict.fromkeys(map(str, broken.values())):
        session.warn("%s", harmless(error))
    if asked.prune and not failed and not broken:
        for line in prune(orphans(project), root=project.root, dry_run=asked.dry_run):
            session.log("%s", harmless(line))
    project.forget()
    if failed or broken:
        session.error(f"not locked: {', '.join([*failed, *broken])}")


def _results(project: Project, chosen: set[str], asked: argparse.Namespace) -> Iterator[LockResult]:
    """Lock what can be read, and then what could not be read before, because it includes a new lock."""
    from nox_envs.lock.resolve import LockRun
    from nox_envs.lock.run import lock_all

    own = project.composer.project
    run = LockRun(
        root=project.root,
        project=own.name,
        settings=own.uv_settings,
        environ=os.environ,
        uv=nox.virtualenv.UV,
        python=sys.executable,
        upgrade=asked.upgrade,
        packages=tuple(asked.upgrade_package),
        bases=project.bases,
        lock_of=project.lock_of,
        replan=project.replan,
        dry_run=asked.dry_run,
        jobs=max(8, 2 * (os.cpu_count() or 1)),
    )
    done: set[tuple[str, ...]] = set()
    again = True
    while again and (plans := _chosen_plans(project, chosen, done)):
        again = bool(project.broken)
        run = replace(run, plans=plans, packages=() if done else run.packages)
        yield from lock_all(run, progress_on(sys.stderr))
        done |= {plan.files for plan in plans}
        if again:
            project.forget()


def _chosen_plans(project: Project, chosen: set[str], done: set[tuple[str, ...]]) -> tuple[LockPlan, ...]:
    plans = (plan for plan in project.plans if plan.files not in done)
    return tuple(plan for plan in plans if any(point.session in chosen for point in plan.points))
