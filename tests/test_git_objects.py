"""The reader of git's object store, against what the real git says of the same repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_envs.errors import NoxEnvsError
from nox_envs.git_objects import MissingObject, Repository, open_repository
from nox_envs.git_objects.packs import apply_delta, inflate

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

Git: TypeAlias = Callable[..., str]

LOCK = "".join(f"package-{number}==1.{number}\n    # via test: package-{number}\n" for number in range(400))


def run_git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, cut off from this machine's settings; return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "someone@example.org"
           for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
    env = {**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def build(root: Path) -> Path:
    """Make a repository: six versions of a lock on main, a branch that is merged, two kinds of tags."""
    root.mkdir()
    run_git(root, "init", "-q", "-b", "main")
    locks = root / "requirements"
    locks.mkdir()
    for version in range(6):
        (locks / "tests.txt").write_text(LOCK.replace("package-7==1.7", f"package-7=={version}.0"))
        (locks / f"note-{version}.md").write_text(str(version))
        run_git(root, "add", ".")
        run_git(root, "commit", "-q", "-m", f"Version {version}")
        if version == 2:
            run_git(root, "tag", "light")
            run_git(root, "tag", "-a", "-m", "annotated", "v1.0")
            run_git(root, "tag", "-a", "-m", "of a tag", "nested", "v1.0")
    run_git(root, "checkout", "-q", "-b", "feature/x", "HEAD~1")
    (locks / "docs.txt").write_text("sphinx==8.0\n")
    run_git(root, "add", ".")
    run_git(root, "commit", "-q", "-m", "Docs")
    run_git(root, "checkout", "-q", "main")
    run_git(root, "merge", "-q", "--no-edit", "feature/x")
    return root


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository whose objects are all loose."""
    return build(tmp_path_factory.mktemp("loose") / "repository")


