"""Lock files: text to `Lock` and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from nox_envs.errors import FileProblems, Invalid, Place
from nox_envs.files import read_text
from nox_envs.lock.pins import INDEX, Pin, Source, direct_reference, normal_version, source_of_url
from nox_envs.requirements.compose import Composer, Walk
from nox_envs.requirements.project import digest_of
from nox_envs.requirements.text import Declared, Option, read_requirement, read_requirements_file
from nox_envs.spec.types import Pairs, Spec
from nox_envs.spec.words import canonical_name
from nox_envs.terminal import holds_credentials, redact
from nox_envs.values import replace, value

# How the headers of other tools name the command and the Python that a lock was made with.
_COMMAND = r"(?m)^#[^\n]*command:[ ]*\n(?:#[ ]*\n)*#[ ]{2,}(\S[^\n]*)$"
_MADE_FOR = r"(?i)(?:pip-compile with python |\s(?:-p|--python(?:-version)?)[ =])(\d{1,2}\.\d{1,2})"
_MOST_PINS = 20_000
_EXACT = re.compile(r"===?\s*([^\s,*]+)")


@value
class Lock:
    """A lock file, or those of another tool that are installed together.

    `header` is what a lock says of itself, by name, and empty if nox-envs did not generate it. `leaks` are
    what belongs to one machine or person, named without repeating it, each with its place. The others are of
    another tool's lock: the constraints in it, the command that regenerates each file, the Pythons that it
    was made for, and the digest (`sha256:…`) of every file that was read.
    """

    origin: str
    header: Pairs
    pins: tuple[Pin, ...]
    leaks: Pairs = ()
    limits: tuple[Declared, ...] = ()
    commands: Pairs = ()
    pythons: tuple[str, ...] = ()
    digest: str = ""


def parse_lock(text: str, origin: str) -> Lock:
    """Parse the text of a lock, a file whose name is shown as `origin`: any lines that pip takes.

    Raises FileProblems with every line that is not a pin, a hash, an annotation or a comment.
    """
    urls = [(number, line) for number, line in enumerate(text.split("\n"), 1) if "://" in line]
    secret = [number for number, line in urls if holds_credentials(line)]
    lines, wrong = read_requirements_file(redact(text) if secret else text, origin=origin, environ={})
    if len(lines) > _MOST_PINS:
        raise FileProblems([Invalid(f"has more than {_MOST_PINS:,} pins").at(Place(origin=origin))])
    problems, pins, leaks = [*wrong], list[Pin](), list[tuple[str, str]]()
    for line in lines:
        if isinstance(line, Option) and line.kind == "option":
            leaks.append((f"the option {line.text} of an installer", str(line.place)))
            continue
        try:
            if isinstance(line, Option):
                what = f"a lock includes no other file, found {line.text!r}"
                raise Invalid(what, "regenerate the file: nox -s lock")
            pins.append(_pin_of(_named(line, text) if line.path else line))
        except Invalid as invalid:
            problems.append(invalid.at(line.place))
    if problems:
        raise FileProblems(problems)
    leaks += [("credentials in a URL", f"{origin}:{number}") for number in secret]
    local = [pin for pin in pins if pin.source is not INDEX and pin.source.url.startswith(("/", "file:"))]
    leaks += [("the path of a file on one machine", pin.place) for pin in local]
    return Lock(origin=origin, header=read_header(text), pins=tuple(pins), leaks=tuple(leaks))


def read_foreign(root: Path, files: tuple[str, ...], *, environ: Mapping[str, str]) -> Lock:
    """Read locks that another tool writes and that are installed together, and the files that they include.

    `files` are POSIX paths relative to `root`, the spec's directory; `environ` has the values of
    `${VARIABLE}`. Raises FileProblems with every line that cannot be read, or is not a pin.
    """
    composer = Composer(Spec(origin="", sets={}, environments=()), root=root, environ=environ)
    walk = Walk(composer, foreign=True)
    joined: dict[tuple[str, str, Source], Pin] = {}
    with walk.at(Place(origin=files[0])):
        for path in files:
            with walk.at(Place(origin=path)):
                walk.file(path)
        for one in walk.requirements:
            with walk.at(one.place):
                pin = _pin_of(one)
                key = pin.name, pin.version, pin.source
                if key not in joined:
                    joined[key] = pin
                    continue
                known = joined[key]
                either = f"({known.marker}) or ({pin.marker})" if known.marker and pin.marker else ""
                joined[key] = replace(
                    known,
                    marker=known.marker if known.marker == pin.marker else either,
                    extras=tuple(sorted({*known.extras, *pin.extras})),
                    hashes=tuple(sorted({*known.hashes, *pin.hashes})),
                    via=tuple(dict.fromkeys((*known.via, *pin.via))),
                )
    if walk.problems:
        raise FileProblems(walk.problems)
    texts = {path: read_text(root / path, shown=path) for path in composer.files}
    found = [(path, re.search(_COMMAND, text[:4000])) for path, text in texts.items()]
    commands = tuple([(path, redact(command[1])) for path, command in found if command])
    made_for = [one for text in texts.values() for one in re.findall(_MADE_FOR, text[:4000])[:1]]
    universal = any("--universal" in command for _, command in commands)
    leaks = [(one.text + " with credentials" * one.secret, str(one.place)) for one in walk.options]
    return Lock(
        origin=files[0],
        header=(),
        pins=tuple(joined.values()),
        leaks=tuple(leaks),
        limits=tuple(walk.constraints),
        commands=commands,
        pythons=() if universal else tuple(dict.fromkeys(made_for)),
        digest=digest_of(texts),
    )


def _head(text: str) -> str:
    match = re.match(r"(?:#[^\n]*\n)*\n?", text)
    return match[0] if match else ""


def _named(declared: Declared, text: str) -> Declared:
    """Return a local path with the name and version that its comment gives (`./folder  # name==1.0`)."""
    physical = text.split("\n")[declared.place.line - 1 :]
    last = next((one for one in physical if not one.endswith("\\")), "")
    match = re.search(r"\s#\s*([\w.-]+)(==\S+)?\s*$", last)
    return replace(declared, name=canonical_name(match[1]), specifier=match[2] or "") if match else declared


def _pin_of(declared: Declared) -> Pin:
    url = declared.url or declared.path
    exact = _EXACT.fullmatch(declared.specifier)
    if not declared.name or not (exact or url):
        shown = redact(f"{declared.name or url}{declared.specifier}")[:200]
        if declared.name:
            raise Invalid(f"{shown!r} is not a pin", "write name==version")
        hint = "write it behind: ./folder  # name" if declared.path else "write name @ URL"
        raise Invalid(f"{shown!r} does not tell the name of its package", hint)
    return Pin(
        name=declared.name,
        version=exact[1] if exact else "",
        source=source_of_url(url, editable=declared.editable) if url else INDEX,
        extras=declared.extras,
        marker=declared.marker,
        hashes=declared.hashes,
        via=declared.via,
        line=declared.place.line,
        origin=declared.place.origin,
    )


def read_header(text: str) -> Pairs:
    """Return what a lock says of itself in the comments at its top; empty where nox-envs did not write it."""
    lines = [line[2:].partition(": ") for line in _head(text).split("\n")]
    header = tuple([(name, content) for name, colon, content in lines if colon])
    return header if "input" in dict(header) else ()


def render_lock(lock: Lock) -> str:
    """Render a lock: sorted, LF, the same bytes for the same value."""
    head = "".join([f"# {name}: {content}\n" for name, content in lock.header])
    pins = sorted(lock.pins, key=lambda pin: (pin.name, pin.version, requirement_line(pin)))
    return "\n".join(filter(None, (head, "".join(map(_render_pin, pins)))))


def render_pylock(lock: Lock, content: str) -> str:
    """Return the pylock of a lock: uv's `content`, below a header that tells whether one was edited alone."""
    content = content.replace("\r\n", "\n")
    content = content.removeprefix(_head(content)).strip()
    pins = sorted([requirement_line(pin), *sorted(pin.hashes)] for pin in lock.pins)
    return f"{render_lock(replace(lock, pins=()))}# pins: {digest_of([pins, content])}\n\n{content}\n"


