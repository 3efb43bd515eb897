"""No finding that the window can show tells its user of a flag.

The sources are read, because only they hold every finding: which texts name a flag, and
by which code each is raised.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import studio
from studio.ui.pages.window_words import WINDOW_WORDS

ROOT = Path(studio.__file__).parent.parent
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
ALONE = re.compile(r"--[a-z][a-z-]*=?")
CODE = re.compile(r"[a-z][a-z-]*\.[a-z][a-z.-]*")
MAKERS = {"refusal", "error", "warning", "Finding", "told", "DataFinding"}
# Rooms whose words reach both readers; `cli` speaks to the terminal alone.
ROOMS = ("engine", "storage", "system", "services", "plugin_api", "protocol", "domain")
NO_FINDINGS = {
    ROOT / "studio" / "engine" / "__main__.py",  # reads arguments
    ROOT / "plugins" / "gguf" / "guide.py",  # writes commands of other programs
}
SOURCES = [
    path
    for folder in (*(ROOT / "studio" / room for room in ROOMS), ROOT / "plugins")
    for path in sorted(folder.rglob("*.py"))
    if path not in NO_FINDINGS
]
NEVER_SHOWN = {
    "address.model": "the form of drafts asks for the name before it begins",
    "card.ambiguous": "the window picks cards from a list",
    "card.unknown": "the window picks cards from a list",
    "combine.rank": "the dialog hides the rank where none is cut to",
    "data.overlap": "it says itself that it is typed in a terminal",
    "estimate.not-measured": "only `snugtune estimate` asks for what was measured",
    "measure.compared": "only `snugtune estimate --measure` measures",
    "model.architecture": "only `snugtune inspect-model` gives it that advice",
    "parity.date": "the flag is llama-server's",
}
"""Codes whose flags the window needs no words for, and why."""
SHOWN_AS_THEY_ARE = {
    "forms/option_rows.py": "what was typed for an option",
    "pages/recipe/sweeping.py": "what was typed for an option",
    "pages/run/endings.py": "how training ended",
    "pages/run/going_on.py": "what keeps a run from going on",
    "pages/runs/combine_model.py": "what the dialog's fields say",
    "pages/runs/start_time.py": "what was typed for a time",
}
"""Modules of the window that show advice by themselves, which names no flag there."""


# What makes a control, or a card or question of several, by the words that it shows.
CONTROLS = {
    "button",
    "QCheckBox",
    "_part",
    "ChoiceBox",
    "TextField",
    "__init__",
    "_ask",
}


class Texts(ast.NodeVisitor):
    """Every text that names a flag among other words, with the codes it may go by."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[str, frozenset[str]]] = []
        self._functions = {
            each.name: each
            for each in ast.walk(tree)
            if isinstance(each, ast.FunctionDef)
        }
        self._within: list[ast.FunctionDef] = []
        self._made: list[ast.Call] = []
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within.append(node)
        self.generic_visit(node)
        self._within.pop()

    def visit_Call(self, node: ast.Call) -> None:
        makes = is_maker(node)
        self._made += [node] * makes
        self.generic_visit(node)
        del self._made[len(self._made) - makes :]

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # else it is a docstring
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        text = node.value
        if isinstance(text, str) and FLAG.search(text) and not ALONE.fullmatch(text):
            self.found.append((text, frozenset(self._codes())))

    def _codes(self) -> Iterator[str]:
        if self._made:
            yield from codes_in(self._made[-1])
        elif self._within:
            yield from codes_in(self._within[-1])
            for called in ast.walk(self._within[-1]):
                if isinstance(called, ast.Call) and isinstance(called.func, ast.Name):
                    helper = self._functions.get(called.func.id)
                    yield from codes_in(helper) if helper else ()


def codes_in(node: ast.AST) -> Iterator[str]:
    """Codes of the findings that are made there, or looked for by their code."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and is_maker(each):
            named = [word.value for word in each.keywords if word.arg == "code"]
            yield from texts_of(*each.args[:1], *named)
        elif isinstance(each, ast.Compare):
            yield from filter(CODE.fullmatch, texts_of(*each.comparators))


def is_maker(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in MAKERS


def name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def texts_of(*nodes: ast.expr) -> Iterator[str]:
    for each in nodes:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def flagged() -> list[tuple[str, str, frozenset[str]]]:
    """Module, text and codes of each text that names a flag."""
    return [
        (str(path.relative_to(ROOT)), text, codes)
        for path in SOURCES
        for text, codes in Texts(ast.parse(path.read_text(encoding="utf-8"))).found
    ]


def test_that_every_flag_that_a_finding_names_has_words_in_the_window():
    told = flagged()
    assert len(told) > 20, "the sources are no longer read as they are written"
    known = WINDOW_WORDS.keys() | NEVER_SHOWN.keys()
    assert [each for each in told if not each[2] or not each[2] <= known] == []


def test_that_no_words_of_the_window_stand_for_a_finding_that_is_gone():
    raised = {code for _, _, codes in flagged() for code in codes}
    advised = {code for code, words in WINDOW_WORDS.items() if words.fix}
    assert sorted(advised - raised) == []
    assert sorted(NEVER_SHOWN.keys() - raised) == []
    everywhere = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert [code for code in WINDOW_WORDS if f'"{code}"' not in everywhere] == []


def test_that_flags_stand_in_advice_where_the_window_finds_them():
    guilty = [
        text
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and is_maker(node)
        for part in (
            *node.args[1:],
            *(word.value for word in node.keywords if word.arg in {"what", "why"}),
        )
        for each in ast.walk(part)
        if isinstance(each, ast.expr)
        for text in texts_of(each)
        if FLAG.search(text)
    ]
    assert guilty == []


def test_that_advice_is_shown_in_the_words_of_the_window():
    here = ROOT / "studio" / "ui"
    reads = {
        str(path.relative_to(here)): text
        for path in here.rglob("*.py")
        if ".how_to_fix" in (text := path.read_text(encoding="utf-8"))
    }
    plain = {name for name, text in reads.items() if "in_window" not in text}
    assert plain == SHOWN_AS_THEY_ARE.keys()


@pytest.mark.parametrize("code", WINDOW_WORDS)
def test_that_the_window_names_a_flag_only_with_the_command_that_takes_it(code):
    for sentence in re.split(r"(?<=[.;:]) ", WINDOW_WORDS[code].fix):
        if FLAG.search(sentence):
            assert re.match(r"In a terminal, snugtune [a-z]+ ", sentence)


def test_that_every_control_that_is_named_stands_in_the_window():
    here = ROOT / "studio" / "ui"
    shown = {
        text
        for path in here.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and name_of(node.func) in CONTROLS
        for part in (*node.args, *(word.value for word in node.keywords))
        for text in texts_of(*(part.elts if isinstance(part, ast.Tuple) else [part]))
    }
    words = WINDOW_WORDS.values()
    quoted = {name for each in words for name in re.findall("“([^”]+)”", each.fix)}
    controls = {each.control for each in words if each.control}
    assert len(quoted) > 5
    assert sorted((quoted | controls) - shown) == []
