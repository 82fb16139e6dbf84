"""The README promises nothing that is not there."""

import re
from pathlib import Path

from api import app, cli
from index.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
NOT_IN_ENVIRONMENT = {"prefect_api_url", "otlp_endpoint", "otlp_traces_endpoint", "otel_exporter", "otel_disabled"}


def test_sections_come_in_the_order_a_newcomer_needs_them():
    headings = re.findall(r"^## (.+)$", README, re.MULTILINE)
    wanted = ["What it cures", "Start", "How data flows", "The rooms", "Operating it", "Tests"]
    assert [heading for heading in headings if heading in wanted] == wanted


def test_every_make_target_it_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", README)) - {"and"}
    assert named
    assert named <= targets


def test_every_setting_is_in_its_table_and_every_setting_it_names_exists():
    fields = {f"GROUNDWORK_{name.upper()}" for name in Settings.model_fields if name not in NOT_IN_ENVIRONMENT}
    written = README.replace("`, `_LLM_", "`, `GROUNDWORK_LLM_").replace("`, `_JUDGE_", "`, `GROUNDWORK_JUDGE_")
    assert set(re.findall(r"GROUNDWORK_[A-Z_]*[A-Z]", written)) == fields


def test_every_command_it_names_exists():
    named = set(re.findall(r"groundwork ([a-z]+)", README)) - {"keys"}
    assert named
    assert named <= {name for name in cli.app if not name.startswith("-")}


def test_every_path_it_names_is_served():
    served = {path for handler in app.HANDLERS for path in handler.paths}
    named = set(re.findall(r"(?:http://127\.0\.0\.1:8000|`(?:POST|GET|PUT|DELETE) )(/v1/[a-z]+)", README))
    assert named
    assert all(any(path.startswith(name) for path in served) for name in named)


def test_nothing_in_it_is_left_to_fill_in():
    assert "@@" not in README
