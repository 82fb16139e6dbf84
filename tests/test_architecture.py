"""Structure is a test: who may import whom, where each library lives, who reads the environment, what the lock holds."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
# What each room may import of ours. The deployments name everything else by its entry point only.
ARROWS = {
    "index": (),
    "tasks": ("index",),
    "evals": ("tasks", "index"),
    "flows": ("evals", "tasks", "index"),
    "api": ("tasks", "index"),
    "deployments": ("index.settings", "index.exposure"),
}
HOMES = {
    "lancedb": ("index",),
    "lance": ("index",),
    "sentence_transformers": ("index", "tasks/rerank.py"),
    "great_expectations": ("tasks/validate.py",),
    "ragas": ("evals",),
    "prefect": ("flows",),
    "litestar": ("api",),
}
ENVIRONMENT_HOME = "index/settings.py"
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base"}
NEVER_LOCKED = re.compile(r"nvidia-|cuda-|triton$")


def arrow_problems(path: str, source: str) -> list[str]:
    """Imports of our own modules that the room of `path` must not have."""
    room = path.split("/", maxsplit=1)[0]
    ours = [module for module in imported(path, source) if module.split(".")[0] in (*ARROWS, "tests")]
    allowed = (room, *ARROWS[room])
    return [f"{path} imports {module}" for module in ours if not any(is_within(module, module_allowed) for module_allowed in allowed)]


def home_problems(path: str, source: str) -> list[str]:
    """Imports of libraries that live somewhere else."""
    strays = [library for module in imported(path, source) if (library := module.split(".")[0]) in HOMES]
    return [f"{path} imports {library}" for library in strays if not any(is_below(path, home) for home in HOMES[library])]


def environment_problems(path: str, source: str) -> list[str]:
    """Reads of the environment. Writing is no read; a deployment may hand the whole of it on to its child processes."""
    if path == ENVIRONMENT_HOME:
        return []
    parents = {child: node for node in nodes(source) for child in ast.iter_child_nodes(node)}
    problems = [f"{path} imports os.{name}" for name in environment_names(source)]
    for node in nodes(source):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"):
            continue
        if node.attr in ("getenv", "getenvb", "environb"):
            problems.append(f"{path}:{node.lineno} reads os.{node.attr}")
        if node.attr == "environ" and not may_use(path, node, parents):
            problems.append(f"{path}:{node.lineno} reads os.environ")
    return problems


def may_use(path: str, environ: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether `os.environ` is written to; or, in a deployment, handed on whole."""
    parent = parents[environ]
    if isinstance(parent, ast.Subscript):
        return not isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Attribute):
        call = parents[parent]
        discarded = isinstance(parents.get(call), ast.Expr)
        return (parent.attr == "setdefault" and discarded) or (parent.attr == "copy" and is_below(path, "deployments"))
    return is_below(path, "deployments") and not isinstance(parent, ast.Compare | ast.For | ast.comprehension)


def environment_names(source: str) -> list[str]:
    """Names that reach the environment and are imported from `os` directly."""
    imports = [node for node in nodes(source) if isinstance(node, ast.ImportFrom) and node.module == "os"]
    return [alias.name for node in imports for alias in node.names if alias.name.startswith(("environ", "getenv"))]


def name_problems(path: str) -> list[str]:
    """File and folder names that say nothing."""
    parts = PurePosixPath(path).with_suffix("").parts
    return [f"{path} is named {part}" for part in parts if part in FORBIDDEN_NAMES]


