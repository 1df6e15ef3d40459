"""One run of uv: a plan becomes a lock."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from nox_envs.errors import NoxEnvsError
from nox_envs.lock.pins import IMPLEMENTATIONS, Pin, direct_reference, local_path, source_of_url
from nox_envs.lock.plan import LockPlan, floor, header_of, is_open, via_entry
from nox_envs.lock.text import Lock, constraints_of, parse_lock, render_pylock, requirement_line
from nox_envs.processes import Completed, run
from nox_envs.requirements.text import Declared, read_requirement, requirement_text
from nox_envs.spec.words import canonical_name, parse_platform, parse_python
from nox_envs.terminal import holds_credentials, redact
from nox_envs.values import replace, value

# A package without dependencies, whose pin shows the marker of all Pythons and platforms of a lock.
_BOUNDS = "nox-envs-bounds"
_COMPILE = ("pip", "compile", "--no-progress", "--color=never", "--no-header", "--no-sources", "--universal")
# Variables that change what uv resolves.
_VARIABLES = (
    r"UV_(?:(?:BUILD_)?CONSTRAINT|CONFIG_FILE|(?:DEFAULT_|EXTRA_)?INDEX(?:_URL|_STRATEGY)?|EXCLUDE(?:_NEWER)?"
    r"|FIND_LINKS|FORK_STRATEGY|NO_B\w+|NO_CONFIG|OVERRIDE|PRERELEASE|RESOLUTION|TORCH_BACKEND)"
)
# What uv says of the interpreter that builds, and of the bounds.
_NEEDLESS = (
    r"\n+hint: While the active Python version is [^\n]*"
    r"| and (?:implementation_name|platform_python_implementation) == '\w+'"
)
# What to write in place of an entry of [tool.uv.sources].
_INSTEAD = {
    "index": "the index {index!r} under indexes",
    "git": "{name} @ git+{git}",
    "url": "{name} @ {url}",
    "path": "./{path}",
}
_WORD = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_SECRET = "a URL with credentials; leave them to netrc, the keyring or the environment"


@value
class LockRun:
    """What to lock, `jobs` at a time, and with what.

    `root` is the spec's directory, `project` the canonical name of the project there (empty: unknown),
    `settings` its `[tool.uv]`, `environ` the variables that the programs run with. `upgrade` gives up all
    pins, `packages` (`NAME`, `NAME==VERSION`) those of some.

    `bases` returns the plans whose locks constrain a plan, in the order of its layers; `lock_of` its lock on
    disk; `replan` the plan composed again, after what it builds on was written; none of them is called twice
    at a time.
    """

    plans: tuple[LockPlan, ...] = ()
    root: Path
    project: str = ""
    settings: Mapping[str, object]
    environ: Mapping[str, str]
    uv: str
    python: str
    upgrade: bool = False
    packages: tuple[str, ...] = ()
    bases: Callable[[LockPlan], tuple[LockPlan, ...]]
    lock_of: Callable[[LockPlan], Lock | None]
    replan: Callable[[LockPlan], LockPlan]
    dry_run: bool = False
    jobs: int = 8

    @property
    def upgraded(self) -> frozenset[str]:
        """Return the canonical names of `packages`; raises Invalid for one that is not a requirement."""
        return frozenset(read_requirement(text).name for text in self.packages)


@value
class Job:
    """A plan to resolve in an empty folder, the pins of its old lock, and the locks that constrain it."""

    plan: LockPlan
    run: LockRun
    folder: Path
    kept: tuple[Pin, ...] = ()
    layers: tuple[Lock, ...] = ()


@value
class Resolved:
    """A lock, the text of its pylock (empty: not asked for), and what uv warns of."""

    lock: Lock
    pylock: str = ""
    warnings: tuple[str, ...] = ()


def resolve(job: Job) -> Resolved:
    """Resolve a plan with uv; raises NoxEnvsError with uv's reason, or for what no lock may hold."""
    plan, settings = job.plan, job.run.settings
    refuse_sourced(plan, settings, [one.name for one in plan.requirements if not one.url and not one.path])
    found = _solve(job)
    refuse_sourced(plan, settings, [pin.name for pin in found.lock.pins if pin.source.kind == "index"])
    lock = replace(found.lock, header=header_of(job.plan))
    return replace(found, lock=lock, pylock=_pylock(job, lock) if job.plan.pylock else "")


