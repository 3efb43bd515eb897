"""Rules that no tool checks: sizes, forbidden words, forbidden packages."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import studio

ROOT = Path(studio.__file__).parent.parent
MODULES = sorted(
    path
    for room in ("studio", "installer", "plugins")
    for path in (ROOT / room).rglob("*.py")
)
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
DRAWING = re.compile(r"^\s*(from|import) PySide6\.(QtWidgets|QtGui)", re.MULTILINE)
HEX_COLOUR = re.compile(r"#(?:[0-9A-Fa-f]{3}){1,2}\b")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_that_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_that_a_function_fits_a_screen(path):
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    long = [
        f"{node.name}: {node.end_lineno - node.lineno}"
        for node in functions
        if node.end_lineno - node.lineno > LONGEST_FUNCTION
    ]
    assert long == []


def test_that_no_model_may_bring_its_own_code():
    guilty = [
        name_of(path)
        for path in MODULES
        if re.search(r"trust_remote_code\s*=\s*True", path.read_text())
    ]
    assert guilty == []


def test_that_colours_stand_in_one_table():
    guilty = [
        name_of(path)
        for path in MODULES
        if "ui" in path.parts
        and path.name != "tokens.py"
        and HEX_COLOUR.search(path.read_text())
    ]
    assert guilty == []


def test_that_only_the_ui_names_widgets():
    guilty = [
        name_of(path)
        for path in MODULES
        if "ui" not in path.parts
        and path.name not in {"app.py", "smoke.py"}
        and DRAWING.search(path.read_text())
    ]
    assert guilty == []


def test_that_no_code_is_fetched_from_a_hub_at_import():
    # bitsandbytes and transformers would load native code through this package.
    assert importlib.util.find_spec("kernels") is None
