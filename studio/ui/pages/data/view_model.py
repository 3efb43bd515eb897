"""The Data page's words: the facts of a file, its rows, and one chat in full.

Lengths are counted in characters; how many tokens they make is the model's business
and isn't guessed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.dataset import Chat, ChatFile
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.ui.text import MIB, count

_SHARES: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
_KIB: Final = 1024
_SPEAKERS: Final = {
    "system": "System",
    "user": "Question",
    "assistant": "Answer",
    "tool": "Tool",
}
TRAINED_WORDS: Final = "Answers are trained, questions only read."
SAMPLE_ROWS: Final = (
    (
        '{"messages": [{"role": "user", "content": "Which cheese for a fondue?"}, '
        '{"role": "assistant", "content": "Gruyère and Vacherin, half and half."}]}'
    ),
    '{"question": "How long does Brie keep?", "answer": "A week, wrapped in paper."}',
    '{"prompt": "Name a hard cheese.", "completion": "Parmigiano Reggiano."}',
)
"""Three rows in forms that are read, for the page without a file."""
COLUMNS: Final = ("Line", "Question", "Answer", "Characters", "Use")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The facts strip.

    Attributes:
        name: The file's name.
        folder: Where it lies.
        form: How its rows are recognised, and its size.
        figures: Value and caption pairs, left to right.
    """

    name: str
    folder: str
    form: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Split:
    """How the rows are used.

    Attributes:
        trained: How many are trained on.
        held_out: Places of those that are only measured with.
    """

    trained: int
    held_out: frozenset[int]


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One turn of the selected chat: who speaks, what, and what becomes of it."""

    speaker: str
    text: str
    use: str
    trained: bool


def split_of(file: ChatFile, recipe: Recipe) -> Split:
    """The split that the engine will make of this file by this recipe."""
    share, seed = recipe.data.held_out, recipe.train.seed
    trained, held_out = file.split(share, seed)
    return Split(len(trained), frozenset(held_out))


def data_facts(file: ChatFile, split: Split) -> DataFacts:
    """The facts of a file that was read."""
    path = Path(file.path)
    figures = [
        (f"{len(file.chats) + file.left_out:,}", "rows read"),
        (f"{file.left_out:,}", "left out"),
        (f"{split.trained:,}", "to train on"),
        (f"{len(split.held_out):,}", "held back"),
    ]
    return DataFacts(
        name=path.name,
        folder=str(path.parent),
        form=f"{file.form}, {_size(file.size_bytes)}",
        figures=tuple(figures),
    )


def row_cells(chat: Chat, *, held_out: bool) -> tuple[str, ...]:
    """A chat as a row of the table, a cell for each of `COLUMNS`."""
    characters = sum(len(turn.content) for turn in chat.turns)
    return (
        f"{chat.line:,}",
        one_line(chat.question()),
        one_line(chat.answer()),
        f"{characters:,}",
        "Held back" if held_out else "Trained",
    )


def one_line(text: str) -> str:
    """A text without line breaks, for a cell."""
    return " ".join(text.split())


def shown_turns(chat: Chat, *, held_out: bool) -> tuple[ShownTurn, ...]:
    """A chat in full, for reading; in a row held back nothing is trained."""
    turns = []
    for turn in chat.turns:
        is_answer = turn.role == "assistant"
        use = "only read"
        if is_answer:
            use = "only measured" if held_out else "trained"
        trained = is_answer and not held_out
        turns.append(ShownTurn(_SPEAKERS[turn.role], turn.content, use, trained))
    return tuple(turns)


def chat_title(chat: Chat | None) -> str:
    """The title of the card that shows a chat."""
    if chat is None:
        return "What the model learns"
    return f"What the model learns from line {chat.line:,}"


def chat_note(chat: Chat, *, held_out: bool) -> str:
    """What becomes of the selected chat, below it."""
    if held_out:
        return "Held back: it is never trained on, only measured with."
    answers = sum(turn.role == "assistant" for turn in chat.turns)
    return f"{TRAINED_WORDS} {count(answers, 'answer')} in this row."


def findings_note(findings: Sequence[Finding]) -> str:
    """How many findings there are, for the card's header."""
    return count(len(findings), "finding") if findings else "none"


def page_facts(recipe: Recipe, path: str) -> str:
    """The line below the page's title."""
    if not path:
        return "What the model shall learn from"
    model = recipe.model.name
    return f"Chat examples for {Path(model).name}" if model else "Chat examples"


def held_out_choices(share: float) -> list[tuple[str, str]]:
    """The shares to choose from, the recipe's own among them."""
    shares = sorted({*_SHARES, share})
    return [
        (share_key(share), f"{share * 100:g} % of the rows" if share else "None")
        for share in shares
    ]


def share_key(share: float) -> str:
    """A share as the key of its choice."""
    return repr(share)


def held_out_words(file: ChatFile, split: Split) -> str:
    """What the held-out share comes to in rows."""
    if not split.held_out:
        return "No row is held back, so no held-out loss can be measured."
    rows = count(len(split.held_out), "row")
    return f"{rows} of {len(file.chats):,}, chosen by the recipe’s seed"


def _size(size_bytes: int) -> str:
    if size_bytes >= MIB:
        return f"{size_bytes / MIB:.1f} MiB"
    return f"{max(1, round(size_bytes / _KIB)):,} KiB"