def _solve(job: Job) -> Resolved:
    plan, name = job.plan, job.run.project
    if not plan.requirements and plan.own is None:
        return Resolved(lock=Lock(origin=plan.path, header=(), pins=()))
    commits, own = _commits(job), None
    point = next((one for one in plan.points if one.package.mode != "none"), None)
    if name and point and not plan.own and all(one.path != "." for one in plan.requirements):
        # This project takes part where its own tools require it.
        whole = Declared(name=name, path=".", extras=point.package.extras, place=point.place)
        own = replace(job, plan=replace(plan, own=whole))
    try:
        found = _compile(job, commits)
    except NoxEnvsError as failure:
        if own and name in re.findall(_WORD, str(failure).lower()):
            return _solve(own)
        if not commits:
            raise
        found = _compile(job, {})
        warning = "the locked commits cannot stay, so the newest ones of the branches are locked"
        found = replace(found, warnings=(*found.warnings, warning))
    return _solve(own) if own and any(pin.name == name for pin in found.lock.pins) else found


def _commits(job: Job) -> dict[str, str]:
    """Return the URLs of branches and tags that are locked, and the same with their commits."""
    kept = [pin for pin in job.kept if not job.run.upgrade and pin.name not in job.run.upgraded]
    pins = [*kept, *(pin for layer in job.layers for pin in layer.pins)]
    locked = {entry.partition(": ")[2]: pin.source.revision for pin in pins for entry in pin.via}
    commits: dict[str, str] = {}
    for one in (*job.plan.requirements, *job.plan.constraints):
        if one.url and (revision := locked.get(redact(requirement_text(one)))):
            commits[one.url] = direct_reference(replace(source_of_url(one.url), revision=revision))
    return commits


def _compile(job: Job, commits: Mapping[str, str]) -> Resolved:
    files = _write_input(job, commits)
    output = job.folder / "lock.txt"
    # uv prefers the pins in its output file, and would take the metadata of folders from its cache.
    preferred = [requirement_line(pin) for pin in job.kept if pin.source.kind == "index"]
    output.write_text("\n".join(preferred), encoding="utf-8")
    folders = [one.name for one in (*job.plan.requirements, job.plan.own) if one and one.path]
    options = [f"--output-file={output}", "--generate-hashes", "--annotation-style=split"]
    options += ["--upgrade"] if job.run.upgrade else []
    options += [f"--upgrade-package={text}" for text in job.run.packages]
    again = () if job.run.environ.get("UV_OFFLINE") else refresh_options(folders)
    done = _run(job, "all.in", *options, *again)
    if done.returncode:
        raise NoxEnvsError(_explained(job, files, done))
    pins = tuple(_pins(job, files, done.stdout))
    warnings = [_told(job, files, text) for text in re.findall(r"(?m)^warning: (.+)$", done.stderr)]
    return Resolved(lock=Lock(origin=job.plan.path, header=(), pins=pins), warnings=tuple(warnings))


def _run(job: Job, source: str, *options: str) -> Completed:
    shared, folder = job.run, job.folder
    argv = (shared.uv, *_COMPILE, str(folder / source), f"--project={folder}", *options)
    argv += (f"--python-version={floor(job.plan)}", *source_options(job.plan), *resolution_options(job.plan))
    argv += (f"--build-constraints={folder / 'build.in'}",) if job.plan.build_constraints else ()
    environ = {**shared.environ, "UV_NO_WRAP": "1"}
    # A given interpreter saves uv a search, but what has to be built may need one that the lock is for.
    done = run((*argv, f"--python={shared.python}"), cwd=shared.root, env=environ)
    if done.returncode and "build" in done.stderr.lower():
        done = run(argv, cwd=shared.root, env=environ)
    return done


def index_options(plan: LockPlan) -> Iterator[str]:
    """Yield the options of uv that say where packages come from."""
    for number, (name, url) in enumerate(plan.indexes, 1):
        # The last index takes the place of uv's default.
        yield f"--{'default-' if number == len(plan.indexes) else ''}index={name}={url}"


def source_options(plan: LockPlan) -> Iterator[str]:
    """Yield the options of uv that say where packages come from, and in which form."""
    yield from index_options(plan)
    yield from (f"--only-binary={name}" for name in plan.points[0].only_binary)
    yield from (f"--no-binary={name}" for name in plan.points[0].no_binary)


def resolution_options(plan: LockPlan) -> Iterator[str]:
    """Yield the options of uv that say which versions it chooses."""
    point = plan.points[0]
    if point.resolution != "highest":
        yield f"--resolution={point.resolution}"
    if point.exclude_newer:
        yield f"--exclude-newer={point.exclude_newer.than}"
        yield from (f"--exclude-newer-package={name}=false" for name in point.exclude_newer.exempt)
    if point.allow_prereleases is True:
        yield "--prerelease=allow"
    else:
        yield from (f"--prerelease-package={name}=allow" for name in point.allow_prereleases or ())


def refresh_options(folders: Iterable[str]) -> list[str]:
    """Return the options that make uv read local folders again, not its cache (names, empty: unknown)."""
    return sorted({f"--refresh-package={name}" if name else "--refresh" for name in folders})


