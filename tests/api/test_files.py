"""Files as documents."""

import pytest

from api.files import File, files_under
from index.documents import Draft
from index.errors import BadRequest, Rejected
from tests.privileges import locked_folder, without_privileges


def test_a_file_is_a_document_with_its_place_as_uri_and_its_kind_by_suffix_or_content(tmp_path):
    (tmp_path / "a.md").write_text("# Iron")
    (tmp_path / "b.bin").write_bytes(b"\x00\x01")
    (tmp_path / "c").write_text("Lead.")
    assert [file.draft() for file in files_under([tmp_path])] == [
        Draft("a.md", media_type="text/markdown", content=b"# Iron", uri=(tmp_path / "a.md").as_uri()),
        Draft("b.bin", media_type="application/octet-stream", content=b"\x00\x01", uri=(tmp_path / "b.bin").as_uri()),
        Draft("c", media_type="text/plain", content=b"Lead.", uri=(tmp_path / "c").as_uri()),
    ]


def test_what_can_not_be_read_is_among_the_files_and_says_so_when_it_is_read():
    with locked_folder() as folder, without_privileges():
        found = files_under([folder])
        assert [file.doc_id for file in found] == ["b.md", "locked"]
        for file in found:
            with pytest.raises(Rejected, match=r"^unreadable: Permission denied$"):
                file.draft()


def test_a_file_that_has_no_end_is_too_large(tmp_path):
    (tmp_path / "zeros").symlink_to("/dev/zero")
    with pytest.raises(Rejected, match=r"^too_large: at most 33554432 bytes are taken$"):
        File("zeros", tmp_path / "zeros").draft()


def test_more_files_than_may_be_are_not_listed_to_the_end(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("x")
    assert len(files_under([tmp_path], most=3)) == 3
    with pytest.raises(BadRequest, match="there are more than 2 files in"):
        files_under([tmp_path], most=2)