@pytest.fixture(scope="module")
def packed(loose: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the same repository with one pack of deltas and packed references."""
    root = tmp_path_factory.mktemp("packed") / "repository"
    shutil.copytree(loose, root)
    run_git(root, "repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
    run_git(root, "prune-packed", "-q")
    run_git(root, "pack-refs", "--all")
    return root


@pytest.fixture(scope="module")
def referring(loose: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the same repository with a pack whose deltas name their bases by id."""
    root = tmp_path_factory.mktemp("referring") / "repository"
    shutil.copytree(loose, root)
    run_git(root, "-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f")
    return root


@pytest.fixture(scope="module")
def far(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the same repository with an index that has offsets of 64 bits, as packs of 2 GiB have."""
    root = tmp_path_factory.mktemp("far") / "repository"
    shutil.copytree(packed, root)
    (pack,) = (root / ".git/objects/pack").glob("*.pack")
    for other in pack.parent.glob("*"):
        if other != pack:
            other.chmod(0o644)
            other.unlink()
    run_git(root, "index-pack", "--index-version=2,0x40", str(pack))
    return root


@pytest.fixture(params=["loose", "packed", "referring", "far"])
def root(request: pytest.FixtureRequest) -> Path:
    """Return a repository in every form that its objects can be kept in."""
    found: Path = request.getfixturevalue(request.param)
    return found


def opened(root: Path) -> Repository:
    found = open_repository(root)
    assert found is not None
    return found


REVISIONS = (
    "HEAD", "@", "main", "refs/heads/main", "heads/main", "feature/x", "light", "v1.0", "tags/v1.0", "nested",
    "HEAD~1", "HEAD~3", "HEAD~", "HEAD^", "HEAD^1", "HEAD^2", "HEAD^2~2^", "HEAD^0", "v1.0^{}",
    "v1.0^{commit}", "nested^{}", "nested~1", "HEAD^{tree}", "v1.0^{tree}", "v1.0^{object}", "light~2", "@~2",
)  # fmt: skip


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_is_what_git_says(root: Path, revision: str) -> None:
    assert opened(root).resolve(revision) == run_git(root, "rev-parse", revision).strip()


@pytest.mark.parametrize("revision", ["HEAD", "v1.0", "nested", "HEAD^2", "HEAD~4", "HEAD^{tree}"])
def test_a_file_is_what_git_says(root: Path, revision: str) -> None:
    expected = run_git(root, "cat-file", "-p", f"{revision}:requirements/tests.txt")
    assert opened(root).read(revision, "requirements/tests.txt").decode() == expected


def test_the_pack_holds_deltas(packed: Path) -> None:
    (index,) = (packed / ".git/objects/pack").glob("*.idx")
    listed = run_git(packed, "verify-pack", "-v", str(index))
    assert any(len(line.split()) == 7 for line in listed.splitlines())
    assert not [one for one in (packed / ".git/objects").iterdir() if len(one.name) == 2]


def test_every_object_is_what_git_says(root: Path) -> None:
    listed = run_git(root, "cat-file", "--batch-all-objects", "--batch-check").split("\n")
    rows = [line.split() for line in listed if line]
    assert len(rows) > 20
    store = opened(root)._store
    for identifier, kind, size in rows:
        found = store.read(identifier)
        assert (found.kind, len(found.data)) == (kind, int(size))


def test_the_files_of_a_folder_are_listed(root: Path) -> None:
    repository = opened(root)
    assert repository.files("v1.0", "requirements") == ("note-0.md", "note-1.md", "note-2.md", "tests.txt")
    assert repository.files("HEAD", "") == ()
    assert repository.files("HEAD", "requirements/tests.txt") is None
    assert repository.has("HEAD", "requirements/docs.txt")
    assert not repository.has("v1.0", "requirements/docs.txt")
    assert not repository.has("HEAD", "requirements/docs.txt/deeper")


def test_an_abbreviated_id_is_completed(root: Path) -> None:
    whole = run_git(root, "rev-parse", "HEAD~2").strip()
    for length in (7, 12, 39, 40):
        assert opened(root).resolve(whole[:length]) == whole
    assert opened(root).resolve(whole[:10].upper()) == whole


def test_an_ambiguous_id_is_an_error_that_names_the_candidates(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    run_git(root, "init", "-q")
    seen: dict[str, str] = {}
    for number in range(2000):
        head = f"blob {len(str(number))}\0{number}".encode()
        import hashlib

        identifier = hashlib.sha1(head, usedforsecurity=False).hexdigest()
        other = seen.setdefault(identifier[:4], str(number))
        if other != str(number):
            for text in (other, str(number)):
                (root / "blob").write_text(text)
                run_git(root, "hash-object", "-w", "blob")
            with pytest.raises(NoxEnvsError, match="ambiguous"):
                opened(root).resolve(identifier[:4])
            return
    pytest.fail("no two ids of 2000 begin alike")


def test_a_worktree_reads_the_objects_it_shares_and_its_own_head(packed: Path, tmp_path: Path) -> None:
    tree = tmp_path / "worktree"
    run_git(packed, "worktree", "add", "-q", "--detach", str(tree), "v1.0")
    try:
        for revision in ("HEAD", "main", "feature/x"):
            assert opened(tree).resolve(revision) == run_git(tree, "rev-parse", revision).strip()
        assert opened(tree).root == tree
    finally:
        run_git(packed, "worktree", "remove", "--force", str(tree))


def test_a_clone_that_borrows_objects_reads_them(packed: Path, tmp_path: Path) -> None:
    run_git(tmp_path, "clone", "-q", "--shared", str(packed), "borrower")
    clone = tmp_path / "borrower"
    assert opened(clone).read("origin/feature/x", "requirements/docs.txt") == b"sphinx==8.0\n"
    assert opened(clone).resolve("origin") == run_git(clone, "rev-parse", "origin").strip()


def test_a_branch_that_is_only_on_the_remote_is_suggested(packed: Path, tmp_path: Path) -> None:
    run_git(tmp_path, "clone", "-q", str(packed), "clone")
    with pytest.raises(NoxEnvsError, match="did you mean 'origin/feature/x'"):
        opened(tmp_path / "clone").resolve("feature/x")
    run_git(tmp_path / "clone", "pack-refs", "--all")
    with pytest.raises(NoxEnvsError, match="did you mean 'origin/feature/x'"):
        opened(tmp_path / "clone").resolve("feature/x")


def test_a_shallow_clone_says_that_its_history_is_cut_off(packed: Path, tmp_path: Path) -> None:
    run_git(tmp_path, "clone", "-q", "--depth=1", "--branch=feature/x", packed.as_uri(), "shallow")
    with pytest.raises(MissingObject, match=r"cut off.*git fetch --unshallow"):
        opened(tmp_path / "shallow").resolve("HEAD~1")


def test_a_folder_below_the_root_finds_the_repository(packed: Path) -> None:
    assert opened(packed / "requirements").root == packed


def test_outside_of_a_repository_there_is_none(tmp_path: Path) -> None:
    assert open_repository(tmp_path) is None or not (tmp_path / ".git").exists()


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("mian", "there is no revision 'mian'"),
        ("", "there is no revision ''"),
        ("dead", "there is no revision"),
        ("0" * 40, "is not in this clone"),
        ("HEAD~99", "goes back further"),
        ("HEAD^3", "goes back further"),
        ("HEAD@{1}", "is not understood"),
        ("HEAD^{/fix}", "is not understood"),
        ("HEAD^{blob}", "is not understood"),
        ("../../etc/passwd", "there is no revision"),
        ("HEAD.lock", "there is no revision"),
        ("config", "there is no revision"),
        ("main main", "there is no revision"),
    ],
)
def test_a_revision_that_cannot_be_read_is_an_error(root: Path, revision: str, message: str) -> None:
    with pytest.raises(NoxEnvsError, match=message):
        opened(root).tree(revision)


def test_what_is_no_commit_is_an_error(root: Path) -> None:
    blob = run_git(root, "rev-parse", "HEAD:requirements/docs.txt").strip()
    with pytest.raises(NoxEnvsError, match="is no commit"):
        opened(root).tree(blob)


def test_a_path_that_is_no_file_is_an_error(root: Path) -> None:
    repository = opened(root)
    with pytest.raises(NoxEnvsError, match=r"HEAD has no 'requirements/none\.txt'"):
        repository.read("HEAD", "requirements/none.txt")
    with pytest.raises(NoxEnvsError, match="is a directory"):
        repository.read("HEAD", "requirements")
    with pytest.raises(NoxEnvsError, match="is a directory"):
        repository.read("HEAD", "")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_and_submodules_are_no_files(packed: Path, tmp_path: Path) -> None:
    root = tmp_path / "outer"
    root.mkdir()
    run_git(root, "init", "-q", "-b", "main")
    (root / "link").symlink_to("elsewhere")
    run_git(root, "submodule", "--quiet", "add", str(packed), "inner")
    run_git(root, "add", ".")
    run_git(root, "commit", "-q", "-m", "Both")
    with pytest.raises(NoxEnvsError, match="a symbolic link"):
        opened(root).read("HEAD", "link")
    with pytest.raises(NoxEnvsError, match="a submodule"):
        opened(root).read("HEAD", "inner")
    assert opened(root / "inner").resolve("HEAD") == run_git(packed, "rev-parse", "HEAD").strip()


def test_other_formats_of_repositories_are_refused(tmp_path: Path) -> None:
    try:
        run_git(tmp_path, "init", "-q", "--object-format=sha256", "other")
    except subprocess.CalledProcessError:
        pytest.skip("this git makes no sha256 repositories")
    with pytest.raises(NoxEnvsError, match=r"objectformat = sha256.*git show"):
        open_repository(tmp_path / "other")


def test_a_broken_link_to_a_git_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(NoxEnvsError, match="which is no directory"):
        open_repository(tmp_path)
    (tmp_path / ".git").write_text("nothing\n")
    with pytest.raises(NoxEnvsError, match="is no link"):
        open_repository(tmp_path)


def copied(root: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for file in (copy / ".git").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    return copy


def test_a_loose_object_with_other_content_is_damaged(loose: Path, tmp_path: Path) -> None:
    copy = copied(loose, tmp_path)
    blob = run_git(copy, "rev-parse", "HEAD:requirements/docs.txt").strip()
    file = copy / ".git/objects" / blob[:2] / blob[2:]
    for content in (
        zlib.compress(b"blob 12\0sphinx==9.0\n"),
        zlib.compress(b"blob 99\0sphinx==8.0\n"),
        zlib.compress(b"blob 1\0sphinx==8.0\n"),
        zlib.compress(b"blob 9999999999\0"),
        zlib.compress(b"thing 1\0x"),
        zlib.compress(b"blob 12\0sphinx==8.0\n")[:-6],
        b"no zlib at all",
        b"",
    ):
        file.write_bytes(content)
        with pytest.raises(NoxEnvsError, match="the git object"):
            opened(copy).read("HEAD", "requirements/docs.txt")


def test_a_cut_off_pack_or_index_is_an_error(packed: Path, tmp_path: Path) -> None:
    copy = copied(packed, tmp_path)
    (pack,) = (copy / ".git/objects/pack").glob("*.pack")
    whole = pack.read_bytes()
    index = pack.with_suffix(".idx")
    content = index.read_bytes()
    for data in (whole[:12], whole[:13], whole[:40], whole[: len(whole) // 3], b"", b"\xff" * len(whole)):
        pack.write_bytes(data)
        with pytest.raises(NoxEnvsError):
            opened(copy).read("HEAD~3", "requirements/tests.txt")
    pack.write_bytes(whole)
    for data in (content[:200], content[:1400], b"\0" * len(content)):
        index.write_bytes(data)
        with pytest.raises(NoxEnvsError, match="cannot be read"):
            opened(copy).read("HEAD~3", "requirements/tests.txt")


def test_any_damage_to_a_pack_is_an_error_or_no_harm(packed: Path, tmp_path: Path) -> None:
    copy = copied(packed, tmp_path)
    (pack,) = (copy / ".git/objects/pack").glob("*.pack")
    whole = pack.read_bytes()
    expected = opened(packed).read("HEAD~3", "requirements/tests.txt")
    errors = 0
    for at in range(12, len(whole), max(1, len(whole) // 60)):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            assert opened(copy).read("HEAD~3", "requirements/tests.txt") == expected
        except NoxEnvsError:
            errors += 1
    assert errors


def test_a_pack_whose_kinds_are_wrong_is_an_error(packed: Path, tmp_path: Path) -> None:
    copy = copied(packed, tmp_path)
    (pack,) = (copy / ".git/objects/pack").glob("*.pack")
    whole = pack.read_bytes()
    newest = run_git(packed, "rev-parse", "HEAD").strip()
    listed = run_git(packed, "verify-pack", "-v", str(next((packed / ".git/objects/pack").glob("*.idx"))))
    offset = next(int(line.split()[4]) for line in listed.splitlines() if line.startswith(newest))
    # Kind 5 is not used, 6 and 7 are deltas (gitformat-pack(5)); the base of such is no base here.
    for kind in (0, 5, 6, 7):
        first = whole[offset] & 0b10001111 | kind << 4
        for following in (whole[offset + 1 : offset + 32], b"\x00" * 31, b"\xff" * 31):
            pack.write_bytes(whole[:offset] + bytes([first]) + following + whole[offset + 32 :])
            with pytest.raises(NoxEnvsError):
                opened(copy).tree("HEAD")


def test_a_tree_or_commit_that_is_damaged_is_an_error(loose: Path, tmp_path: Path) -> None:
    import hashlib

    copy = copied(loose, tmp_path)

    def put(kind: str, data: bytes) -> str:
        content = f"{kind} {len(data)}".encode() + b"\0" + data
        identifier = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        folder = copy / ".git/objects" / identifier[:2]
        folder.mkdir(exist_ok=True)
        (folder / identifier[2:]).write_bytes(zlib.compress(content))
        return identifier

    for tree in (b"100644 a", b"nothing\0" + b"x" * 20, b"100644 a\0short"):
        with pytest.raises(NoxEnvsError, match="a git tree is damaged"):
            opened(copy).files(put("tree", tree), "")
    with pytest.raises(NoxEnvsError, match="a git commit has no valid tree"):
        opened(copy).tree(put("commit", b"author nobody\n\ntree 0\n"))
    commit = put("commit", b"tree " + b"0" * 40 + b"\nparent ../../secret\n\n")
    with pytest.raises(NoxEnvsError, match="a git commit has no valid parent"):
        opened(copy).resolve(f"{commit}^")
    with pytest.raises(NoxEnvsError, match="is a blob, not a tree"):
        opened(copy).files(put("commit", b"tree " + put("blob", b"x").encode() + b"\n\n"), "")


def test_a_reference_that_leads_nowhere_is_no_revision(loose: Path, tmp_path: Path) -> None:
    copy = copied(loose, tmp_path)
    heads = copy / ".git/refs/heads"
    (heads / "circle").write_text("ref: refs/heads/circle\n")
    (heads / "outside").write_text("ref: ../../../secret\n")
    (heads / "text").write_text("no id\n")
    (heads / "empty").write_text("")
    for name in ("circle", "outside", "text", "empty"):
        with pytest.raises(NoxEnvsError, match="there is no revision"):
            opened(copy).resolve(name)


def test_alternates_that_name_each_other_end(loose: Path, tmp_path: Path) -> None:
    copy = copied(loose, tmp_path)
    objects = copy / ".git/objects"
    (objects / "info").mkdir(exist_ok=True)
    (objects / "info/alternates").write_text(f"{objects}\n# a comment\n\n../objects\nnowhere\n")
    assert opened(copy).read("HEAD", "requirements/docs.txt") == b"sphinx==8.0\n"


@settings(deadline=None)
@given(base=st.binary(max_size=60), delta=st.binary(max_size=60))
def test_any_delta_is_applied_or_refused(base: bytes, delta: bytes) -> None:
    try:
        built = apply_delta(base, delta)
    except (ValueError, IndexError):
        return
    assert len(built) < 1 << 26


@pytest.mark.parametrize(
    "delta",
    [
        b"\x03\x03",  # nothing where three bytes are due
        b"\x03\x02\x90\x03",  # more than was said
        b"\x03\x03\x91\x01\x03",  # from behind the end
        b"\x03\x03\x00",  # no instruction
        b"\x03\x03\x05ab",  # cut off
        b"\x02\x03\x90\x03",  # another base
        b"\xff" * 12,  # a size without an end
        b"",
    ],
)
def test_a_delta_that_does_not_fit_is_refused(delta: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        apply_delta(b"abc", delta)


def test_a_delta_copies_and_inserts() -> None:
    assert apply_delta(b"abc", b"\x03\x05\x90\x02\x02xy\x91\x02\x01") == b"abxyc"


@settings(deadline=None)
@given(data=st.binary(max_size=200), size=st.integers(min_value=0, max_value=250))
def test_only_a_stream_of_the_right_size_is_read(data: bytes, size: int, tmp_path_factory: object) -> None:
    import io

    stream = io.BytesIO(zlib.compress(data))
    if size == len(data):
        assert inflate(stream, size) == data
    else:
        with pytest.raises(ValueError, match="size"):
            inflate(stream, size)


def test_a_stream_that_would_fill_the_memory_is_refused() -> None:
    import io

    bomb = zlib.compress(b"\0" * 10_000_000)
    with pytest.raises(ValueError, match="size"):
        inflate(io.BytesIO(bomb), 100)
    with pytest.raises(ValueError, match="more than"):
        inflate(io.BytesIO(bomb), 1 << 40)
