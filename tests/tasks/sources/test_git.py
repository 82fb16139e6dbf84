"""Git repositories as sources."""

import subprocess
from pathlib import Path

import pytest

from index.documents import Draft
from index.errors import Misconfigured
from tasks.compare import Changes
from tasks.sources.address import parse_address
from tasks.sources.git import GitSource
from tasks.sources.patterns import Patterns
from tasks.sources.port import Listed
from tasks.sweep import sweep
from tests.bench import Bench


class Repository:
    """A working copy that commits whatever is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.run("init", "--quiet", "--initial-branch=main")

    def run(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        done = subprocess.run(["git", "-C", str(self.folder), *identity, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, **files: str | None) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_md", ".md")
            path.parent.mkdir(exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.run("add", "--all")
        self.run("commit", "--quiet", "--message=more")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repo")
    repository.commit(a_md="Text of a.", docs__b_md="Text of b.")
    return repository


def local(repository: Repository, ref: str = "main") -> GitSource:
    return GitSource("repo", str(repository.folder), ref, None)


def remote(repository: Repository, tmp_path: Path, ref: str = "main") -> GitSource:
    return GitSource("repo", repository.folder.as_uri(), ref, tmp_path / "cache" / "git" / "mirror")


def listed(source: GitSource) -> dict[str, str]:
    return {item.doc_id: item.stamp for item in source.listing() if isinstance(item, Listed)}


def contents(source: GitSource) -> list[bytes]:
    drafts = source.read([item for item in source.listing() if isinstance(item, Listed)])
    return [draft.content for draft in drafts if isinstance(draft, Draft)]


def test_each_file_of_the_commit_is_a_document_stamped_with_its_blob(repository: Repository):
    source = local(repository)
    assert list(listed(source)) == ["repo:a.md", "repo:docs/b.md"]
    assert listed(source)["repo:a.md"] == repository.run("rev-parse", "main:a.md")
    first, second = source.read([item for item in source.listing() if isinstance(item, Listed)])
    assert isinstance(first, Draft)
    assert (first.content, first.media_type, first.source, first.title) == (b"Text of a.", "text/markdown", "repo", None)
    assert isinstance(second, Draft)
    assert second.uri == f"git+file://{repository.folder}@main/docs/b.md"


def test_what_is_not_committed_is_not_in_the_source(repository: Repository):
    (repository.folder / "new.md").write_text("x")
    (repository.folder / "a.md").write_text("changed")
    assert list(listed(local(repository))) == ["repo:a.md", "repo:docs/b.md"]
    assert contents(local(repository)) == [b"Text of a.", b"Text of b."]


def test_links_submodules_hidden_and_other_files_are_left_out(repository: Repository):
    (repository.folder / "link.md").symlink_to("a.md")
    (repository.folder / "photo.png").write_bytes(b"\x89PNG")
    (repository.folder / ".hidden.md").write_text("x")
    repository.run("update-index", "--add", "--cacheinfo", f"160000,{repository.run('rev-parse', 'HEAD')},sub.md")
    repository.run("add", "link.md", "photo.png", ".hidden.md")
    repository.run("commit", "--quiet", "--message=odd")
    assert list(listed(local(repository))) == ["repo:a.md", "repo:docs/b.md"]


def test_patterns_choose_among_the_files(repository: Repository):
    source = GitSource("repo", str(repository.folder), "main", None, Patterns(include=("docs/**",)))
    assert list(listed(source)) == ["repo:docs/b.md"]


def test_a_tag_a_branch_or_a_commit_can_be_the_ref(repository: Repository):
    repository.run("tag", "--annotate", "v1", "--message=one")
    first = repository.run("rev-parse", "HEAD")
    repository.commit(c_md="Text of c.")
    assert len(listed(local(repository))) == 3
    assert len(listed(local(repository, "v1"))) == len(listed(local(repository, first))) == 2


def test_a_remote_repository_is_kept_as_a_mirror_of_the_newest_commit(repository: Repository, tmp_path: Path):
    source = remote(repository, tmp_path)
    assert list(listed(source)) == ["repo:a.md", "repo:docs/b.md"]
    repository.commit(a_md=None, c_md="Text of c.")
    assert list(listed(source)) == ["repo:c.md", "repo:docs/b.md"]
    repository.run("commit", "--quiet", "--amend", "--allow-empty", "--message=forced")
    assert len(listed(source)) == 2
    assert contents(source) == [b"Text of c.", b"Text of b."]


def test_a_repository_or_ref_that_is_away_is_an_error_and_not_an_empty_source(repository: Repository, tmp_path: Path):
    with pytest.raises(OSError, match=r"source repo: git\+file://.*@nowhere can't be read: no commit 'nowhere'"):
        listed(local(repository, "nowhere"))
    source = remote(repository, tmp_path)
    listed(source)
    repository.folder.rename(tmp_path / "away")
    with pytest.raises(OSError, match="can't be read"):
        listed(source)
    with pytest.raises(OSError, match="can't be read"):
        listed(local(repository))


def test_a_folder_inside_a_repository_is_not_taken_for_it(repository: Repository):
    with pytest.raises(OSError, match="not a git repository"):
        listed(GitSource("docs", str(repository.folder / "docs"), "main", None))


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("git+https://me:secret@host/team/repo.git@v2", "git+https://host/team/repo.git@v2"),
        ("git+ssh://git@host/repo.git", "git+ssh://host/repo.git@HEAD"),
        ("git+https://host/repo@feature/x", "git+https://host/repo@feature/x"),
        ("git+file:///srv/repo@main", "git+file:///srv/repo@main"),
    ],
)
def test_an_address_names_repository_and_ref_and_shows_no_credentials(tmp_path: Path, text: str, uri: str):
    source = GitSource.at(parse_address(text), tmp_path)
    assert source.uri == uri
    assert "secret" not in repr(source)
    assert (source.mirror is None) == text.startswith("git+file")


@pytest.mark.parametrize(
    "text",
    [
        "git+file:///repo@--upload-pack=touch",
        "git+file:///repo@-x",
        "git+file://-repo@main",
        "git+https://-oProxyCommand=x/repo@main",
        "git+https://host/repo@a..b",
        "git+https://host/repo@+main:refs/heads/x",
        "git+https://host/repo@a b",
    ],
)
def test_what_git_could_take_for_an_option_or_more_than_a_ref_is_refused(tmp_path: Path, text: str):
    with pytest.raises(Misconfigured, match="can't be a re"):
        GitSource.at(parse_address(text), tmp_path)


@pytest.mark.thorough
def test_sweeps_follow_the_commits(bench: Bench, repository: Repository, tmp_path: Path):
    source = remote(repository, tmp_path)
    assert sweep(bench.store, source).changes.added == ("repo:a.md", "repo:docs/b.md")
    bench.drain()
    repository.commit(a_md=None, c_md="Text of a.", docs__b_md="New text of b.")
    assert sweep(bench.store, source).changes == Changes(
        ("repo:c.md",), ("repo:docs/b.md",), ("repo:a.md",), 0, (("repo:a.md", "repo:c.md"),)
    )
    bench.drain()
    assert sweep(bench.store, source).changes == Changes((), (), (), 2)
    repository.folder.rename(tmp_path / "away")
    with pytest.raises(OSError, match="can't be read"):
        sweep(bench.store, source)
    assert bench.store.inbox.is_empty()
