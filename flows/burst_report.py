"""What a burst of ingestion did, as the Markdown that Prefect shows (pure)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tasks.batch import Outcome

MAX_ROWS = 200
MAX_NAMES = 50
CONTRACT_BROKEN = "invalid: "


def summary(rows: Sequence[Outcome]) -> str:
    """One line about a burst."""
    documents = counted(sum(row.documents for row in rows), "document")
    texts = counted(sum(row.embedded for row in rows), "text")
    quarantined = sum(len(row.quarantined) for row in rows)
    duplicates = sum(row.duplicates for row in rows)
    folded = f", {counted(duplicates, 'duplicate')} folded" if duplicates else ""
    aside = f", {quarantined} quarantined" if quarantined else ""
    return f"{documents} in {counted(len(rows), 'batch', 'batches')}, {texts} embedded{folded}{aside}"


def report(rows: Sequence[Outcome]) -> str:
    """A burst: its batches, where the time went, what the data contract said, what was folded and what was set aside."""
    parts = [f"## {summary(rows)}", *_alarms(rows), _batches(rows[-MAX_ROWS:])]
    parts += ["### Where the time went", _table(("step", "seconds"), [(step, f"{spent:.2f}") for step, spent in _steps(rows).items()])]
    parts += _contract(rows) + _folded(rows) + _quarantined(rows)
    return "\n\n".join(parts)


def counted(number: int, one: str, more: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def _alarms(rows: Sequence[Outcome]) -> list[str]:
    stopped = [f"> **Release {row.release}: nothing of the batch was indexed.** {row.stopped}" for row in rows if row.stopped]
    return stopped + [f"> Release {row.release} is unusual: {'; '.join(row.unusual)}" for row in rows if row.unusual]


def _batches(rows: Sequence[Outcome]) -> str:
    head = ("release", "documents", "chunks written", "deleted", "embedded", "quarantined", "seconds")
    return _table(
        head,
        [
            (row.release, row.documents, row.written, row.deleted, row.embedded, len(row.quarantined), f"{sum(row.seconds.values()):.2f}")
            for row in rows
        ],
    )


def _steps(rows: Iterable[Outcome]) -> Mapping[str, float]:
    steps: dict[str, float] = {}
    for row in rows:
        for step, seconds in row.seconds.items():
            steps[step] = steps.get(step, 0.0) + seconds
    return steps


def _contract(rows: Sequence[Outcome]) -> list[str]:
    """Rows by suite, and which expectation how many documents have failed."""
    checked: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for row in rows:
        checked.update(row.checked)
        failed.update(reason.removeprefix(CONTRACT_BROKEN) for reason in row.reasons.values() if reason.startswith(CONTRACT_BROKEN))
    if not checked:
        return []
    by_suite = _table(("suite", "rows checked"), [*checked.items()])
    by_expectation = [_table(("expectation", "documents that failed it"), failed.most_common())] if failed else ["Every row passed."]
    return ["### The data contract (Great Expectations)", by_suite, *by_expectation]


def _folded(rows: Sequence[Outcome]) -> list[str]:
    written, embedded = sum(row.written for row in rows), sum(row.embedded for row in rows)
    if written <= embedded:
        return []
    duplicates = sum(row.duplicates for row in rows)
    return [
        "### What was saved",
        (
            f"{written - embedded} of {counted(written, 'chunk')} had a vector already; "
            f"{counted(duplicates, 'document says', 'documents say')} the same as another one."
        ),
    ]


def _quarantined(rows: Sequence[Outcome]) -> list[str]:
    names = [(doc_id, row.reasons.get(doc_id, "")) for row in rows for doc_id in row.quarantined][:MAX_NAMES]
    if not names:
        return []
    # Ids and reasons hold what documents hold: nothing in them may end the code span.
    lines = [f"- `{doc_id.replace('`', chr(39))}`{': ' if reason else ''}{_plain(reason)}" for doc_id, reason in names]
    return ["### Quarantined", "\n".join(lines)]


def _plain(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\`*_[]<>|#!" else character for character in text[:300])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    align = ["---" if name in ("step", "suite", "expectation") else "---:" for name in head]
    lines = [head, align, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
