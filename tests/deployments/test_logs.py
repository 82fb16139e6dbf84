import os

from deployments import logs


def write(path, text):
    with logs.opened(path) as descriptor:
        os.write(descriptor, text.encode())


def test_a_log_is_appended_to(tmp_path):
    write(tmp_path / "logs" / "api.log", "one\n")
    write(tmp_path / "logs" / "api.log", "two\n")
    assert logs.last_lines(tmp_path / "logs" / "api.log") == ["one", "two"]


def test_a_large_log_is_put_aside_and_the_oldest_goes(tmp_path):
    log = tmp_path / "api.log"
    for generation in "abcde":
        write(log, generation * (11 * 1024 * 1024))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api.log", "api.log.1", "api.log.2", "api.log.3"]
    assert [path.read_bytes()[:1] for path in sorted(tmp_path.iterdir())] == [b"e", b"d", b"c", b"b"]


def test_the_end_of_a_log_is_its_last_lines(tmp_path):
    write(tmp_path / "api.log", "".join(f"line {number}\n" for number in range(20_000)))
    assert logs.last_lines(tmp_path / "api.log", 2) == ["line 19998", "line 19999"]


def test_a_part_that_never_wrote_has_no_last_lines(tmp_path):
    assert logs.last_lines(tmp_path / "api.log") == []
