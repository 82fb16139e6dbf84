"""The threat model names a test on each line, and each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| [^|]+ \| [^|]+ \| `(?P<file>[\w/.]+)::(?P<name>\w+)` \|$")


def test_each_line_of_the_threat_model_names_a_test_that_exists():
    page = (ROOT / "docs" / "security.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        found = ROW.match(row)
        assert found, row
        assert f"def {found['name']}(" in (ROOT / found["file"]).read_text(), row
