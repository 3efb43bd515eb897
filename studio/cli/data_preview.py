"""`snugtune data preview`: one row as the model reads it, and what of it is learnt."""

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from studio.cli import terminal
from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.token_view import ShownToken, TokenUse, TokenView
from studio.protocol.codec import heard
from studio.protocol.commands import ShowRow
from studio.protocol.data_events import RowNotShown, RowShown
from studio.protocol.data_words import heard_view
from studio.services.engine_process import EngineProcess
from studio.services.inspections import InspectionOrder
from studio.services.launch import engine_command

EPILOG = """In colour on a terminal. Elsewhere each line is a stretch of tokens, and begins with = when it is trained, . when it is read alone, x when it is cut off.

With --json:

{"line", "tokens": [{"text", "id", "use", "mark"}], "trained", "read", "cut", "more", "refusal"}

use is trained, read or cut. mark: whether it is a special token. refusal says why nothing of the row is trained."""  # noqa: E501 - the terminal wraps it

_SIGNS = {TokenUse.TRAINED: "=", TokenUse.READ: ".", TokenUse.CUT: "x"}
_STYLES = {
    TokenUse.TRAINED: Style(color="black", bgcolor="green"),
    TokenUse.READ: Style(),
    TokenUse.CUT: Style(color="red", strike=True),
}
_MARK = Style(bold=True, underline=True)
_PATIENCE_S = 0.05


def preview(recipe: Recipe, model: str, line: int, *, json: bool) -> None:
    """Print the tokens of a row.

    Args:
        recipe: Names the data and the sequence length.
        model: Whose tokenizer and template.
        line: Of the row, from 1.
        json: For programs.

    Raises:
        StudioError: No such row, the row has no tokens, or the model isn't here.
    """
    order = ShowRow(order=1, line=line, length=recipe.train.sequence_length)
    view = _asked(InspectionOrder(recipe, model), order)
    if json:
        terminal.say_json(document(view))
    else:
        say(view)


def document(view: TokenView) -> dict[str, object]:
    """The tokens for programs."""
    return {
        "line": view.line,
        "tokens": [
            {
                "text": token.text,
                "id": token.id,
                "use": token.use.value,
                "mark": token.is_mark,
            }
            for token in view.tokens
        ],
        **{use.value: view.count(use) for use in TokenUse},
        "more": view.more,
        "refusal": view.refusal,
    }


def say(view: TokenView) -> None:
    """The tokens for reading."""
    counts = ", ".join(f"{view.count(use):,} {use.value}" for use in TokenUse)
    terminal.say(f"Line {view.line:,}: {len(view.tokens):,} tokens, {counts}.")
    if view.refusal:
        terminal.say(f"Nothing of it is trained: the row {view.refusal}.")
    if view.more:
        terminal.say(f"{view.more:,} more tokens are not shown.")
    console = Console(highlight=False)
    if console.is_terminal:
        _say_in_colour(console, view)
    else:
        _say_plainly(view)


def _say_in_colour(console: Console, view: TokenView) -> None:
    legend = Text("Legend: ")
    for use, words in (("TRAINED", "trained"), ("READ", "read"), ("CUT", "cut off")):
        legend.append(words, _STYLES[TokenUse[use]])
        legend.append("  ")
    legend.append("special token", _MARK)
    console.print(legend)
    text = Text()
    for token in view.tokens:
        style = _STYLES[token.use]
        text.append(_harmless(token.text), style + _MARK if token.is_mark else style)
    console.print(text)


def _say_plainly(view: TokenView) -> None:
    terminal.say("= trained, . read alone, x cut off")
    for use, tokens in groupby(view.tokens, key=lambda token: token.use):
        for line in _lines_of(tokens):
            terminal.say(f"{_SIGNS[use]} {line}".rstrip())


def _lines_of(tokens: Iterator[ShownToken]) -> list[str]:
    return _harmless("".join(token.text for token in tokens)).split("\n")


def _harmless(text: str) -> str:
    """Text of strangers, without what a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\n" else "·" for each in text)


def _asked(order: InspectionOrder, question: ShowRow) -> TokenView:
    with tempfile.TemporaryDirectory(prefix="snugtune-") as folder:
        command = engine_command("show-rows", *order.arguments(Path(folder)))
        engine = EngineProcess(command)
        fault = ""
        try:
            engine.start()
            engine.send(question)
            while not engine.has_ended():
                for event in engine.read_batch(_PATIENCE_S):
                    if isinstance(event, RowShown):
                        return heard_view(event)
                    if isinstance(event, RowNotShown):
                        raise StudioError(heard(event.finding))
        except OSError as refused:
            fault = str(refused)
        finally:
            engine.close()
    finding = engine.outcome(fault).finding()
    assert finding is not None  # an engine that answers nothing has failed
    raise StudioError(finding)
