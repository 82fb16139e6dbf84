"""What parsers get out of a folder of documents, and how many PDF pages they read in a second.

The libraries beside ours are no dependencies of the product: those that can be imported take part. A word, heading or row
counts as being in a document when two of the others have found it there (none of them knows the truth, and two seldom
make the same mistake). Ours has no say in it: it stands on some of them.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from evals.bench import progress
from evals.bench.figures import Case, Figure, median
from evals.bench.options import Options
from index.documents import Draft
from index.errors import Misconfigured
from tasks.parse import SUFFIXES
from tasks.parsers import Parsers

PART = "parse"
OURS = "Groundwork"
PAGES = 200
ROUNDS = 5
TIMEOUT_S = 300
# Each is a program of its own, so that neither its libraries nor its memory are counted for another one.
LOOP = """
import json, resource, sys, time
for line in sys.stdin:
    path, kind = json.loads(line)
    data = open(path, "rb").read()
    try:
        text, pages = read(path, data, kind)
        began = time.perf_counter()
        read(path, data, kind)
        seconds = time.perf_counter() - began
    except Exception:  # whatever a library trips over, it has read nothing
        text, pages, seconds = "", 0, 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([text, pages, seconds, peak]), flush=True)
"""
READERS = {
    OURS: """
from index.documents import Draft
from tasks.parse import parse
def read(path, data, kind):
    found = parse(Draft("a", media_type=kind, content=data))
    return found.text, len(found.pages)
""",
    "kreuzberg": """
import kreuzberg
config = kreuzberg.ExtractionConfig(
    output_format="markdown", use_cache=False, disable_ocr=True, pages=kreuzberg.PageConfig(extract_pages=True))
def read(path, data, kind):
    found = kreuzberg.extract_bytes_sync(data, kind, config)
    return found.content, len(found.pages or ())
""",
    "markitdown": """
import io, os
from markitdown import MarkItDown, StreamInfo
reader = MarkItDown(enable_plugins=False)
def read(path, data, kind):
    return reader.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=os.path.splitext(path)[1])).text_content, 0
""",
    "oxide": """
import office_oxide, pdf_oxide
def read(path, data, kind):
    if kind != "application/pdf":
        return office_oxide.Document.from_bytes(data, path.rsplit(".", 1)[1]).to_markdown(), 0
    found = pdf_oxide.PdfDocument.from_bytes(data)
    return "\\n\\n".join(found.to_markdown(at) for at in range(found.page_count())), found.page_count()
""",
    "pypdfium2, text alone": """
import pypdfium2
def read(path, data, kind):
    pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data)]
    return "\\n".join(pages), len(pages)
""",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one parser found in one document."""

    text: str
    pages: int
    seconds: float
    peak_kib: int


def parse(options: Options) -> list[Figure]:
    """The parsers over the documents in `data`, where it is given; and always, pages a second of a made PDF."""
    figures = []
    if options.data:
        paths = [path for path in sorted(options.data.iterdir()) if path.suffix.lower() in SUFFIXES]
        if not paths:
            raise Misconfigured(f"{options.data} holds no documents to parse")
        readings = {name: found for name in progress.steps("parsing", list(READERS)) if (found := _read_all(name, paths))}
        figures += compared(readings)
    return figures + _pages_a_second(options.docs or PAGES)


def compared(readings: Mapping[str, Sequence[Reading]]) -> list[Figure]:
    """Each parser's share of what two of them found, over the documents that it read; then its time and memory."""
    figures = []
    others = [found for name, found in readings.items() if name != OURS]
    for name, found in readings.items():
        case = Case(PART, name)
        read = [at for at, reading in enumerate(found) if reading.text.strip()]
        figures.append(case.figure("documents with text", len(read), "documents"))
        for metric, counted in (("words", words), ("headings", headings), ("table rows", rows)):
            pairs = [(counted(found[at].text), agreed([counted(other[at].text) for other in others])) for at in read]
            figures.append(case.figure(f"{metric} found", _recall(pairs), ""))
        figures += [
            case.figure("documents with page numbers", sum(reading.pages > 0 for reading in found), "documents"),
            case.figure("time", sum(reading.seconds for reading in found), "s"),
            case.figure("peak memory", max(reading.peak_kib for reading in found) / 1024, "MiB"),
        ]
    return figures