def lock_problems(pyproject: str, lock: str) -> list[str]:
    """Direct dependencies that the lock does not pin as asked for, and packages that only a GPU needs."""
    project = tomllib.loads(pyproject)["project"]
    asked = project["dependencies"] + [line for group in project.get("optional-dependencies", {}).values() for line in group]
    pins = {}
    problems = []
    for line in filter(None, (line.partition("#")[0].strip() for line in lock.splitlines())):
        pin = Requirement(line)
        versions = [specifier.version for specifier in pin.specifier if specifier.operator == "=="]
        if len(versions) != 1 or "*" in versions[0]:
            problems.append(f"{line} is not pinned")
        pins[canonicalize_name(pin.name)] = versions[0] if versions else "0"
    for dependency in map(Requirement, asked):
        version = pins.get(canonicalize_name(dependency.name))
        if version is None or not dependency.specifier.contains(version, prereleases=True):
            problems.append(f"{dependency} is locked at {version}")
    return problems + [f"{name} needs a GPU" for name in pins if NEVER_LOCKED.match(name)]


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All of the tree of a file, which several rules look at."""
    return tuple(ast.walk(ast.parse(source)))


def imported(path: str, source: str) -> Iterator[str]:
    """The full name of each module that is imported, also inside functions, relatively, or by `import_module`."""
    for node in nodes(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = PurePosixPath(path).parts[: -node.level] if node.level else ()
            module = ".".join((*package, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.args[0] if node.args else None, ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield str(ast.literal_eval(node.args[0]))


def is_within(module: str, package: str) -> bool:
    """Whether the module is the package or in it."""
    return module == package or module.startswith(package + ".")


def is_below(path: str, home: str) -> bool:
    """Whether the path is the home or in it."""
    return PurePosixPath(path).is_relative_to(home)


FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for room in ARROWS for path in sorted((ROOT / room).rglob("*.py"))
}


def test_every_room_is_looked_at():
    assert {path.split("/")[0] for path in FILES} == set(ARROWS)
    assert "index/search.py" in FILES


def test_rooms_import_only_along_the_arrows():
    assert [problem for path, source in FILES.items() for problem in arrow_problems(path, source)] == []


def test_libraries_are_imported_only_in_their_homes():
    assert [problem for path, source in FILES.items() for problem in home_problems(path, source)] == []


def test_only_the_settings_read_the_environment():
    assert [problem for path, source in FILES.items() for problem in environment_problems(path, source)] == []


def test_no_file_has_a_name_that_says_nothing():
    assert [problem for path in FILES for problem in name_problems(path)] == []


def test_the_lock_pins_what_the_project_asks_for_and_needs_no_gpu():
    assert lock_problems((ROOT / "pyproject.toml").read_text(), (ROOT / "requirements.lock").read_text()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("index/a.py", "from tasks.chunk import Chunker"),
        ("index/a.py", "def late():\n    import tasks"),
        ("tasks/a.py", "from evals import gate"),
        ("tasks/a.py", "import api.app"),
        ("evals/a.py", "from flows.steps import ingest"),
        ("api/a.py", "from evals.report import chart"),
        ("api/a.py", "from importlib import import_module\nimport_module('flows.serve')"),
        ("flows/a.py", "from api.replies import Reply"),
        ("flows/a.py", "from deployments import local"),
        ("deployments/a.py", "from index.store import open_store"),
        ("deployments/a.py", "from index import settings, store"),
        ("deployments/a.py", "import flows.serve"),
        ("index/a.py", "from tests.fakes import HashingEmbedder"),
    ],
)
def test_an_import_against_the_arrows_is_found(path: str, source: str):
    assert len(arrow_problems(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tasks/a.py", "from index.store import Store"),
        ("flows/a.py", "import evals.gate, tasks.sweep, index"),
        ("api/a.py", "from api.replies import Reply"),
        ("api/sub/a.py", "from .contracts import Reply\nfrom ..app import make"),
        ("deployments/a.py", "from index.settings import Settings"),
        ("deployments/a.py", "from index import settings"),
        ("index/a.py", "import indexed, tasksets, os"),
    ],
)
def test_an_import_along_the_arrows_is_fine(path: str, source: str):
    assert arrow_problems(path, source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tasks/a.py", "import lancedb"),
        ("tasks/a.py", "from lance.dataset import LanceDataset"),
        ("evals/a.py", "def late():\n    from sentence_transformers import SentenceTransformer"),
        ("tasks/chunk.py", "import great_expectations as gx"),
        ("tasks/a.py", "import ragas.metrics"),
        ("api/a.py", "from prefect.client import get_client"),
        ("deployments/a.py", "import prefect"),
        ("flows/a.py", "from litestar import get"),
    ],
)
def test_a_library_away_from_home_is_found(path: str, source: str):
    assert len(home_problems(path, source)) == 1


def test_a_library_at_home_is_fine():
    assert home_problems("index/sub/a.py", "import lancedb.expr") == []
    assert home_problems("tasks/rerank.py", "import sentence_transformers") == []
    assert home_problems("api/a.py", "import prefect_like, httpx") == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tasks/a.py", "import os\nhome = os.environ['HOME']"),
        ("tasks/a.py", "import os\nhome = os.environ.get('HOME')"),
        ("tasks/a.py", "import os\nhome = os.environ.setdefault('HOME', '/')"),
        ("tasks/a.py", "import os\nchild(env=os.environ)"),
        ("api/a.py", "import os\nhome = os.getenv('HOME')"),
        ("api/a.py", "from os import environ"),
        ("api/a.py", "from os import getenv as g"),
        ("deployments/a.py", "import os\nif 'HOME' in os.environ: pass"),
        ("deployments/a.py", "import os\nport = os.environ['PORT']"),
        ("deployments/a.py", "import os\nport = os.environ.get('PORT')"),
        ("deployments/a.py", "import os\nport = [name for name in os.environ]"),
    ],
)
def test_a_read_of_the_environment_is_found(path: str, source: str):
    assert len(environment_problems(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("index/settings.py", "import os\nhome = os.environ['HOME']"),
        ("index/embedder.py", "import os\nos.environ.setdefault('HF_HUB_OFFLINE', '1')"),
        ("evals/a.py", "import os\nos.environ['RAGAS_DO_NOT_TRACK'] = 'true'"),
        ("deployments/a.py", "import os\nchild(env={**os.environ, 'PORT': '1'})"),
        ("deployments/a.py", "import os\nchild(env=os.environ.copy())"),
        ("deployments/a.py", "import os\nchild(os.environ)"),
        ("tasks/a.py", "import os\nos.fsync(1)"),
    ],
)
def test_writing_the_environment_or_handing_it_on_is_fine(path: str, source: str):
    assert environment_problems(path, source) == []


def test_a_name_that_says_nothing_is_found():
    assert name_problems("tasks/utils.py") == ["tasks/utils.py is named utils"]
    assert name_problems("evals/common/gate.py") == ["evals/common/gate.py is named common"]
    assert name_problems("index/database.py") == []


PROJECT = '[project]\ndependencies = ["LanceDB>=0.40"]\noptional-dependencies.dev = ["pytest>=9"]\n'


@pytest.mark.parametrize(
    ("lock", "problem"),
    [
        ("pytest==9.2.0", "LanceDB>=0.40 is locked at None"),
        ("lancedb==0.40.0", "pytest>=9 is locked at None"),
        ("lancedb==0.39.1\npytest==9.2.0", "LanceDB>=0.40 is locked at 0.39.1"),
        ("lancedb==0.40.0\npytest==9.2.0\nrich>=14", "rich>=14 is not pinned"),
        ("lancedb==0.40.0\npytest==9.2.0\nnvidia-cublas-cu12==12.8", "nvidia-cublas-cu12 needs a GPU"),
        ("lancedb==0.40.0\npytest==9.2.0\ncuda_bindings==12.9", "cuda-bindings needs a GPU"),
        ("lancedb==0.40.0\npytest==9.2.0\ntriton==3.4.0", "triton needs a GPU"),
    ],
)
def test_a_bad_lock_is_found(lock: str, problem: str):
    assert lock_problems(PROJECT, lock) == [problem]


def test_a_good_lock_is_fine():
    assert lock_problems(PROJECT, "# made by make lock\nlancedb==0.40.0  # via\npytest==9.2.0\n") == []
