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


def test_a_part_that_goes_on_writing_has_its_large_log_put_aside(tmp_path):
    log = tmp_path / "api.log"
    with logs.opened(log) as descriptor:
        os.write(descriptor, b"a" * (11 * 1024 * 1024))
        logs.keep_small(log)
        os.write(descriptor, b"on it goes\n")
        logs.keep_small(log)
    assert log.read_bytes() == b"on it goes\n"
    assert (tmp_path / "api.log.1").stat().st_size == 11 * 1024 * 1024
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api.log", "api.log.1"]


def test_the_end_of_a_log_is_its_last_lines(tmp_path):
    write(tmp_path / "api.log", "".join(f"line {number}\n" for number in range(20_000)))
    assert logs.last_lines(tmp_path / "api.log", 2) == ["line 19998", "line 19999"]


def test_a_part_that_never_wrote_has_no_last_lines(tmp_path):
    assert logs.last_lines(tmp_path / "api.log") == []
