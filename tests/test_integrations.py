"""Other tools on what this project gives them: pre-commit, and the schemas of CI services and bots."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.test_docs import BLOCK, PAGES, ROOT

SCHEMAS = {
    r"\.github/workflows/.*": "vendor.github-workflows",
    r"\.github/dependabot\.yml": "vendor.dependabot",
    r"\.gitlab-ci\.yml": "vendor.gitlab-ci",
    r"renovate\.json": "vendor.renovate",
    r"\.pre-commit-config\.yaml": "",
}
FILES = [
    (page, path, body)
    for page, text in PAGES.items()
    for _, path, body in BLOCK.findall(text)
    if any(re.fullmatch(pattern, path) for pattern in SCHEMAS)
]
WORKFLOWS = [
    (path.name, f".github/workflows/{path.name}", path.read_text())
    for path in ROOT.glob(".github/workflows/*")
]


@pytest.mark.functional
@pytest.mark.parametrize(("page", "path", "body"), [*FILES, *WORKFLOWS])
def test_a_file_for_another_service_meets_its_schema(
    page: str, path: str, body: str, project: Project
) -> None:
    schema = next(schema for pattern, schema in SCHEMAS.items() if re.fullmatch(pattern, path))
    file = project.write(path, body)
    if schema:
        project.machine.run("check-jsonschema", "--builtin-schema", schema, file)
    else:
        project.machine.run("pre-commit", "validate-config", file)


@pytest.mark.network
def test_the_hook_of_pre_commit_refuses_a_commit_whose_lock_is_stale(online: Project, tmp_path: Path) -> None:
    project = Project(root=tmp_path / "project", machine=online.machine)
    run = project.machine.run
    hooks = tmp_path / "nox-envs"
    shutil.copytree(ROOT / "src", hooks / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, hooks)
    project.write("envs.yaml", "version: 1\nenvironments:\n  tests: {requirements: [idna>=3]}\n")
    project.write("noxfile.py", online.read("noxfile.py"))
    project.nox("-s", "lock", check=True)
    for folder in (hooks, project.root):
        run("git", "init", "--quiet", cwd=folder)
        run("git", "add", "--all", cwd=folder)
        run("git", "commit", "--quiet", "--message", "first", cwd=folder)
    env = {"PRE_COMMIT_HOME": str(tmp_path / "cache")}
    command = ("pre-commit", "try-repo", str(hooks), "nox-envs-check", "--all-files")
    assert "Passed" in run(*command, cwd=project.root, env=env).output
    project.write("envs.yaml", "version: 1\nenvironments:\n  tests: {requirements: [six>=1]}\n")
    run("git", "add", "--all", cwd=project.root)
    refused = run(*command, cwd=project.root, env=env, check=False)
    assert refused.returncode == 1
    assert "fix: nox -s lock -- tests" in refused.output


def test_the_hook_runs_for_every_file_that_a_lock_depends_on() -> None:
    (pattern,) = re.findall(r"files: (.*)", (ROOT / ".pre-commit-hooks.yaml").read_text())
    for path in (
        "envs.yaml",
        "a/pyproject.toml",
        "setup.cfg",
        "setup.py",
        "requirements/tests.txt",
        "dev.in",
    ):
        assert re.search(pattern, path)
    assert not re.search(pattern, "src/app.py")


def test_the_snippet_for_renovate_selects_the_locks() -> None:
    (snippet,) = [body for _, path, body in FILES if path == "renovate.json"]
    (pattern,) = json.loads(snippet)["pip_requirements"]["managerFilePatterns"]
    assert re.search(pattern.strip("/"), "requirements/tests.txt")
