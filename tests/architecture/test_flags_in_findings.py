"""No finding that the window can show tells its user of a flag or a command.

The sources are read, because only they hold every finding: which texts name what is
typed in a terminal, and by which code each is raised. The other way round, no finding
leads who reads it in a terminal to a control of the window.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from typer.main import get_command

import studio
from studio.cli.commands import app
from studio.domain.finding import error
from studio.ui.pages.contents import page_specs
from studio.ui.pages.window_words import WINDOW_WORDS, in_window

ROOT = Path(studio.__file__).parent.parent
TYPED = re.compile(r"(?<![\w-])(?:--[a-z]|snugtune (?:[a-z]|$))")
ALONE = re.compile(r"--[a-z][a-z-]*=?|snugtune [a-z]+(?: [a-z]+)*")
ADVICE = re.compile(r"\.how_to_fix|(?<!machine)\.sentence\(\)")
COMMAND = re.compile(r"(?<![\w-])snugtune ([a-z][a-z-]*)(?: ([a-z-]+))?")
ARGUMENT = re.compile(r"[A-Z][A-Z_]*")
PAGE = re.compile(r"\b(?:the|The) ([A-Z]\w+) page\b")
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
    "run.folder-taken": "only `snugtune train --run-dir` names a folder",
    "run.not-running": "the window gives its orders to runs that it follows",
}
"""Codes whose flags and commands the window needs no words for, and why."""
HANDED_ON = {"queue.not-started"}
"""Codes whose advice ends with another finding's, which may name what is typed."""
SHOWN_AS_THEY_ARE = {
    "forms/option_rows.py": "what was typed for an option",
    "pages/recipe/sweeping.py": "what was typed for an option",
    "display.py": "there is no window, so it is said in the terminal",
    "pages/hardware/view_model.py": "what is wrong with a card or its driver",
    "pages/runs/start_time.py": "what was typed for a time",
    "pages/start/page.py": "what was typed for a project's name",
}
"""Modules that show advice by themselves, which names nothing typed there."""
LEADS_TO_WINDOW = {
    "studio/cli/reviewing.py": "words of a draft are edited in the window alone",
    "studio/services/mending_engine.py": "only the window mends by it",
}
"""Modules below the window that name a control or page of it, and why."""


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
    """Every text that names what is typed among other words, with its codes."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[str, frozenset[str]]] = []
        self._functions = {
            each.name: each
            for each in ast.walk(tree)
            if isinstance(each, ast.FunctionDef)
        }
        self._named = dict(constants_of(tree))
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
        if isinstance(text, str) and TYPED.search(text) and not ALONE.fullmatch(text):
            self.found.append((text, frozenset(self._codes())))

    def _codes(self) -> Iterator[str]:
        if self._made:
            yield from self._codes_in(self._made[-1])
        elif self._within:
            yield from self._codes_in(self._within[-1])
            for called in ast.walk(self._within[-1]):
                if isinstance(called, ast.Call) and isinstance(called.func, ast.Name):
                    helper = self._functions.get(called.func.id)
                    yield from self._codes_in(helper) if helper else ()

    def _codes_in(self, node: ast.AST) -> Iterator[str]:
        """Codes of the findings that are made there, or looked for by their code."""
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and is_maker(each):
                named = [word.value for word in each.keywords if word.arg == "code"]
                yield from self._texts_of(*each.args[:1], *named)
            elif isinstance(each, ast.Compare):
                yield from filter(CODE.fullmatch, self._texts_of(*each.comparators))

    def _texts_of(self, *nodes: ast.expr) -> Iterator[str]:
        """Texts that stand there, or are meant by a name of the module."""
        yield from texts_of(*nodes)
        names = (each.id for each in nodes if isinstance(each, ast.Name))
        yield from (self._named[name] for name in names if name in self._named)


def constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a module gives to texts, each with its text."""
    for each in tree.body:
        if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            for text in texts_of(each.value):
                yield from ((t.id, text) for t in targets if isinstance(t, ast.Name))


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


def typed() -> list[tuple[str, str, frozenset[str]]]:
    """Module, text and codes of each text that names a flag or a command."""
    return [
        (str(path.relative_to(ROOT)), text, codes)
        for path in SOURCES
        for text, codes in Texts(ast.parse(path.read_text(encoding="utf-8"))).found
    ]


def spoken(path: Path) -> Iterator[str]:
    """Every text of a module, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(e.value) for e in ast.walk(tree) if isinstance(e, ast.Expr)}
    for each in ast.walk(tree):
        if isinstance(each, ast.expr) and id(each) not in docs:
            yield from texts_of(each)


def shown_texts() -> set[str]:
    """The words that stand on the window's controls, and on cards and questions."""
    here = ROOT / "studio" / "ui"
    return {
        text
        for path in here.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and name_of(node.func) in CONTROLS
        for part in (*node.args, *(word.value for word in node.keywords))
        for text in texts_of(*(part.elts if isinstance(part, ast.Tuple) else [part]))
    }


