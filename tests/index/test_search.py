def test_x(bench):
    bench.put("a", "hello world wide")
    assert bench.found("hello") == ["a"]
def test_y(bench):
    bench.put("a", "hello world wide")
    assert bench.found("hello") == ["a"]
    bench.delete("a")
    assert bench.found("hello", release=2) == []
