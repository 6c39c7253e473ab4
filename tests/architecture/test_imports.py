"""The rule: the six steps never import one another; only `app` knows them all."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "embellie"

MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "stats": set(),
    "ports": {"domain", "stats"},
    "frame": {"domain", "stats", "ports"},
    "recommend": {"domain", "stats", "ports"},
    "measure": {"domain", "stats", "ports"},
    "decide": {"domain", "stats", "ports"},
    "serve": {"domain", "ports"},
    "release": {"domain", "ports"},
    "store": {"domain", "stats", "ports"},
    "sandbox": {"domain", "stats", "ports"},
    "testing": {"domain", "stats", "ports", "sandbox"},
    "app": {
        "domain", "stats", "ports", "frame", "recommend", "serve", "measure", "decide", "release", "store", "sandbox",
    },
    "web": {"domain", "app"},
    "cli": {"domain", "app", "web"},
    "__main__": {"cli"},
    # `answer` joins frame and decide, which only `app` may; it is loaded when asked for, so importing stays free.
    "__init__": {"domain", "stats", "ports", "frame", "recommend", "measure", "decide", "release", "app"},
}  # fmt: skip

THIRD_PARTY: dict[str, set[str]] = {
    "domain": set(),
    "ports": set(),
    "serve": set(),
    "release": set(),
    "stats": {"numpy", "scipy"},
    "frame": {"numpy"},
    "recommend": {"autograd", "lightgbm", "numpy", "scipy"},
    "measure": set(),
    "decide": {"numpy", "scipy"},
    "sandbox": {"numpy"},
    "store": {"duckdb", "feedparser", "grpc", "httpx", "msgspec", "numpy", "obstore", "psycopg", "pyspark", "sqlglot"},
    "testing": {"numpy", "pytest"},
    "app": {"msgspec", "numpy"},
    "web": {"starlette", "uvicorn", "msgspec", "jinja2", "anyio", "opentelemetry"},
    "cli": {"click"},
    "__main__": set(),
    "__init__": set(),
}
"""Extras and numerics stay in the rooms that own them."""


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if "static" not in path.parts)


def imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                found.append((node.lineno, "." * node.level + (node.module or "")))
            elif node.module == "embellie":
                found += [(node.lineno, f"embellie.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, node.module or ""))
    return found


def violations(path: Path) -> list[str]:
    room, found = room_of(path), []
    for line, name in imports(path):
        where = f"{path.relative_to(SOURCE.parent)}:{line}"
        top, _, rest = name.partition(".")
        if name.startswith("."):
            found.append(f"{where} imports {name}: write absolute imports")
        elif top == "embellie":
            other = rest.partition(".")[0]
            if other and other not in MAY_IMPORT[room] | {room} and not other.startswith("__"):
                found.append(f"{where}: `{room}` may not import `{other}`")
        elif top not in sys.stdlib_module_names and top not in THIRD_PARTY[room]:
            found.append(f"{where}: `{room}` may not import `{top}`")
    return found


def test_the_rule_itself_has_no_cycle():
    """The table of rooms can be put in order."""
    graph = {room: others for room, others in MAY_IMPORT.items() if not room.startswith("__")}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_every_room_is_in_the_table():
    """A new folder gets a line in the table, deliberately."""
    assert {room_of(path) for path in modules()} <= set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(room):
    """Each room keeps to its line of the table."""
    found = [line for path in modules() if room_of(path) == room for line in violations(path)]
    assert found == []


def test_no_module_name_occurs_twice():
    """A file name alone says where one is."""
    names = [path.stem for path in modules() if not path.stem.startswith("__")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("room", ["serve", "release", "domain", "ports"])
def test_the_hot_path_loads_no_numerics(room):
    """Importing the hot path loads neither NumPy nor an engine, directly or not."""
    code = f"import sys, embellie.{room}, pkgutil, importlib\n"
    code += f"m = sys.modules['embellie.{room}']\n"
    code += "[importlib.import_module(m.__name__ + '.' + x.name) for x in pkgutil.iter_modules(getattr(m, '__path__', []))]\n"
    code += "print([x for x in ('numpy', 'scipy', 'duckdb', 'starlette', 'click') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_print_stays_in_the_command_line():
    """No print outside `cli`."""
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in modules()
        if room_of(path) != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []


@pytest.mark.parametrize(("module", "names"), [("time", {"time", "time_ns"}), ("datetime", {"now", "utcnow", "today"})])
def test_the_clock_is_read_in_app_only(module, names):
    """Time is an argument; only `app` (and the edges `cli` and `web`) may ask what time it is."""
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in modules()
        if room_of(path) not in {"app", "cli", "web"}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == module
    ]
    assert found == []
