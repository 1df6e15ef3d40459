"""Owns the asking of indexes: which of them about which packages, and what to say where none answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from nox_envs.errors import NoxEnvsError
from nox_envs.index.advisories import read_release
from nox_envs.index.comparison import files_of
from nox_envs.index.credentials import bare
from nox_envs.index.fetching import LATE, Answer, Fetcher
from nox_envs.index.pages import ACCEPT, read_page
from nox_envs.index.types import Page, Vulnerability
from nox_envs.pins import redact
from nox_envs.values import replace, value

_SHOWN = 5
_PROBES = 3


@value
class Question:
    """Ask about one package, a canonical name, and these versions of it, at indexes in their order.

    With `merged` every index is asked, else the first that has the package is the last one.
    """

    name: str
    versions: tuple[str, ...]
    indexes: tuple[str, ...]
    merged: bool = False


@value
class Told:
    """Hold what indexes said, and notes on what they did not; `complete` tells that all was answered.

    `served` tells that an index also serves advisories, and did so for all that was asked.
    """

    pages: tuple[Page, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool = False
    served: bool = False


class _Round:
    """Collect what is still asked, what came, and why some of it did not."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.failed: dict[tuple[str, str], list[str]] = {}
        self.unknown: list[str] = []

    def fail(self, index: str, reason: str, name: str) -> None:
        """Remember that an index did not tell of a package, and why."""
        self.failed.setdefault((redact(bare(index)), reason), []).append(name)


def ask_pages(questions: tuple[Question, ...], fetcher: Fetcher) -> Told:
    """Ask indexes for the pages of packages (PEP 503, PEP 691); what is missing is told in notes."""
    collected = _Round()
    asked = questions
    turn = 0
    known: set[str] = set()
    while asked:
        urls = tuple(f"{bare(one.indexes[turn])}/{one.name}/" for one in asked)
        following: list[Question] = []
        for question, answer in zip(asked, fetcher.fetch(urls, ACCEPT), strict=True):
            came = _take(question, question.indexes[turn], answer, collected)
            known |= {question.name} if came else set()
            last = turn + 1 == len(question.indexes)
            if not last and (question.merged or (not came and answer.missing)):
                following.append(question)
            elif last and answer.missing and question.name not in known:
                collected.unknown.append(question.name)
        asked, turn = tuple(following), turn + 1
    notes = tuple(_notes(collected, questions))
    return Told(pages=tuple(collected.pages), notes=notes, complete=not notes)


def _take(question: Question, index: str, answer: Answer, collected: _Round) -> bool:
    """Take the page that an index gave; return whether it gave one."""
    if answer.missing:
        return False
    if answer.failure:
        collected.fail(index, answer.failure, question.name)
        return False
    try:
        page = read_page(answer.media_type, answer.body, name=question.name, index=bare(index))
    except NoxEnvsError as error:
        collected.fail(index, f"the answer {error}", question.name)
        return False
    collected.pages.append(page)
    return True


def _notes(collected: _Round, questions: tuple[Question, ...]) -> Iterator[str]:
    for (index, reason), names in collected.failed.items():
        more = "; --online-timeout SECONDS gives it more time" if reason == LATE else ""
        yield f"the index {index} could not be asked about {_some(names)}: {reason}{more}"
    if collected.unknown:
        yield f"no index that was asked has {_some(collected.unknown)}"
    failed = {name for names in collected.failed.values() for name in names}
    gone = [
        f"{question.name} {version}"
        for question in questions
        for version in question.versions
        if (pages := [page for page in collected.pages if page.name == question.name])
        and question.name not in failed
        and not any(files_of(page.files, version) for page in pages)
    ]
    if gone:
        yield f"locked, but not on the index: {_some(gone)}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def ask_vulnerabilities(
    questions: tuple[Question, ...], told: Told, fetcher: Fetcher, *, needed: bool = True
) -> Told:
    """Ask each index for the advisories on the versions that it has, where it serves such a thing.

    Whether it does is tried with a few of them first; that it does not is told where they are `needed`.
    """
    releases: dict[str, list[tuple[str, str]]] = {}
    versions = {question.name: question.versions for question in questions}
    for page in told.pages:
        asked = releases.setdefault(page.index, [])
        asked += [(page.name, version) for version in versions[page.name] if files_of(page.files, version)]
    found: list[Vulnerability] = []
    silent: list[str] = []
    notes: list[str] = []
    for index, asked in releases.items():
        first = _ask_releases(index, asked[:_PROBES], fetcher)
        if not any(answer is not None for answer in first):
            silent.append(index) if asked else None
            continue
        rest = _ask_releases(index, asked[_PROBES:], fetcher)
        pairs = zip(asked, (*first, *rest), strict=True)
        unanswered = [f"{name} {version}" for (name, version), answer in pairs if answer is None]
        found += [one for answer in (*first, *rest) if answer for one in answer]
        if unanswered:
            notes.append(f"the index {redact(index)} gave no advisories on {_some(unanswered)}")
    if needed and silent:
        notes.append(f"no advisories are served by {' or '.join(map(redact, silent))}{_OTHERWISE}")
    return replace(
        told,
        vulnerabilities=tuple(found),
        notes=(*told.notes, *notes),
        served=told.complete and bool(told.pages) and not notes and not silent,
    )


_OTHERWISE = "; --advisories PATH takes an OSV export"


def _ask_releases(
    index: str, releases: Iterable[tuple[str, str]], fetcher: Fetcher
) -> list[tuple[Vulnerability, ...] | None]:
    """Return the advisories on each release, None where none were served."""
    asked = list(releases)
    base = index.removesuffix("/simple")
    if base == index or not asked:
        return [None] * len(asked)
    urls = tuple(f"{base}/pypi/{name}/{quote(version, safe='')}/json" for name, version in asked)
    answers = fetcher.fetch(urls, "application/json")
    return [_advisories(answer, *release) for answer, release in zip(answers, asked, strict=True)]


def _advisories(answer: Answer, name: str, version: str) -> tuple[Vulnerability, ...] | None:
    try:
        return read_release(answer.body, name=name, version=version)
    except NoxEnvsError:
        return None
