"""The API listens to other machines only with keys that are kept safe."""

import pytest

from index.exposure import is_exposed, refusal


@pytest.mark.parametrize(
    ("host", "exposed"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.0.2.1", True),
        ("api.example", True),
    ],
)
def test_only_loopback_is_not_exposed(host, exposed):
    assert is_exposed(host) is exposed


@pytest.fixture
def home(tmp_path):
    """With one key, kept as it should be."""
    for name, text in (("keys.json", '[{"id": "a"}]'), ("admin.key", "gw_secret\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def refused(home, host="0.0.0.0"):
    return refusal(host, home / "keys.json", home / "admin.key")


def test_with_keys_that_only_the_owner_can_use_it_listens_to_others(home):
    assert refused(home) is None
    (home / "admin.key").unlink()
    assert refused(home) is None


@pytest.mark.parametrize("text", [None, "", "[]"])
def test_without_a_key_it_does_not_and_says_how_to_make_one(home, text):
    (home / "keys.json").unlink() if text is None else (home / "keys.json").write_text(text)
    assert "groundwork keys create --role admin --offline" in refused(home)
    assert refused(home, "127.0.0.1") is None


@pytest.mark.parametrize("name", ["keys.json", "admin.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_with_keys_that_others_can_use_it_does_not(home, name, mode):
    (home / name).chmod(mode)
    assert f"chmod 600 {home / name}" in refused(home)
    assert refused(home, "::1") is None


def test_with_a_home_that_everybody_may_write_to_it_does_not(home):
    home.chmod(0o777)
    assert "everybody may write" in refused(home)
