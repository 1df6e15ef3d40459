"""Start-up files, as an installation left them and as somebody else did."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nox_envs.findings import Finding
from nox_envs.venv.compare import Expectation
from nox_envs.venv.files import startup_findings
from nox_envs.venv.install import fresh, receipt_of
from nox_envs.venv.receipt import Receipt
from nox_envs.venv.snapshot import take
from tests.conftest import BareVenv, Machine, MakeVenv
from tests.index import Index, write_source
from tests.test_venv_files import NOTHING, install, row


def receipt_now(venv: BareVenv, made: Receipt = NOTHING) -> Receipt:
    return receipt_of(take(venv.location), Expectation(pins=()), made)


def check(venv: BareVenv, receipt: Receipt) -> tuple[Finding, ...]:
    return tuple(startup_findings(take(venv.location), receipt, ()))


FILES = {"apple.pth": b"import _apple\n", "_apple.py": b"", "sitecustomize/__init__.py": b""}


@pytest.mark.parametrize("name", FILES)
def test_owned_start_up_files_and_what_they_import_are_known_and_modified_with_another_content(
    bare_venv: BareVenv, name: str
) -> None:
    install(bare_venv, "apple", FILES)
    receipt = receipt_now(bare_venv)
    assert [path.rpartition("site-packages/")[2] for path, _ in receipt.startup] == sorted(FILES)
    assert check(bare_venv, receipt) == ()
    (bare_venv.site / name).write_bytes(b"import _apple, evil\n")
    (found,) = check(bare_venv, receipt)
    assert (found.kind, found.package, found.path) == ("file-modified", "apple", str(bare_venv.site / name))
    assert found.expected != found.actual


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_start_up_file_that_was_not_as_its_record_says_is_never_known(
    bare_venv: BareVenv, algorithm: str
) -> None:
    (bare_venv.site / "apple.pth").write_bytes(b"wrong")
    install(bare_venv, "apple", {}, more=row("apple.pth", b"right", algorithm))
    assert receipt_now(bare_venv).startup == ()
    assert [found.kind for found in check(bare_venv, receipt_now(bare_venv))] == ["startup-hook"]


@pytest.mark.parametrize(
    ("name", "text", "told"), [
        ("evil.pth", "# harmless\n/opt\nimport os; os.x()\n", "import os; os.x()"),
        (".hidden.pth", "/opt/modules\n", "/opt/modules"), ("~evil.pth", "import os\n", "import os"),
        ("sitecustomize.py", "from os import x\n", "from os import x"),
        ("sitecustomize.cpython-312-x86_64-linux-gnu.so", "", "an empty file"),
        ("usercustomize/__init__.py", "x = 1" + "1" * 200, "x = 1" + "1" * 95),
    ],
)  # fmt: skip
def test_start_up_files_that_nothing_owns_say_what_they_do(
    bare_venv: BareVenv, name: str, text: str, told: str
) -> None:
    receipt = receipt_now(bare_venv)
    file = bare_venv.site / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    (finding,) = check(bare_venv, receipt)
    assert (finding.kind, finding.severity, finding.actual) == ("startup-hook", "error", told)
    assert finding.path == str(file)


@pytest.mark.parametrize(
    ("link", "paths", "kinds"), [
        ("/thing/src\n../", "/thing/src\n", []), ("/thing\n.", "/thing\n/evil\n", ["startup-hook"]),
        ("/evil\n../thing", "/evil\n", ["startup-hook"]), ("/thing\n.", "import os\n", ["startup-hook"]),
        ("", "/thing\n", ["startup-hook"]),
    ],
)  # fmt: skip
def test_the_hook_of_setup_py_develop_has_the_folders_of_its_links_and_nothing_else(
    bare_venv: BareVenv, link: str, paths: str, kinds: list[str]
) -> None:
    receipt = receipt_now(bare_venv)
    (bare_venv.site / "Thing.egg-link").write_text(link)
    (bare_venv.site / "easy-install.pth").write_text(paths)
    assert [found.kind for found in check(bare_venv, receipt)] == kinds


@pytest.mark.parametrize(
    "name", [
        "_apple/__init__.pyc", "_apple/__init__.cpython-312-x86_64-linux-gnu.so", "_apple.abi3.so",
        "sitecustomize/__init__.pyc", "sitecustomize.pyc",
    ],
)  # fmt: skip
@pytest.mark.parametrize("imports", ["import _apple", "import sys; importlib.import_module('_apple')"])
def test_what_runs_in_place_of_an_imported_module_is_a_hook(
    bare_venv: BareVenv, name: str, imports: str
) -> None:
    install(bare_venv, "apple", {"apple.pth": f"{imports}\n".encode(), "_apple.py": b""})
    receipt = receipt_now(bare_venv)
    assert len(receipt.startup) == 2
    (bare_venv.site / name).parent.mkdir(exist_ok=True)
    (bare_venv.site / name).write_bytes(b"evil")
    assert [(found.kind, found.path) for found in check(bare_venv, receipt)] == [
        ("startup-hook", str(bare_venv.site / name))
    ]


def test_a_record_that_was_rewritten_answers_for_no_start_up_file(bare_venv: BareVenv) -> None:
    info = install(bare_venv, "apple", {"apple.py": b""})
    receipt = receipt_now(bare_venv)
    (bare_venv.site / "apple.pth").write_bytes(b"import os")
    with (info / "RECORD").open("a") as stream:
        stream.write(row("apple.pth", b"import os"))
    assert [found.kind for found in check(bare_venv, receipt)] == ["startup-hook"]


def test_what_the_creator_of_a_venv_left_is_known(bare_venv: BareVenv) -> None:
    (bare_venv.site / "_virtualenv.pth").write_text("import _virtualenv")
    (bare_venv.site / "_virtualenv.py").write_text("")
    receipt = receipt_now(bare_venv, fresh(take(bare_venv.location)))
    assert (receipt.startup, check(bare_venv, receipt)) == ((), ())
    (bare_venv.site / "_virtualenv.py").write_text("import evil")
    (found,) = check(bare_venv, receipt)
    assert (found.kind, found.expected[:7], found.actual) == ("startup-hook", "sha256:", "import evil")


@pytest.mark.skipif(os.name == "nt", reason="needs links and named pipes")
def test_links_and_pipes_are_hooks_that_are_not_opened(bare_venv: BareVenv, tmp_path: Path) -> None:
    receipt = receipt_now(bare_venv)
    (tmp_path / "secret.pth").write_text("secret")
    (bare_venv.site / "link.pth").symlink_to(tmp_path / "secret.pth")
    os.mkfifo(bare_venv.site / "pipe.pth")
    assert [found.actual for found in check(bare_venv, receipt)] == [
        f"a link to {tmp_path / 'secret.pth'}",
        "something that cannot be read (pipe.pth)",
    ]


@pytest.mark.functional
def test_the_start_up_files_of_a_real_venv_are_known(
    make_venv: MakeVenv, machine: Machine, index: Index, tmp_path: Path
) -> None:
    index.release("starter", "1.0", files={"starter.pth": "import starter\n", "starter/__init__.py": ""})
    for backend in ("uv", "virtualenv", "venv"):
        venv = make_venv(backend, "3.10" if backend == "venv" else None)
        made = fresh(take(venv.location))
        venv.install("starter")
        venv.install("--editable", write_source(tmp_path / backend, f"own-{backend}", "1.0"))
        bare = BareVenv(location=venv.location)
        receipt = receipt_now(bare, made)
        assert len(receipt.startup) >= 3
        machine.run(venv.python, "-c", "import starter")
        assert check(bare, receipt) == ()
        (venv.site / "starter" / "__init__.py").write_text("import os\n")
        (found,) = check(bare, receipt)
        assert (found.kind, found.package) == ("file-modified", "starter")