def _render_pin(pin: Pin) -> str:
    lines = [requirement_line(pin), *[f"    --hash={digest}" for digest in sorted(pin.hashes)]]
    # pip's format has no other place for the package of a local path.
    name = f"  # {pin.name}{pin.version and f'=={pin.version}'}" if _is_path(pin.source) else ""
    text = " \\\n".join(lines) + f"{name}\n"
    via = sorted(pin.via)
    if len(via) == 1 and ", " not in via[0]:
        return f"{text}    # via {via[0]}\n"
    return text + "".join([f"    {line}\n" for line in ("# via", *[f"#   {asker}" for asker in via]) if via])


def requirement_line(pin: Pin) -> str:
    """Return a pin as one requirement line, without its hashes (PEP 508, or a relative path)."""
    marker = f" ; {pin.marker}" if pin.marker else ""
    extras = f"[{','.join(pin.extras)}]" if pin.extras else ""
    if pin.source.kind == "index":
        return f"{pin.name}{extras}{'==' if normal_version(pin.version) else '==='}{pin.version}{marker}"
    if _is_path(pin.source):
        target = f"{pin.source.url}{extras}"
        quoted = f'"{target}"' if " " in target else target
        return f"-e {quoted}{marker}" if pin.source.editable else f"{target}{marker}"
    return f"{pin.name}{extras} @ {direct_reference(pin.source)}{marker}"


def constraints_of(locks: Iterable[Lock]) -> tuple[Declared, ...]:
    """Return the pins of locks as constraints on another one; a local path is not one."""
    pins = [pin for lock in locks for pin in lock.pins if not _is_path(pin.source)]
    found = [(read_requirement(requirement_line(replace(pin, extras=()))), pin) for pin in pins]
    return tuple([replace(one, place=Place(origin=pin.origin, line=pin.line)) for one, pin in found])


def _is_path(source: Source) -> bool:
    return source.url.startswith((".", "/"))