def _bounds(plan: LockPlan) -> str:
    pythons = [
        f"(python_full_version >= '{'.'.join(map(str, one.version))}'"
        f" and python_full_version < '{one.version[0]}.{one.version[1] + 1}'"
        f" and implementation_name == '{one.implementation}'"
        f" and platform_python_implementation == '{IMPLEMENTATIONS[one.implementation]}')"
        for one in map(parse_python, () if is_open(plan) else plan.pythons)
    ]
    platforms: list[str] = []
    for system, named in map(parse_platform, plan.platforms):
        machine = f" and platform_machine == '{named}'" if named else ""
        platforms.append(f"(sys_platform == '{system}'{machine})")
    return " and ".join(f"({' or '.join(clauses)})" for clauses in (pythons, platforms) if clauses)


def _within(marker: str, bounds: str) -> str:
    """Return a marker without what `bounds`, which it implies, says already."""
    if not bounds or marker == bounds:
        return "" if bounds else marker
    alternatives = " or " in re.sub(r"\([^()]*\)", "", bounds)
    for part in [] if alternatives else re.split(r" and (?![^()]*\))", bounds):
        marker = marker.replace(f"{part} and ", "").replace(f" and {part}", "")
    return read_requirement(f"x ; {marker}").marker


def _write_input(job: Job, commits: Mapping[str, str]) -> dict[str, str]:
    """Write a file for each requirement, which uv's annotations name, and return what a lock has instead."""
    plan, folder = job.plan, job.folder

    def line(one: Declared, bounds: str = "") -> str:
        marker = " and ".join(f"({marker})" for marker in (bounds, one.marker) if marker)
        return uv_line(replace(one, marker=marker, url=commits.get(one.url, one.url)), job.run.root)

    bounds = _bounds(plan)
    # With these variables, uv reads no project file.
    unread = any(job.run.environ.get(name) for name in ("UV_NO_CONFIG", "UV_CONFIG_FILE"))
    asked: dict[str, list[str]] = {}
    for one in (*plan.requirements, *([plan.own] if plan.own else [])):
        asked.setdefault(via_entry(one), []).append(line(one, bounds if unread else ""))
    for one in (*plan.constraints, *constraints_of(job.layers)):
        asked.setdefault(f"-c {one.place.origin}", []).append(line(one))
    files = {f"{number}.in": name for number, name in enumerate(sorted(asked))}
    lines = [f"{'-c' if name.startswith('-c ') else '-r'} {file}" for file, name in files.items()]
    settings = f"environments = {json.dumps([bounds] if bounds else [])}"
    texts = {
        **{file: "\n".join(asked[name]) for file, name in files.items()},
        "all.in": "\n".join([*lines, f"{_BOUNDS} @ {folder.as_uri()} ; {bounds}" if bounds else ""]),
        "build.in": "\n".join(map(line, plan.build_constraints)),
        "pyproject.toml": f'[project]\nname = "{_BOUNDS}"\nversion = "0"\n[tool.uv]\n{settings}',
    }
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    return files


def uv_line(declared: Declared, root: Path) -> str:
    """Return a requirement for uv, without `-e` and hashes; uv tells the name of a path if that is a URL."""
    url = Path(os.path.normpath(root / declared.path)).as_uri() if declared.path else declared.url
    return requirement_text(replace(declared, editable=False, path="", url=url))


def _pins(job: Job, files: Mapping[str, str], text: str) -> Iterator[Pin]:
    """Yield the pins of uv's output as a lock has them; raises NoxEnvsError for what no lock may hold."""
    # A user's own configuration of uv may add index options.
    lines = [line for line in text.split("\n") if not line.startswith("--")]
    pins = parse_lock("\n".join(lines), job.plan.path).pins
    bounds = next((pin.marker for pin in pins if pin.name == _BOUNDS), "")
    hashed = [one for one in job.plan.requirements if one.hashes]
    for pin in pins:
        source = pin.source
        if source.url.startswith("file:") or os.path.isabs(source.url):  # noqa: PTH117, hot
            found = os.path.join(local_path(source.url), source.subdirectory)
            path = os.path.relpath(found, job.run.root).replace(os.sep, "/")
            path = path if path.split("/")[0] in (".", "..") else f"./{path}"
            editable = any(one.editable and one.path == path for one in job.plan.requirements)
            source = source_of_url(path, editable=editable)
        if pin.name == _BOUNDS or (job.plan.own and source.url == "."):
            continue
        if holds_credentials(lines[pin.line - 1]):
            raise NoxEnvsError(f"{pin.name}: {_SECRET}")
        asked = {files[name] for entry in pin.via if (name := re.split(r"[/\\ ]", entry)[-1]) in files}
        via = tuple(sorted(asked | {entry for entry in pin.via if not entry.startswith("-")}))
        marker = _within(pin.marker, bounds) if pin.marker else ""
        # uv does not read the hashes of a requirement.
        strict = [one for one in hashed if via_entry(one) in asked]
        allowed = {digest for one in strict for digest in one.hashes}
        hashes = tuple([digest for digest in pin.hashes if digest in allowed]) if strict else pin.hashes
        pin = replace(pin, source=source, marker=marker, via=via, line=0, hashes=hashes)
        if strict and not hashes:
            wrong = f"no file of {requirement_line(pin)} has one of these hashes (sha256)"
            raise NoxEnvsError(f"{strict[0].place}: {wrong}")
        if source.kind in ("index", "archive") and not hashes and not source.hashes:
            raise NoxEnvsError(f"{requirement_line(pin)}: the index gives no hash, and a lock needs one")
        yield pin


