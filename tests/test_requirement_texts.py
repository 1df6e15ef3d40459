"""What one requirement text means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from nox_envs.pins import canonical_name
from nox_envs.requirements.reference import Reference, Rejected, is_bare, parse_reference

relaxed = settings(deadline=None)


def read(text: str, *, loose: bool = False) -> Reference:
    found = parse_reference(text, loose=loose)
    assert isinstance(found, Reference), found
    return found


OPTION = (
    "is an option, not a requirement "
    "(options are keys of the spec: file, constraints, indexes, lock, allow_prereleases)"
)
MACHINE = "is a path of this machine (write a relative one: ./folder or ../folder)"
MARKER = 'write one such as python_version < "3.13"'
NO_URL = "is no URL that can be installed from (write https://…, or git+https://… for a repository)"


def refusal(text: str, *, loose: bool = False) -> str:
    found = parse_reference(text, loose=loose)
    assert isinstance(found, Rejected), found
    return f"{found.message} ({found.hint})" if found.hint else found.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rich", Reference(name="rich")),
        ("typing_extensions", Reference(name="typing-extensions")),
        ("a==1.0", Reference(name="a", specifier="==1.0")),
        ("A.b >= 1.0, <2,!=1.5", Reference(name="a-b", specifier="!=1.5,<2,>=1.0")),
        ("a~=1.0", Reference(name="a", specifier="~=1.0")),
        ("a==1.*", Reference(name="a", specifier="==1.*")),
        ("a>=1.0rc1", Reference(name="a", specifier=">=1.0rc1")),
        ("coverage[toml]", Reference(name="coverage", extras=("toml",))),
        ("a[Y_y, x]>=1", Reference(name="a", extras=("x", "y-y"), specifier=">=1")),
        (
            "a<2 ; python_version<'3.13' and os_name=='nt'",
            Reference(name="a", specifier="<2", marker='python_version < "3.13" and os_name == "nt"'),
        ),
        ("a @ https://example.org/a.zip", Reference(name="a", url="https://example.org/a.zip")),
        (
            'a[x]@ git+https://example.org/a.git@v1 ; python_version<"3"',
            Reference(
                name="a",
                extras=("x",),
                url="git+https://example.org/a.git@v1",
                marker='python_version < "3"',
            ),
        ),
        ("git+ssh://git@example.org/a.git", Reference(name="", url="git+ssh://git@example.org/a.git")),
        (
            "git+https://example.org/x#egg=A_b[c]&subdirectory=s ; os_name=='nt'",
            Reference(
                name="a-b",
                extras=("c",),
                url="git+https://example.org/x#egg=A_b[c]&subdirectory=s",
                marker='os_name == "nt"',
            ),
        ),
        (
            "https://example.org/My_pkg-1.0-py3-none-any.whl#sha256=0",
            Reference(name="my-pkg", url="https://example.org/My_pkg-1.0-py3-none-any.whl#sha256=0"),
        ),
        (
            "a @ https://${USER}:${TOKEN}@example.org/a.zip",
            Reference(name="a", url="https://${USER}:${TOKEN}@example.org/a.zip"),
        ),
        ("./libs/a", Reference(name="", path="./libs/a")),
        ("./", Reference(name="", path=".")),
        (".", Reference(name="", path=".")),
        ("..", Reference(name="", path="..")),
        ("../b/", Reference(name="", path="../b")),
        (".[dev,CLI]", Reference(name="", extras=("cli", "dev"), path=".")),
        (".\\libs\\a", Reference(name="", path="./libs/a")),
        (
            "./a[x] ; python_version<'3'",
            Reference(name="", extras=("x",), path="./a", marker='python_version < "3"'),
        ),
        (
            "./dist/My_pkg-1.0-py3-none-any.whl",
            Reference(name="my-pkg", path="./dist/My_pkg-1.0-py3-none-any.whl"),
        ),
        ("a @ ./libs/a", Reference(name="a", path="./libs/a")),
        ("a @ file:libs/a", Reference(name="a", path="./libs/a")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_is_read_as_what_it_asks_for(text: str, expected: Reference) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("libs/a", "./libs/a"),
        ("libs\\a", "./libs/a"),
        ("a-1.0.tar.gz", "./a-1.0.tar.gz"),
        ("a-1.0-py3-none-any.whl ; os_name=='nt'", "./a-1.0-py3-none-any.whl"),
    ],
)
def test_in_a_requirements_file_a_path_needs_no_dot(text: str, path: str) -> None:
    assert read(text, loose=True).path == path


def test_loose_reading_keeps_names_and_slashes_elsewhere_apart_from_paths() -> None:
    assert read("zipp", loose=True).name == "zipp"
    assert read("a ; os_name == 'x/y'", loose=True).path == ""
    assert read("a @ https://example.org/a.zip", loose=True).url == "https://example.org/a.zip"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the requirement is empty"),
        ("--index-url https://x:y@example.org/", f"'--index-url' {OPTION}"),
        ("-rbase.txt", f"'-rbase.txt' {OPTION}"),
        ("a\x07b", "'a\\x07b' holds a character that cannot be printed"),
        ("x" * 9000 + ">", "the requirement is longer than 8000 characters"),
        ("a=1.0", "'a=1.0' is no requirement (write a==1.0)"),
        ("a v1.0", "'a v1.0' is no requirement (write a==1.0)"),
        ("a=>1.0", "'a=>1.0' is no requirement (write >= or <=)"),
        ("a>>1.0", "'a>>1.0' is no requirement (write name, name>=1.0, or name @ https://…)"),
        ("libs/a", "'libs/a' is no requirement (a local path begins with ./)"),
        ("a ; b == 'x'", f"\"a ; b == 'x'\" is no requirement (its marker is wrong; {MARKER})"),
        ("a ; " + "(" * 3000, f"'a ; {'(' * 115}…' is no requirement (its marker is wrong; {MARKER})"),
        ("/opt/a", f"'/opt/a' {MACHINE}"),
        ("~/a", f"'~/a' {MACHINE}"),
        ("C:\\a", f"'C:/a' {MACHINE}"),
        ("a @ file:///srv/a", f"'file:///srv/a' {MACHINE}"),
        (
            "git+file:///srv/a",
            "'git+file:///srv/a' is a repository of this machine "
            "(name the repository by its https:// or ssh:// URL, or a folder as ./folder)",
        ),
        ("./a[b", "'./a[b' is no path with extras (write ./folder[extra])"),
        ("./a ; nonsense", "'nonsense' is no marker (write python_version < \"3.13\")"),
        ("https://example.org/a ; x", "'x' is no marker (write python_version < \"3.13\")"),
        ("https://example.org/a b", "'https://example.org/a b' is no URL: it holds a space (write %20)"),
        ("a @ htp://example.org/a", f"'htp://example.org/a' {NO_URL}"),
        ("ssh://git@example.org/a", f"'ssh://git@example.org/a' {NO_URL}"),
        ("https:///", f"'https:///' {NO_URL}"),
    ],
    ids=lambda value: value[:20],
)
def test_a_text_that_is_none_is_refused_with_the_next_thing_to_type(text: str, expected: str) -> None:
    assert refusal(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a @ https://user:hunter2@example.org/a.zip",
        "https://user:hunter2@example.org/a.zip",
        "git+https://:hunter2@example.org/a.git",
        "a @ git+https://ghp_hunter2@example.org/a.git",
        "a >= https://user:hunter2@example.org",
        "https://user:hunter2@example.org/a b ; x",
        "a @ http://hunter2@example.org/a.whl",
        "a @ https://example.org/a.whl?token=hunter2",
        "https://example.org/a.whl?v=1&X-Amz-Signature=hunter2",
    ],
)
def test_a_password_is_refused_and_never_shown(text: str) -> None:
    message = refusal(text)
    assert "carries a password" in message
    assert "hunter2" not in message


def test_a_bare_name_is_known_from_a_requirement() -> None:
    assert is_bare(" zope.interface ")
    assert not is_bare("a>1")


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}", fullmatch=True)
CLAUSES = st.tuples(st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~= ", "~=", ">= "]), VERSIONS).map(
    "".join
)


@relaxed
@given(NAMES, st.lists(CLAUSES, max_size=3), st.sampled_from(["", " ", "  "]))
def test_simple_requirements_mean_what_packaging_says(name: str, clauses: list[str], space: str) -> None:
    text = f"{name}{space}{','.join(clauses)}"
    found = parse_reference(text)
    try:
        expected = Requirement(text)
    except InvalidRequirement:
        assert isinstance(found, Rejected)
        return
    assert isinstance(found, Reference)
    assert found.name == canonical_name(expected.name)
    # Versions of packaging differ in whether they keep equal clauses such as ==0,==00.
    assert SpecifierSet(found.specifier) == expected.specifier


@relaxed
@given(st.text() | st.text(alphabet="ab.@:/;[]#=<>~! -\\'\"(){}$,git+https"), st.booleans())
def test_hostile_texts_are_read_or_refused(text: str, loose: bool) -> None:
    assert isinstance(parse_reference(text, loose=loose), Reference | Rejected)