def words(text: str) -> Counter[str]:
    """The words, without the addresses of links."""
    return Counter(re.findall(r"\w+", re.sub(r"\]\([^)]*\)", "] ", text).lower()))


def headings(text: str) -> Counter[str]:
    """The headings, whatever their level."""
    return Counter(_plain(heading) for heading in re.findall(r"^ {0,3}#{1,6} +(.+)$", text, re.MULTILINE))


def rows(text: str) -> Counter[str]:
    """The rows of tables, without empty cells."""
    lines = (line.strip() for line in text.split("\n"))
    cells = (filter(None, map(_plain, line.strip("|").split("|"))) for line in lines if line.startswith("|") and line.endswith("|"))
    return Counter(filter(None, map(" | ".join, cells)))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def agreed(found: Sequence[Counter[str]]) -> Counter[str]:
    """What at least two have found, as often as two have."""
    if len(found) < 2:
        return Counter()
    return +Counter({item: sorted((each[item] for each in found), reverse=True)[1] for item in set().union(*found)})


def _recall(documents: Iterable[tuple[Counter[str], Counter[str]]]) -> float:
    """The mean over the documents of the share of what was agreed on that a parser found."""
    shares = [(found & truth).total() / truth.total() for found, truth in documents if truth]
    return sum(shares) / len(shares) if shares else 0.0


def _read_all(name: str, paths: Sequence[Path]) -> list[Reading]:
    """What a parser finds in each file; nothing when it is not installed."""
    questions = "".join(json.dumps([str(path), SUFFIXES[path.suffix.lower()]]) + "\n" for path in paths)
    command = [sys.executable, "-W", "ignore", "-c", READERS[name] + LOOP]
    ended = subprocess.run(command, input=questions, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603 - our own program
    found = [Reading(*json.loads(line)) for line in ended.stdout.splitlines() if line.startswith("[")]
    return found if len(found) == len(paths) else []


def _pages_a_second(pages: int) -> list[Figure]:
    """Our pages a second with one process, everything included, beside the library alone in this one."""
    import pypdfium2

    content = _pdf(pages)

    def alone() -> None:
        for page in pypdfium2.PdfDocument(content):
            page.get_textpage().get_text_range()

    with Parsers(processes=1) as parsers:
        ours = _speed(pages, lambda: parsers.parse_all([Draft("a", media_type="application/pdf", content=content)]))
    case, baseline = Case(PART, f"{OURS}, one process"), Case(PART, "pypdfium2, text alone")
    raw = baseline.figure("PDF pages a core", _speed(pages, alone), "pages/s")
    return [case.figure("PDF pages a core", ours, "pages/s").against(raw), raw]


def _speed(pages: int, read: Callable[[], object]) -> float:
    read()
    seconds = []
    for _ in range(ROUNDS):
        began = perf_counter()
        read()
        seconds.append(perf_counter() - began)
    return pages / median(seconds)


def _pdf(pages: int) -> bytes:
    """A PDF whose pages have a heading and 40 lines of 12 words each."""
    line = "when apples are ripe they are kept cool and dark until spring"
    lines = "".join(f"BT /F 10 Tf 50 {720 - 16 * at} Td ({line}) Tj ET\n" for at in range(40))
    drawn = f"BT /F 18 Tf 50 750 Td (The orchard) Tj ET\n{lines}"
    kids = " ".join(f"{at} 0 R" for at in range(5, 5 + pages))
    resources = "/Resources << /Font << /F 3 0 R >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        *[f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {resources} /Contents 4 0 R >>"] * pages,
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(places) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + end.encode()
