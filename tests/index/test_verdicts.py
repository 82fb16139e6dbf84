import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from index import verdicts
from index.verdicts import VerdictCache, key_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FACTS = {"judge": "j", "metric": "faithfulness", "question": "Who?", "answer": "Ada Lovelace, in her own words", "contexts": ["a", "b"]}


def test_the_key_is_of_all_that_a_verdict_rests_on():
    others = [FACTS | {name: "other"} for name in FACTS] + [FACTS | {"contexts": ["b", "a"]}, FACTS | {"contexts": ["ab"]}]
    assert len({key_of(facts) for facts in [FACTS, *others]}) == 1 + len(others)
    assert key_of(dict(reversed(FACTS.items()))) == key_of(FACTS)


def test_what_was_put_is_there_for_others_and_for_a_while(tmp_path):
    VerdictCache(tmp_path / "v" / "v.sqlite").put("k", 0.5, NOW)
    cache = VerdictCache(tmp_path / "v" / "v.sqlite")
    assert cache.get(["k", "unknown"], NOW) == {"k": 0.5}
    assert cache.get(["k"], NOW + timedelta(days=91)) == {}


def test_old_ones_and_too_many_go(tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "MOST", 2)
    monkeypatch.setattr(verdicts, "SLACK", 0)
    cache = VerdictCache(tmp_path / "v.sqlite")
    for days, key in ((200, "old"), (3, "a"), (2, "b"), (1, "c")):
        cache.put(key, 1.0, NOW - timedelta(days=days))
    cache.trim(NOW)
    assert set(cache.get(["old", "a", "b", "c"], NOW)) == {"b", "c"}


def test_it_survives_being_killed(tmp_path):
    code = (
        "import os, signal, sys; from datetime import UTC, datetime; from pathlib import Path; from index.verdicts import VerdictCache\n"
        "cache = VerdictCache(Path(sys.argv[1]))\n"
        "for n in range(20): cache.put(str(n), n / 20, datetime(2026, 6, 1, tzinfo=UTC))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "v.sqlite"], check=False, cwd=Path(verdicts.__file__).parents[1])
    assert killed.returncode == -9
    assert len(VerdictCache(tmp_path / "v.sqlite").get([str(n) for n in range(20)], NOW)) == 20


def test_a_damaged_file_is_begun_anew_and_one_that_can_not_be_used_keeps_nothing(tmp_path):
    path = tmp_path / "v.sqlite"
    path.write_bytes(b"no database at all" * 100)
    cache = VerdictCache(path)
    cache.put("k", 1.0, NOW)
    assert cache.get(["k"], NOW) == {"k": 1.0}
    (tmp_path / "file").write_text("")
    blocked = VerdictCache(tmp_path / "file" / "v.sqlite")
    blocked.put("k", 1.0, NOW)
    assert blocked.get(["k"], NOW) == {}


def test_no_word_of_what_was_judged_is_in_its_files(tmp_path):
    VerdictCache(tmp_path / "v.sqlite").put(key_of(FACTS), 1.0, NOW)
    assert all(b"Lovelace" not in file.read_bytes() for file in tmp_path.iterdir())
