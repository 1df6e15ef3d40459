"""What one requirement text means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from nox_envs.errors import Invalid, Place
from nox_envs.requirements.text import Declared, read_requirement, requirement_key, requirement_text
from nox_envs.values import replace

HERE = Place(origin="envs.yaml", line=3)
SHA = "0a" * 32
WHEEL = "https://files.example.org/My_pkg-1.0-py3-none-any.whl"
GIT = "git+https://example.org/a.git@v1"
OLD = 'python_version < "3"'


def read(text: str, *, loose: bool = False) -> Declared:
    return replace(read_requirement(text, loose), place=HERE)


def wanted(name: str = "", extras: str = "", **parts: object) -> Declared:
    return Declared(name=name, extras=tuple(extras.split()), place=HERE, **parts)  # type: ignore[arg-type]


def refusal(text: str, *, loose: bool = False) -> str:
    with pytest.raises(Invalid) as caught:
        read(text, loose=loose)
    return f"{caught.value.message} ({caught.value.hint})" if caught.value.hint else caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rich", wanted("rich")),
        ("typing_extensions", wanted("typing-extensions")),
        ("A.b >= 1.0, <2,!=1.5", wanted("a-b", specifier="!=1.5,<2,>=1.0")),
        ("a==1.*", wanted("a", specifier="==1.*")),
        ("a>=1.0rc1", wanted("a", specifier=">=1.0rc1")),
        ("a[Y_y, x]>=1", wanted("a", "x y-y", specifier=">=1")),
        ("a<2 ; python_version<'3'", wanted("a", specifier="<2", marker=OLD)),
        ("a @ https://example.org/a.zip", wanted("a", url="https://example.org/a.zip")),
        (f'a[x]@ {GIT} ; python_version<"3"', wanted("a", "x", url=GIT, marker=OLD)),
        ("git+ssh://git@example.org/a.git", wanted(url="git+ssh://git@example.org/a.git")),
        ("a @ https://${U}:${P}@example.org/a", wanted("a", url="https://${U}:${P}@example.org/a")),
        ("./libs/a", wanted(path="./libs/a")),
        ("./", wanted(path=".")),
        ("../b/", wanted(path="../b")),
        (".[dev,CLI]", wanted("", "cli dev", path=".")),
        (".\\libs\\a", wanted(path="./libs/a")),
        ("./a[x] ; python_version<'3'", wanted("", "x", path="./a", marker=OLD)),
        ("-e NAME", wanted(path="./NAME", editable=True)),
        ("-e NAME[extra]", wanted("", "extra", path="./NAME", editable=True)),
        ("-e .#egg=name[Y,x]", wanted("name", "x y", path=".", editable=True)),
        ("-e file:lib#egg=name[x]", wanted("name", "x", path="./lib", editable=True)),
        ("--editable=./lib[x]", wanted("", "x", path="./lib", editable=True)),
        ("-e ./my lib", wanted(path="./my lib", editable=True)),
        ("-e ../lib ; python_version<'3'", wanted(path="../lib", marker=OLD, editable=True)),
        ("-e name @ ./lib", wanted("name", path="./lib", editable=True)),
        ("-e file:///${PROJECT_ROOT}/lib#egg=a", wanted("a", path="./lib", editable=True)),
        ("name @ file:./my%20lib", wanted("name", path="./my lib")),
        ("name[x] @ ./lib", wanted("name", "x", path="./lib")),
        ("file:./lib[x]", wanted("", "x", path="./lib")),
        ("name @ file:///home/somebody/lib", wanted("name", path="/home/somebody/lib")),
        ("./file-1-py3-none-any.whl", wanted("file", path="./file-1-py3-none-any.whl")),
        (f"./f-1.whl#sha256={SHA.upper()}", wanted("f", path="./f-1.whl", hashes=(f"sha256:{SHA}",))),
        (f"{WHEEL}#sha256={SHA} ; python_version<'3'",
         wanted("my-pkg", url=f"{WHEEL}#sha256={SHA}", hashes=(f"sha256:{SHA}",), marker=OLD)),
        (f"{GIT}#egg=A_b[c]&subdirectory=s", wanted("a-b", "c", url=f"{GIT}#subdirectory=s")),
        (f"-e {GIT}#egg=a", wanted("a", url=GIT)),
        ("~/a", wanted(path="./~/a")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_text_means_what_it_means_to_pip_and_uv(text: str, expected: Declared) -> None:
    assert read(text) == expected
    assert read(text, loose=True) == expected


def test_in_a_requirements_file_a_path_needs_no_dot() -> None:
    for text in ("libs/a", "libs\\a", "a-1.0.tar.gz", "a-1.0-py3-none-any.whl ; os_name=='nt'"):
        assert read(text, loose=True).path == "./" + text.partition(" ")[0].replace("\\", "/")
    for text in ("zipp", "a ; os_name == 'x/y'", "a @ https://example.org/a.zip"):
        assert read(text, loose=True).path == ""


OPTION = "is not a requirement (write {file: …} for -r; most other options are keys of the environment)"
MARKER = 'is not a requirement (its marker is wrong; write one such as python_version < "3.13")'
GENERAL = "is not a requirement (write name, name>=1.0, or name @ https://…)"
NO_URL = "is not a URL that can be installed from (write https://…, or git+https://… for a repository)"
NO_HASH = "is not a hash that can be checked (write sha256: and 64 hex digits)"
ODD = "has more than 4000 characters, or one that cannot be printed"
EXTRAS = "is not a path with extras (write ./folder[extra])"
NO_PATH = "is not a path (write ./folder)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"'' {GENERAL}"),
        ("-e", f"'' {GENERAL}"),
        ("--pre", f"'--pre' {OPTION}"),
        ("-e -e ./a", f"'-e ./a' {OPTION}"),
        ("a\x07b", f"'a\\x07b' {ODD}"),
        ("a==" + "1" * 4000, f"'a=={'1' * 56}…' {ODD}"),
        ("a=1.0", "'a=1.0' is not a requirement (write a==1.0)"),
        ("a v1.0", "'a v1.0' is not a requirement (write a==1.0)"),
        ("a=>1.0", "'a=>1.0' is not a requirement (write >= or <=)"),
        ("a>>1.0", f"'a>>1.0' {GENERAL}"),
        ("a>=1 0", f"'a>=1 0' {GENERAL}"),
        ("libs/a", "'libs/a' is not a requirement (a local path begins with ./)"),
        ("a ; b == 'x'", f"\"a ; b == 'x'\" {MARKER}"),
        ("a ; " + "(" * 3000, f"'a ; {'(' * 55}…' {MARKER}"),
        ("./a ; nonsense", f"'./a ; nonsense' {MARKER}"),
        ("https://example.org/a ; x", f"'https://example.org/a ; x' {MARKER}"),
        ("https://e.org/a b", f"'https://e.org/a b' {NO_URL}"),
        ("a @ htp://example.org/a", f"'htp://example.org/a' {NO_URL}"),
        ("https:///", f"'https:///' {NO_URL}"),
        ("./a[b", f"'./a[b' {EXTRAS}"),
        ("./a[b c]", f"'./a[b c]' {EXTRAS}"),
        ("n @ ./a#subdirectory=x", f"'./a' {NO_PATH}"),
        ("a @ file:%00", f"'file:%00' {NO_PATH}"),
        (f"{WHEEL}#sha256={SHA[:-8]}", f"'sha256:{SHA[:52]}…' {NO_HASH}"),
        (f"{WHEEL}#md5={SHA[:32]}", f"'md5:{SHA[:32]}' {NO_HASH}"),
    ],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_a_text_that_is_not_a_requirement_is_refused_with_what_to_type(text: str, expected: str) -> None:
    assert refusal(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a @ https://user:hunter2@example.org/a.zip",
        "https://user:hunter2@example.org/a b ; x",
        "-e git+https://ghp_hunter2@example.org/a.git#egg=a",
        "--index-url https://user:hunter2@example.org/",
        "a >= https://user:hunter2@example.org",
        "a @ https://example.org/a.whl?token=hunter2",
        "https://example.org/a.whl?v=1&X-Amz-Signature=hunter2",
    ],
)
def test_a_password_is_refused_and_never_shown(text: str) -> None:
    message = refusal(text)
    assert "has a password or token in its URL" in message
    assert "hunter2" not in message


def test_a_requirement_is_written_as_it_was_read() -> None:
    texts = (
        "a",
        'a[x,y]<2,>=1 ; os_name == "nt"',
        "a[x] @ https://example.org/a.zip",
        "https://example.org/a.zip",
    )
    for text in (*texts, '-e ./lib[x] ; os_name == "nt"', "./lib"):
        assert requirement_text(read(text)) == text


def test_what_a_requirement_is_includes_its_hashes_but_not_who_asks() -> None:
    hashed = replace(read("a"), why=("test",), hashes=("sha256:a", "sha512:b"))
    assert requirement_key(hashed) == "a sha256:a sha512:b"
    assert requirement_key(read("a")) == "a"


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}", fullmatch=True)
OPERATORS = st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~= ", "~=", ">= "])


@settings(deadline=None)
@given(NAMES, st.lists(st.tuples(OPERATORS, VERSIONS).map("".join), max_size=3), st.sampled_from(["", " "]))
def test_simple_requirements_mean_what_packaging_says(name: str, clauses: list[str], space: str) -> None:
    text = f"{name}{space}{','.join(clauses)}"
    try:
        expected = Requirement(text)
    except InvalidRequirement:
        assert refusal(text)
        return
    found = read(text)
    assert found.name == read(expected.name).name
    # Versions of packaging differ in whether they keep equal clauses such as ==0,==00.
    assert SpecifierSet(found.specifier) == expected.specifier


@settings(deadline=None)
@given(st.text() | st.text(alphabet="-eab.@:/;[]#=<>~! \\'\"(){}$,git+https%file"), st.booleans())
def test_hostile_texts_are_read_or_refused(text: str, loose: bool) -> None:
    try:
        found = read(text, loose=loose)
    except Invalid:
        return
    assert found.name or found.url or found.path
