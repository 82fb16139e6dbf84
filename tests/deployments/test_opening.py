import json
import shlex
import subprocess

from deployments import opening


def arguments(command):
    """What a shell makes of a command, with `curl` replaced by a program that prints its arguments."""
    script = command.replace("curl ", "printf '%s\\n' ", 1)
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_first_question_can_be_pasted_into_a_shell(tmp_path):
    key_file = tmp_path / "my home" / "admin.key"
    key_file.parent.mkdir()
    key_file.write_text("gw_secret\n")
    given = arguments(opening.ask_command("http://127.0.0.1:8000", str(key_file)))
    assert "http://127.0.0.1:8000/v1/answers" in given
    assert "Authorization: Bearer gw_secret" in given
    assert json.loads(given[-1]) == {"question": "Which package orchestrates and schedules workflows?"}


def test_the_key_itself_is_never_shown(tmp_path):
    (tmp_path / "admin.key").write_text("gw_secret")
    assert "gw_secret" not in opening.put_command("http://127.0.0.1:8000", str(tmp_path / "admin.key"))


def test_without_the_sample_a_document_is_put_in_and_searched():
    put, search = opening.put_command("http://127.0.0.1:8000", "data/admin.key").split("\ncurl ")
    assert shlex.split(put)[:5] == ["curl", "-sS", "-X", "PUT", "http://127.0.0.1:8000/v1/documents/hello?wait=10"]
    assert "/v1/search" in search