def titles() -> set[str]:
    """The pages of the window, as its side nav calls them."""

    def no_desk() -> NoReturn:
        raise AssertionError("no page is built here")

    return {page.title for page in page_specs(no_desk)}


def test_that_all_that_is_typed_in_a_finding_has_words_in_the_window():
    told = typed()
    assert len(told) > 30, "the sources are no longer read as they are written"
    known = WINDOW_WORDS.keys() | NEVER_SHOWN.keys()
    assert [each for each in told if not each[2] or not each[2] <= known] == []


def test_that_no_words_of_the_window_stand_for_a_finding_that_is_gone():
    raised = {code for _, _, codes in typed() for code in codes}
    advised = {code for code, words in WINDOW_WORDS.items() if words.fix}
    assert sorted(advised - raised) == sorted(HANDED_ON)
    assert sorted(NEVER_SHOWN.keys() - raised) == []
    everywhere = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert [code for code in WINDOW_WORDS if f'"{code}"' not in everywhere] == []


def test_that_what_is_typed_stands_in_advice_where_the_window_finds_it():
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
        if TYPED.search(text)
    ]
    assert guilty == []


def test_that_a_place_of_the_terminal_is_none_in_the_window():
    places = {
        text
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and is_maker(node)
        for word in node.keywords
        if word.arg == "where"
        for text in texts_of(word.value)
        if TYPED.search(text) or ARGUMENT.fullmatch(text)
    }
    assert {"--dtype", "RUN_OR_ADAPTER", "snugtune queue run"} <= places
    for place in places:
        found = in_window(error("of.another", f"{place}: It is so.", where=place))
        assert (found.what, found.where) == ("It is so.", "")


def test_that_advice_is_shown_in_the_words_of_the_window():
    here = ROOT / "studio" / "ui"
    reads = {
        str(path.relative_to(here)): text
        for path in here.rglob("*.py")
        if ADVICE.search(text := path.read_text(encoding="utf-8"))
    }
    plain = {name for name, text in reads.items() if "in_window" not in text}
    assert plain == SHOWN_AS_THEY_ARE.keys()


@pytest.mark.parametrize("code", WINDOW_WORDS)
def test_that_the_window_says_of_what_is_typed_that_a_terminal_takes_it(code):
    for sentence in re.split(r"(?<=[.;:]) ", WINDOW_WORDS[code].fix):
        if TYPED.search(sentence):
            assert re.match(r"In a terminal, snugtune [a-z]+ ", sentence)


def test_that_every_control_that_is_named_stands_in_the_window():
    words = WINDOW_WORDS.values()
    quoted = {name for each in words for name in re.findall("“([^”]+)”", each.fix)}
    controls = {each.control for each in words if each.control}
    assert len(quoted) > 5
    assert sorted((quoted | controls) - shown_texts()) == []


def test_that_every_page_that_is_named_is_one_of_the_window():
    pages = {name for each in WINDOW_WORDS.values() for name in PAGE.findall(each.fix)}
    assert {"Data", "Runs"} <= pages
    assert pages <= titles()


def test_that_no_text_below_the_window_leads_to_a_control_or_page_of_it():
    shown, pages = shown_texts(), titles()
    guilty = {
        str(path.relative_to(ROOT))
        for path in (*SOURCES, *sorted((ROOT / "studio" / "cli").rglob("*.py")))
        for text in spoken(path)
        if shown.intersection(re.findall("“([^”]+)”", text))
        or pages.intersection(PAGE.findall(text))
    }
    assert guilty == LEADS_TO_WINDOW.keys()


def test_that_the_windows_own_texts_name_no_command():
    here = ROOT / "studio" / "ui"
    guilty = {
        str(path.relative_to(here))
        for path in here.rglob("*.py")
        if any(COMMAND.search(text) for text in spoken(path))
    }
    # The one holds the table, the other speaks where there is no window.
    assert guilty == {"pages/window_words.py", "display.py"}


def test_that_every_command_that_a_text_names_can_be_typed():
    known = get_command(app).commands
    named = {
        found.groups()
        for path in (*SOURCES, *(ROOT / "studio" / "ui").rglob("*.py"))
        for text in spoken(path)
        for found in COMMAND.finditer(text)
    }
    assert len(named) > 10
    groups = {name for name, each in known.items() if hasattr(each, "commands")}
    assert {first for first, _ in named} <= known.keys()
    for first, second in named:
        assert first not in groups or second in known[first].commands
