"""Sessions in nox: registration, and what a session asks of nox through its public API."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, NoReturn

import nox
import nox.registry
from nox.command import CommandFailed
from nox.virtualenv import UV, VirtualEnv

from nox_envs.errors import InstallFailed, NoxEnvsError
from nox_envs.host import Host
from nox_envs.project import Project, Row
from nox_envs.session import SessionRun
from nox_envs.terminal import harmless, redact, wants_colour, write_anything
from nox_envs.values import replace

if TYPE_CHECKING:
    import argparse

    from nox_envs.cli import Parser
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
# The signals that this process was sent.
_RECEIVED: list[int] = []


def load(spec: str | os.PathLike[str] = "envs.yaml", *, lock: str = "lock", drift: str = "drift") -> None:
    """Register a nox session for every point of a spec, and the sessions `lock` and `drift`.

    `spec` is a file in the folder of the noxfile; `lock` and `drift` rename the built-in sessions. A spec
    with problems prints them and ends nox with exit code 2.
    """
    write_anything()  # nox prints the descriptions of a spec on any terminal
    _end_on_signals()
    path, here = Path(spec), Path.cwd()  # nox has made the folder of the noxfile the current one
    try:
        if path.parent.resolve() != here.resolve():
            raise NoxEnvsError(
                f"{os.fspath(spec)}: the spec must be in the folder of the noxfile, since nox keeps venvs"
                f" there; move it there, and call load({path.name!r})"
            )
        today = time.strftime("%Y-%m-%d")
        project = Project(here / path.name, environ=os.environ, reserved=(lock, drift), today=today)
        _refuse_clash(project, (lock, drift))
        environments: dict[str, list[Row]] = {}
        for row in project.rows:
            environments.setdefault(row.environment, []).append(row)
        for rows in environments.values():
            _register(project, rows)
        project.remember()
    except NoxEnvsError as error:
        sys.stderr.write(f"{harmless(str(error))}\n")
        raise SystemExit(2) from None
    for name, run in ((lock, _lock), (drift, _drift)):
        nox.session(name=name, python=False, default=False)(_builtin(project, run))


def _refuse_clash(project: Project, builtin: tuple[str, str]) -> None:
    if not (written := nox.registry.get()):
        return
    rows = {name: row for row in project.rows for name in (row.session, row.environment)}
    ours = {name: str(project.point(row).place) for name, row in rows.items() if name in written}
    ours |= {name: "a session of nox-envs (load can rename it)" for name in builtin if name in written}
    for name, place in ours.items():
        code = getattr(written[name].func, "__code__", None)
        where = f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else "the noxfile"
        where = "noxfile.py calls load twice" if code and code.co_filename == __file__ else where
        raise NoxEnvsError(f"{where}: the session {name!r} is also {place}; rename one of them")


def _register(project: Project, rows: list[Row]) -> None:
    """Register the sessions of one environment as nox names them: one per Python, parametrized, or single."""
    first, environment = rows[0], rows[0].environment
    by_session = {row.session: row for row in rows}

    # nox takes `python` out of the parameters, but not under `-P`.
    def run(session: nox.Session, point: str = "", **_: object) -> None:
        _run_point(project, session, by_session.get(point or session.name, first))

    def declare(name: str, row: Row, python: str | list[str] | None) -> None:
        nox.session(
            name=name,
            python=python,
            venv_backend=row.backend or "uv",
            reuse_venv=True,
            allow_parallel=True,
            default=row.default,
            requires=list(row.requires),
            tags=list(row.tags),
        )(run)

    run.__doc__ = first.description
    # What a session requires, with its Python as the placeholder that nox fills in.
    required = [
        tuple(name.replace(row.python, "{python}") if row.python else name for name in row.requires)
        for row in rows
    ]
    alike = len({(row.backend, row.default) for row in rows}) == 1
    matrix = all(row.session.startswith(f"{environment}(") and row.session[-1] == ")" for row in rows)
    pythons = all(row.python and row.session == f"{environment}-{row.python}" for row in rows)
    if alike and matrix and len({row.requires for row in rows}) == 1:
        begin = len(environment) + 1
        parameters = [
            nox.param(row.python, row.session, id=row.session[begin:-1], tags=list(row.tags)) for row in rows
        ]
        run = nox.parametrize(["python", "point"], parameters)(run)
        declare(environment, first._replace(tags=()), None)
    elif alike and pythons and len({*required}) == len({row.tags for row in rows}) == 1:
        declare(environment, first._replace(requires=required[0]), [row.python or "" for row in rows])
    else:
        for row in rows:
            declare(row.session, row, row.python)
        if environment not in by_session:

            def whole(session: nox.Session) -> None:
                session.log("every point of this environment has run")

            whole.__doc__ = first.description
            nox.session(name=environment, python=False, default=False, requires=[*by_session])(whole)


def _run_point(project: Project, session: nox.Session, row: Row) -> None:
    project.envdir = os.fspath(session.env_dir.parent)
    with _ending(session):
        python = session.python if isinstance(session.python, str) else None
        point = project.point(row, session=session.name, python=python)
        project.remember()  # in the first run of all, nox has a folder only now
        run = SessionRun(project, point, _host(session), time.monotonic)
        try:
            run.run()
        finally:
            if os.environ.get("GITHUB_ACTIONS") and run.report:
                from nox_envs.report.json import read_report

                _publish(read_report(run.report, origin=session.name))


def _end_on_signals() -> None:
    """Let a signal end what runs, also what nox runs, and then nox with the exit code of the signal."""

    def interrupt(number: int, _: object) -> NoReturn:
        _RECEIVED.append(number)
        raise KeyboardInterrupt

    def end() -> None:
        if _RECEIVED:  # for nox, every interruption is one by Ctrl-C
            sys.stderr.write(f"ended by {signal.Signals(_RECEIVED[0]).name}\n")
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(128 + _RECEIVED[0])

    atexit.register(end)
    for number in [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]:
        if number and current_thread() is main_thread() and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, interrupt)


@contextmanager
def _ending(session: nox.Session) -> Iterator[None]:
    try:
        yield
    except NoxEnvsError as error:
        session.error(harmless(str(error)))
    except OSError as error:
        session.error(harmless(f"{error.filename or session.name}: {error.strerror or error}"))


def _host(session: nox.Session) -> Host:
    venv = session.virtualenv
    if not isinstance(venv, VirtualEnv):
        session.error("nox-envs checks virtual environments; run without --no-venv and conda backends")

    def recreate() -> None:
        venv.reuse_existing = False
        if os.path.islink(venv.location):  # noqa: PTH114, a text already
            os.unlink(venv.location)  # noqa: PTH108
        # uv clears no folder that is not a venv, and the uv of a killed run may still write to one.
        tries = 1_000
        while Path(venv.location).exists() and (tries := tries - 1):
            shutil.rmtree(venv.location, ignore_errors=True)
        venv.create()

    def may_install() -> bool:
        # With `-R` or `--no-install` nox runs nothing that installs into a reused venv.
        return session.run_install(UV, "--version", external=True, silent=True, log=False) is not None

    def say(text: str) -> None:
        for line in text.splitlines():
            session.log("%s", line)

    return Host(
        location=Path(venv.location).absolute(),
        python=str(Path(session.bin, "python.exe" if sys.platform == "win32" else "python").absolute()),
        posargs=tuple(session.posargs),
        recreate=recreate,
        may_install=may_install,
        install=partial(_install, session),
        run=partial(_run_command, session),
        say=say,
        warn=partial(session.warn, "%s"),
    )


def _install(session: nox.Session, argv: tuple[str, ...]) -> None:
    """Run uv and repeat its warnings; raises InstallFailed with its own words."""
    from logging import getLogger
    from tempfile import TemporaryFile

    from nox.logger import OUTPUT

    verbose = getLogger("nox").isEnabledFor(OUTPUT)
    if not verbose:
        session.log("uv %s", " ".join(argv[:2]))
    if os.environ.get("UV_OFFLINE"):  # uv refuses to look again for what it cannot reach
        argv = tuple(option for option in argv if not option.startswith("--refresh"))
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            # The variable contradicts --verify-hashes, which uv refuses.
            env = {"UV_NO_VERIFY_HASHES": None}
            session.run_install(UV, *argv, env=env, external=True, log=verbose, stderr=said)
            failure = ""
        except CommandFailed as error:
            failure = str(error)
        if _RECEIVED:  # nox goes on where a program ends well on a signal
            raise KeyboardInterrupt
        said.seek(0)
        output = redact(said.read())
    if failure:
        raise InstallFailed(f"uv could not install:\n{output.strip() or failure}")
    for line in output.splitlines():
        if line.startswith("warning:"):
            session.warn("%s", line)


def _run_command(session: nox.Session, command: Command, env: Pairs, passed: tuple[str, ...] | None) -> None:
    program, place = command.argv[0], command.place
    directory = Path(command.change_dir) if command.change_dir else None
    if directory is not None and not directory.is_dir():
        session.error(f"{place}: change_dir: no directory {str(directory)!r}; create it, or name another one")
    # In the venv, one that nox provides, or written as a path.
    known = Path(program).name != program or program in session.virtualenv.allowed_globals
    path = os.pathsep.join(session.bin_paths or ())
    if not (command.external or known or shutil.which(program, path=path)):
        session.error(
            f"{place}: {program!r} is not installed in the venv; add the package that brings it to"
            " the requirements, or write external: true to run the one on this machine"
        )
    environ: dict[str, str | None] = {}
    if passed is not None:
        wanted = (*passed, *_ALWAYS_PASSED)
        names = [name for name in os.environ if any(fnmatchcase(name, pattern) for pattern in wanted)]
        environ = {name: os.environ[name] for name in names}
    with session.chdir(directory) if directory else nullcontext():
        try:
            session.run(
                *command.argv,
                env={**environ, **dict(env)},
                include_outer_env=passed is None,
                success_codes=command.success_codes,
                external=True,
            )
        except CommandFailed as error:
            if error.return_code is None:
                session.error(f"{place}: {program!r} is not on this machine; install it")
            if not command.allow_failure:
                raise
            session.warn(f"{session.name}: {program} failed, which the spec allows")
    if _RECEIVED:
        raise KeyboardInterrupt


def _publish(report: Report, *, annotate: bool = True) -> None:
    """Tell GitHub Actions: annotations on stdout with `annotate`, and the report in the job summary."""
    from nox_envs.report import render
    from nox_envs.report.markdown import write_summary

    if annotate:
        sys.stdout.write(render(report, "github"))
        sys.stdout.flush()
    sys.stderr.write(write_summary(report, os.environ))


def _builtin(
    project: Project, run: Callable[[Project, nox.Session, Parser], None]
) -> Callable[[nox.Session], None]:
    def builtin(session: nox.Session) -> None:
        from nox_envs.cli import Parser  # the sessions of environments do not need it

        with _ending(session), suppress(SystemExit):  # argparse has shown its help
            project.envdir = os.fspath(session.env_dir.parent)
            run(project, session, Parser(prog=f"nox -s {session.name} --"))

    builtin.__doc__ = run.__doc__
    return builtin


def _drift(project: Project, session: nox.Session, parser: Parser) -> None:
    """Check every lock and venv: nox -s drift -- [ENVIRONMENT ...] [--format json]."""
    from nox_envs.drift import check_drift
    from nox_envs.report import render
    from nox_envs.report.report import verdict

    parser.add_drift_options()
    asked = parser.parse_args(session.posargs)
    report = check_drift(project, tuple(asked.environments), files=asked.files, otherwise="changed")
    sys.stdout.write(render(report, asked.format, colour=wants_colour(sys.stdout, os.environ)))
    sys.stdout.flush()
    if os.environ.get("GITHUB_ACTIONS"):
        _publish(report, annotate=asked.format == "text")
    code, reason = verdict(report, strict=bool(os.environ.get("CI")), fail_on=asked.fail_on)
    if code:
        session.error(harmless(reason))


def _lock(project: Project, session: nox.Session, parser: Parser) -> None:
    """Regenerate locks: nox -s lock -- [ENVIRONMENT ...] [--upgrade] [--check], and more with --help."""
    from nox_envs.cli import check

    parser.add_environments()
    parser.set_defaults(colour=False)
    add = parser.add_argument
    add("--upgrade", "-U", action="store_true", help="take the newest of everything")
    text, name = "take the newest of one package, or this version of it; may be repeated", "NAME[==VERSION]"
    add("--upgrade-package", "-P", action="append", default=[], metavar=name, help=text)
    add("--check", action="store_true", help="say offline what no longer matches; write nothing")
    add("--dry-run", action="store_true", help="resolve, show the changes, write nothing")
    add("--prune", action="store_true", help="remove locks that nothing declares")
    asked = parser.parse_args(session.posargs)
    if not asked.check:
        _regenerate(project, session, asked)
        return
    for name in ("upgrade", "upgrade_package", "dry_run", "prune"):
        if getattr(asked, name):
            parser.error(f"--check changes nothing: run it without --{name.replace('_', '-')}")
    code, summary = check(project, asked, partial(session.warn, "%s"))
    if code:
        session.error(summary)
    session.log("%s", summary)


def _regenerate(project: Project, session: nox.Session, asked: argparse.Namespace) -> None:
    from nox_envs.drift import orphans
    from nox_envs.lock.run import prune, result_lines

    chosen = {row.session for row in project.select_rows(tuple(asked.environments))}
    for line in project.outside_settings():
        session.warn("%s", line)
    failed: list[str] = []
    result = None
    for result in _results(project, chosen, asked):
        failed += [result.plan.path] if result.outcome == "failed" else []
        for line in result_lines(result):
            session.log("%s", line)
    if result is None and not project.broken:
        session.log("no environment has a lock")
    broken = {name: error for name, error in project.broken.items() if name in chosen}
    for error in dict.fromkeys(map(str, broken.values())):
        session.warn("%s", harmless(error))
    if asked.prune and not failed and not broken:
        found, _ = project.apply(orphans(project), project.spec.drift)
        for line in prune(found, root=project.root, dry_run=asked.dry_run):
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
        uv=UV,
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
    while True:
        left = [plan for plan in project.plans if plan.files not in done]
        plans = tuple(plan for plan in left if any(point.session in chosen for point in plan.points))
        if not plans:
            return
        again = bool(project.broken)
        yield from lock_all(replace(run, plans=plans))
        if not again:
            return
        run = replace(run, packages=())
        done |= {plan.files for plan in plans}
        project.forget()