def _pylock(job: Job, lock: Lock) -> str:
    # Behind -e, uv takes quotes for a part of the path.
    lines = [re.sub('^-e "(.*?)"', r"-e \1", requirement_line(pin)) for pin in lock.pins]
    (job.folder / "pins.in").write_text("\n".join(lines), encoding="utf-8")
    (job.folder / "pyproject.toml").write_text("[tool.uv]\n", encoding="utf-8")
    done = _run(job, "pins.in", "--format=pylock.toml", "--no-deps")
    if done.returncode or holds_credentials(done.stdout):
        raise NoxEnvsError(f"{job.plan.pylock}: {_explained(job, {}, done) if done.returncode else _SECRET}")
    return render_pylock(lock, done.stdout)


def _explained(job: Job, files: Mapping[str, str], done: Completed) -> str:
    """Return why uv failed, in the words of the spec, and who asks for what uv names."""
    told = _told(job, files, re.sub(r"(?s)^.*?(?m:^)error: ", "", done.stderr, count=1))
    words = re.findall(_WORD, told.lower())
    asked = [(via_entry(one), one) for one in job.plan.requirements]
    limits = (*job.plan.constraints, *constraints_of(job.layers))
    asked += [(f"constraint {requirement_text(one)}", one) for one in limits]
    lines = [f"{text} ({one.place})" for text, one in asked if one.name in words]
    told = told or f"uv said nothing and ended with code {done.returncode}"
    return "\n  ".join([f"{told}\nasked for by:", *lines]) if lines else told


def _told(job: Job, files: Mapping[str, str], text: str) -> str:
    """Return what uv says without its temporary files, paths of this machine, and credentials."""
    root, folder = job.run.root, f"{job.folder}{os.sep}"
    text = re.sub(r" for split \(markers: (.*)\)", r" for \1", re.sub(_NEEDLESS, "", text))
    paths = {f"{folder}{name}": content for name, content in files.items()}
    for path, instead in {**paths, folder: "", f"{root.as_uri()}/": "./", f"{root}{os.sep}": "./"}.items():
        text = text.replace(path, instead)
    return redact(text).strip()


def outside_settings(environ: Mapping[str, str], settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return a line for each variable that changes what uv resolves, and each setting that does not."""
    counting = sorted(name for name in environ if environ[name] and re.fullmatch(_VARIABLES, name))
    instead = "does not count; write it in envs.yaml"
    return (
        *(f"{name} changes what uv resolves: {redact(environ[name])}" for name in counting),
        *(f"[tool.uv] {name} in pyproject.toml {instead}" for name in settings if name != "sources"),
    )


def refuse_sourced(plan: LockPlan, settings: Mapping[str, object], names: Iterable[str]) -> None:
    """Raise NoxEnvsError for packages that [tool.uv.sources] takes from elsewhere."""
    sources, required = settings.get("sources"), frozenset(names)
    wrong: list[str] = []
    for name, entry in sources.items() if isinstance(sources, Mapping) else ():
        first = entry[0] if isinstance(entry, list) and entry else entry
        keys = first if isinstance(first, dict) else {}
        if canonical_name(name) in required and keys.get("index") not in dict(plan.indexes):
            way = next((text for key, text in _INSTEAD.items() if key in keys), "-e ./ and its folder")
            revision = "".join(f"@{keys[key]}" for key in ("rev", "tag", "branch") if key in keys)
            option, path = "-e " * bool(keys.get("editable")), way.format_map({**keys, "name": name})
            instead = f"{option}{path}{revision}".replace("./.", ".")
            message = "its entry in [tool.uv.sources] does not count; in envs.yaml, write"
            wrong.append(f"{name}: {message} {instead}")
    if wrong:
        raise NoxEnvsError("\n".join(wrong))
