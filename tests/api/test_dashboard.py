"""The dashboard and the alert rules name only metrics that a running API has, and sections that say what to do."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deployments/grafana/dashboard.json").read_text())
RULES = yaml.safe_load((ROOT / "deployments/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
# Not before there was an evaluation, or a run of canaries.
LATER = {"groundwork_canary_mean_reciprocal_rank"}
PANELS = {panel["title"]: panel["targets"][0]["expr"] for panel in DASHBOARD["panels"]}


@pytest.fixture(scope="module")
def exposed(api):
    """The names of the metrics after some traffic."""
    api.post("/v1/search", {"query": "copper"})
    api.post("/v1/answers", {"question": "Where is the great copper mine?"})
    api.get("/v1/releases/98765")
    text = api.get("/metrics").text
    families = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    return families | set(re.findall(r"^(groundwork\w+)", text, re.MULTILINE)) | {f"{name}_bucket" for name in families}


@pytest.mark.parametrize("name", [*PANELS, *(rule["alert"] for rule in RULES)])
def test_each_metric_of_a_panel_or_a_rule_exists(exposed, name):
    expression = PANELS.get(name) or next(rule["expr"] for rule in RULES if rule["alert"] == name)
    named = set(re.findall(r"groundwork_\w+", expression)) - LATER
    assert named <= exposed


def test_each_alert_says_what_to_do_in_a_section_that_exists():
    sections = {
        "-".join(re.findall(r"\w+", line.lower())) for line in (ROOT / "docs/operating.md").read_text().splitlines() if line.startswith("#")
    }
    for rule in RULES:
        page, _, section = rule["annotations"]["runbook"].partition("#")
        assert (page, section in sections) == ("docs/operating.md", True), section
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_panels_do_not_lie_on_each_other():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
