"""What uv is told to install, checked on what it leaves in real venvs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nox_envs.errors import FileProblems, InstallFailed, NoxEnvsError, Place
from nox_envs.findings import Finding, finding
from nox_envs.lock.pins import Pin, host_markers
from nox_envs.lock.plan import LockPlan
from nox_envs.lock.text import Lock, parse_lock
from nox_envs.requirements.text import read_requirement
from nox_envs.spec.types import ExcludeNewer, Point
from nox_envs.values import replace
from nox_envs.venv.compare import Checked, Expectation, Own
from nox_envs.venv.install import Uv, build_wheel, fresh, install, needs_recreate, receipt_of, sync
from nox_envs.venv.receipt import Receipt, Recorded
from nox_envs.venv.snapshot import Interpreter, freeze_lines, take
from nox_envs.verify import check_venv
from tests.conftest import Backend, MakeVenv, Venv, uv
from tests.index import Index, write_source

PLACE = Place(origin="envs.yaml", line=1)
POINT = Point(environment="a", session="a", python=None, axes=(), place=PLACE)
ZEROS = "0" * 64


@dataclass(kw_only=True)
class Case:
    """A project with one venv, its lock, and what uv was told."""

    root: Path
    venv: Venv
    lock: Lock | None = None
    point: Point = POINT
    plan: LockPlan = LockPlan(path="", environments=("a",), points=(POINT,), pythons=())
    own: Own | None = None
    wheel: Path | None = None
    receipt: Receipt | None = None
    folders: Callable[[str], str] = lambda folder: ""
    env: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made = fresh(take(self.venv.location))

    def uv(self) -> Uv:
        folder = self.root / "state"
        return Uv(
            python=str(self.venv.python), root=self.root, folder=folder, plan=self.plan,
            wheel=self.wheel, run=self.run,
        )  # fmt: skip

    def run(self, argv: tuple[str, ...]) -> None:
        self.told.append(argv)
        ran = self.venv.machine.run(
            uv(), *argv, cwd=self.root, env={"UV_NO_CONFIG": "0", **self.env}, check=False
        )
        if ran.returncode:
            raise InstallFailed(f"uv failed:\n{ran.output}")

    def locked(self, text: str) -> Case:
        self.lock = parse_lock(text, "requirements/a.txt")
        self.plan = replace(self.plan, path="requirements/a.txt")
        return self

    def check(self) -> Checked:
        project: Any = SimpleNamespace(
            root=self.root, host=host_markers(), own=lambda _: self.own, lock_of=lambda _: self.lock,
            fingerprint=self.folders,
        )  # fmt: skip
        at = self.venv.location
        return check_venv(project, self.point, self.plan, at, self.receipt, files="all", consistency=True)

    def sync(self) -> None:
        sync(self.uv(), self.check())
        self.finish()

    def install(self, **options: object) -> None:
        install(self.uv(), self.own, **options)  # type: ignore[arg-type]
        self.finish()

    def finish(self) -> None:
        checked = self.check()
        self.receipt = receipt_of(checked.snapshot, checked.expectation, self.receipt or self.made)

    def assert_clean(self, *frozen: str) -> None:
        """Check that the venv holds just this, as is expected."""
        assert self.frozen == [*frozen]
        assert self.kinds == []

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(found.kind, found.package) for found in self.check().findings]

    @property
    def frozen(self) -> list[str]:
        return freeze_lines(take(self.venv.location), without={"pip", "setuptools"})


@pytest.fixture
def case(make_venv: MakeVenv, tmp_path: Path) -> Case:
    root = tmp_path / "a project#1"
    root.mkdir()
    return Case(root=root, venv=make_venv("uv"))


def declared(*texts: str) -> tuple[object, ...]:
    return tuple(replace(read_requirement(text), place=PLACE) for text in texts)


def hashed(index: Index, *pins: str) -> str:
    digests = {text: index.sha256(f"{text.replace('==', '-')}-py3-none-any.whl") for text in pins}
    return "".join(f"{text} --hash=sha256:{digest}\n" for text, digest in digests.items())


# From a lock.


@pytest.mark.functional
@pytest.mark.parametrize("backend", ["uv", "virtualenv", "venv"])
def test_one_sync_fills_a_new_venv_and_repairs_an_old_one(
    make_venv: MakeVenv, index: Index, tmp_path: Path, backend: Backend
) -> None:
    case = Case(root=tmp_path, venv=make_venv(backend))
    text = hashed(index, "apple==1.1", "basket==1.0", "press==1.0")
    case.locked(text + 'berry==1.0 ; python_version < "3"\n').sync()
    case.assert_clean("apple==1.1", "basket==1.0", "press==1.0")
    case.venv.install("plum", "apple==1.0")
    case.venv.uninstall("press")
    (case.venv.site / "basket" / "__init__.py").write_text("import os\n")
    assert len(case.kinds) == 4
    assert needs_recreate(case.check().findings, case.check().expectation) == ""
    case.sync()
    case.assert_clean("apple==1.1", "basket==1.0", "press==1.0")
    case.locked("").sync()
    case.assert_clean()


@pytest.mark.functional
def test_a_wrong_hash_is_refused_whatever_uv_is_configured_to_do(
    case: Case, index: Index, tmp_path: Path
) -> None:
    settings = tmp_path / "config" / "uv"
    settings.mkdir(parents=True)
    (settings / "uv.toml").write_text("[pip]\nverify-hashes = false\n")
    case.env = {"XDG_CONFIG_HOME": str(settings.parent)}
    case.locked(f"apple==1.1 --hash=sha256:{ZEROS}\nplum==1.0\n")
    with pytest.raises(InstallFailed, match="Hash mismatch"):
        case.sync()
    assert case.frozen == []
    case.locked(f"{hashed(index, 'apple==1.1').strip()} --hash=sha256:{ZEROS}\n").sync()
    assert case.frozen == ["apple==1.1"]


@pytest.mark.functional
def test_settings_of_the_project_do_not_count_and_those_of_the_user_do(
    case: Case, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case.root / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\n[tool.uv]\nindex-url = "http://127.0.0.1:9"\n'
        'constraint-dependencies = ["apple<1"]\nsources = {apple = {path = "nowhere"}}\n'
    )
    (tmp_path / "config" / "uv").mkdir(parents=True)
    (tmp_path / "config" / "uv" / "uv.toml").write_text(f'index-url = "{index.url}"\n')
    case.env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "UV_DEFAULT_INDEX": ""}
    monkeypatch.delitem(case.venv.machine.env, "UV_DEFAULT_INDEX")
    case.locked("apple==1.1\n").sync()
    assert case.frozen == ["apple==1.1"]
    case.plan = replace(case.plan, path="", requirements=declared("apple"))
    case.install()
    assert case.frozen == ["apple==1.1"]


@pytest.mark.functional
def test_what_was_deleted_comes_from_the_cache_and_needs_no_index(case: Case, index: Index) -> None:
    case.locked(hashed(index, "apple==1.1")).sync()
    (case.venv.site / "apple" / "__init__.py").unlink()
    (case.venv.site / "apple-1.1.dist-info" / "METADATA").unlink()
    case.env = {"UV_OFFLINE": "1"}
    case.sync()
    assert case.kinds == []


@pytest.mark.functional
def test_the_options_of_a_plan_reach_uv(case: Case, index: Index) -> None:
    indexes = tuple((name, index.url) for name in ("one", "two"))
    case.plan = replace(
        case.plan, indexes=indexes, build_constraints=declared("fig<2"),
        points=(replace(POINT, only_binary=("apple",), no_binary=("pear",)),),
    )  # fmt: skip
    case.locked(
        f"{hashed(index, 'apple==1.1')}pear==1.0 --hash=sha256:{index.sha256('pear-1.0.tar.gz')}\n"
    ).sync()
    assert case.frozen == ["apple==1.1", "pear==1.0"]
    expected = {f"--index=one={index.url}", f"--default-index=two={index.url}", "--no-binary=pear"}
    assert expected | {"--only-binary=apple"} <= set(case.told[-1])
    assert any(word.startswith("--build-constraints=") for word in case.told[-1])


@pytest.mark.functional
def test_a_seed_package_that_is_pinned_is_installed_from_the_lock(
    make_venv: MakeVenv, index: Index, tmp_path: Path
) -> None:
    case = Case(root=tmp_path, venv=make_venv("virtualenv"))
    (version,) = [one.version for one in take(case.venv.location).distributions if one.name == "pip"]
    index.release("pip", version)
    case.locked(hashed(index, f"pip=={version}")).sync()
    assert case.kinds == []
    assert (case.venv.site / "pip" / "__init__.py").read_text() == f"__version__ = {version!r}\n"
    assert case.receipt
    assert "pip" not in {one.name for one in case.receipt.distributions if one.seed}


def test_a_build_that_leaves_no_single_wheel_is_an_error(case: Case, tmp_path: Path) -> None:
    (tmp_path / "one-1-py3-none-any.whl").write_text("")
    (tmp_path / "two-1-py3-none-any.whl").write_text("")
    with pytest.raises(NoxEnvsError, match="left 2 wheels"):
        build_wheel(replace(case.uv(), run=lambda argv: None), tmp_path)


# Without a lock.


@pytest.mark.functional
def test_what_is_declared_is_installed_and_then_expected(case: Case, index: Index) -> None:
    index.release("unripe", "1.0")
    index.release("unripe", "1.1rc1")
    case.root = case.root.parent  # uv has no way to write `#` in the path of a folder without a name
    write_source(case.root / "lib", "lib-c", "1.0", requires=("plum<1.1",))
    newer = ExcludeNewer(than="2025-01-01", exempt=("plum",))
    case.plan = replace(
        case.plan, constraints=declared("basket<1.1"),
        points=(replace(POINT, allow_prereleases=("unripe",), exclude_newer=newer),),
        requirements=declared("basket[dried]>=1.0", "unripe", "./lib", "gone ; python_version < '3'"),
    )  # fmt: skip
    case.install(layers=[Pin(name="apple", version="1.1"), Pin(name="raisin", version="1.0", extras=("x",))])
    lib = f"lib-c @ {(case.root / 'lib').as_uri()}"
    expected = ["apple==1.1", "basket==1.0", lib, "plum==1.0", "raisin==1.0", "unripe==1.1rc1"]
    case.assert_clean(*expected)
    case.venv.install("apple==1.0", "press")
    case.venv.uninstall("plum")
    assert case.kinds == [("version", "apple"), ("missing", "plum"), ("extraneous", "press")]
    case.sync()
    case.assert_clean(*expected)


@pytest.mark.functional
def test_a_hash_in_a_requirement_is_enforced_or_refused(case: Case, index: Index) -> None:
    (pinned,) = declared("apple==1.1")
    wrong = replace(pinned, hashes=(f"sha256:{ZEROS}",))
    for requirements, constraints in (((wrong,), ()), (declared("basket"), (wrong,))):
        case.plan = replace(case.plan, requirements=requirements, constraints=constraints)
        with pytest.raises(InstallFailed, match="Hash mismatch"):
            case.install()
    case.plan = replace(case.plan, requirements=(replace(wrong, specifier=">=1"),), constraints=())
    with pytest.raises(FileProblems, match="apple: a hash is only checked where a version is pinned"):
        case.install()
    right = replace(pinned, hashes=(f"sha256:{index.sha256('apple-1.1-py3-none-any.whl')}",))
    case.plan = replace(case.plan, requirements=(right,))
    case.install()
    assert case.frozen == ["apple==1.1"]


@pytest.mark.functional
def test_a_hash_of_a_local_wheel_is_enforced(case: Case, index: Index) -> None:
    wheel = Path(shutil.copy(index.directory / "plum-1.0-py3-none-any.whl", case.root))
    wrong, right = (declared(f"./{wheel.name}#sha256={one}") for one in (ZEROS, index.sha256(wheel.name)))
    case.plan = replace(case.plan, requirements=wrong)
    with pytest.raises(InstallFailed, match="Hash mismatch"):
        case.install()
    case.plan = replace(case.plan, requirements=right)
    case.install()
    assert case.frozen == [f"plum @ {wheel.as_uri()}"]


@pytest.mark.functional
@pytest.mark.parametrize("mode", ["none", "editable"])
def test_a_project_whose_own_dependencies_take_a_build_is_asked_for_them(case: Case, mode: str) -> None:
    write_source(case.root, "hazel", "0.1", requires=("apple<2",))
    path = case.root / "pyproject.toml"
    path.write_text(path.read_text().partition("dependencies =")[0] + 'dynamic = ["dependencies"]\n')
    (own,) = declared("-e .")
    case.plan = replace(case.plan, own=own)
    if mode == "editable":
        case.own = Own(directory=str(case.root), mode=mode, name="hazel")
    case.install()
    case.assert_clean("apple==1.1", *[f"-e {case.root.as_uri()}"] * (mode == "editable"))


# What only a new venv fixes.


def found(kind: str, package: str = "apple", *, path: str = "/venv/x", actual: str = "") -> Finding:
    return finding(kind, package, path=path, actual=actual)


EXPECTED = Expectation(
    pins=(Pin(name="apple", version="1.0"),),
    receipt=Receipt(
        lock="", interpreter=Interpreter(version="3", implementation="cpython"),
        distributions=(Recorded(name="own", version="1"), Recorded(name="pip", version="25", seed=True)),
        startup=(("lib/x.pth", "sha256:0"), ("lib/_x.py", "sha256:0")),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "reason"), [
        *((found(kind), "") for kind in ("missing", "version", "source", "artifact", "file-modified")),
        (found("extraneous", "six", path="/venv/six-1.dist-info"), ""), (found("artifact", "own"), ""),
        (found("broken-metadata", actual="METADATA is missing"), ""),
        (replace(found("python", actual="3.12.4"), severity="note"), ""),
        (replace(found("python", "", actual="3.12.1"), expected="3.11"), "expected 3.11, found 3.12.1"),
        (found("startup-hook", "", path="/venv/evil.pth"), "startup-hook: evil.pth"),
        (found("leftover", "", path="/venv/~pple"), "leftover: ~pple"),
        (found("duplicate"), "duplicate: apple"),
        (found("file-modified", path="/venv/lib/x.pth"), "file-modified: apple"),
        (found("file-modified", path="/venv/lib/_x.py"), "file-modified: apple"),
        (found("file-modified", "", path="/venv/bin/activate"), "file-modified: activate"),
        (found("file-missing", "pip"), "file-missing: pip"), (found("artifact", "pip"), "artifact: pip"),
        (found("broken-metadata", actual="RECORD is missing"), "broken-metadata: apple"),
        (found("broken-metadata", actual="its dist-info is a link"), "broken-metadata: apple"),
        (found("version", path="/site/apple-1.egg-info"), "version: apple"),
        (found("extraneous", "old", path="/site/old.egg-link"), "extraneous: old"),
        (found("extraneous", "old", path="/site/old-1.DIST-INFO"), "extraneous: old"),
        (found("extraneous", "a?b"), "extraneous: a?b"), (found("extraneous", "wheel"), "extraneous: wheel"),
        (found("extraneous", "uv"), "extraneous: uv"),
    ], ids=lambda one: one if isinstance(one, str) else None,
)  # fmt: skip
def test_only_what_uv_does_not_repair_needs_a_new_venv(one: Finding, reason: str) -> None:
    assert needs_recreate([one], EXPECTED) == reason


def test_the_time_of_an_installation_is_kept_by_a_repair(case: Case) -> None:
    snapshot = take(case.venv.location)
    first = receipt_of(snapshot, Expectation(pins=()), fresh(snapshot))
    assert first.installed >= (case.venv.location / "pyvenv.cfg").stat().st_mtime_ns
    assert receipt_of(snapshot, Expectation(pins=()), first) == first


@pytest.mark.functional
def test_a_uv_that_installs_links_is_refused_with_what_to_set(case: Case, index: Index) -> None:
    case.env = {"UV_LINK_MODE": "symlink"}
    case.locked(hashed(index, "apple==1.1"))
    with pytest.raises(NoxEnvsError, match="set UV_LINK_MODE=copy"):
        case.sync()
