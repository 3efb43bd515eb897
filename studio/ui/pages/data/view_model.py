"""The Data page's words: the facts of a file, its rows, and one chat in full.

Lengths are counted in characters until a model's tokenizer has counted them; how many
tokens they make isn't guessed here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.data_report import DataReport
from studio.domain.dataset import Chat, ChatFile, Turn
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
GUESSED_BELOW: Final = 0.6
"""A format that is less sure than this is a guess; the user is asked to look."""
_THOUSAND, _MILLION = 1_000, 1_000_000
SAMPLE_ROWS: Final = (
    (
        '{"messages": [{"role": "user", "content": "Which cheese for a fondue?"}, '
        '{"role": "assistant", "content": "Gruyère and Vacherin, half and half."}]}'
    ),
    '{"question": "How long does Brie keep?", "answer": "A week, wrapped in paper."}',
    '{"prompt": "Name a hard cheese.", "completion": "Parmigiano Reggiano."}',
)
"""Three rows in forms that are read, for the page without a file."""
UNREADABLE: Final = ("–", "This row can’t be read any more", "", "–", "")
"""A row of the table whose file was changed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The facts strip.

    Attributes:
        name: The file's name.
        folder: Where it lies.
        form: How its rows are recognised, how surely, and its size.
        is_guessed: Whether the columns should be looked at.
        figures: Value and caption pairs, left to right.
    """

    name: str
    folder: str
    form: str
    is_guessed: bool
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
    share, seed = recipe.data.share_held_out, recipe.train.seed
    trained, held_out = file.split(share, seed)
    return Split(len(trained), frozenset(held_out))


def data_facts(
    file: ChatFile, split: Split, recipe: Recipe, report: DataReport | None = None
) -> DataFacts:
    """The facts of a file that was read.

    Args:
        file: Its rows.
        split: How they are used.
        recipe: Whose data it is.
        report: The checked whole; None until it is.
    """
    path = Path(file.path)
    figures = [
        (
            f"{len(file.chats) + file.left_out:,}",
            "rows read" if file.is_whole else "first rows",
        ),
        (f"{file.left_out:,}", "left out"),
        (f"{split.trained:,}", "to train on"),
        (f"{_held_back(file, split):,}", "held back"),
    ]
    if report is not None and report.trained_tokens:
        figures.append((_rounded(report.trained_tokens), "tokens trained"))
    return DataFacts(
        name=path.name,
        folder=str(path.parent),
        form=f"{_sureness(file, recipe)}: {file.form}, {_size(file.size_bytes)}",
        is_guessed=is_guessed(file),
        figures=tuple(figures),
    )


def is_guessed(file: ChatFile) -> bool:
    """Whether nobody is sure of what the columns hold."""
    return file.confidence < GUESSED_BELOW


def column_titles(*, counted: bool) -> tuple[str, ...]:
    """The titles of the rows' table; its length is counted in tokens or characters."""
    length = "Tokens" if counted else "Characters"
    return ("Row", "Question", "Answer", length, "Use")


def length_help(*, counted: bool) -> str:
    """How the rows' lengths are counted, for the column's title."""
    if counted:
        return "With all that the model’s chat template puts round a row."
    return "Tokens are shown once the check has counted them with the model’s own."


def row_cells(
    chat: Chat, *, held_out: bool, tokens: int | None = None
) -> tuple[str, ...]:
    """A chat as a row of the table, a cell for each of `column_titles`.

    Args:
        chat: The row.
        held_out: Whether it is only measured with.
        tokens: How many it has; 0 when the model's template refuses it, None when
            they are not counted.
    """
    length = f"{chat.characters() if tokens is None else tokens:,}"
    return (
        f"{chat.line:,}",
        one_line(chat.question()),
        one_line(chat.answer()),
        "–" if tokens == 0 else length,
        "Held back" if held_out else "Trained",
    )


def one_line(text: str) -> str:
    """A text without line breaks, for a cell."""
    return " ".join(text.split())


def shown_turns(chat: Chat, *, held_out: bool) -> tuple[ShownTurn, ...]:
    """An example in full, for reading; in a row held back nothing is trained."""
    use = "only measured" if held_out else "trained"
    turns = [_shown_turn(turn, use, trained=not held_out) for turn in chat.turns]
    if chat.text:
        turns.append(ShownTurn("Text", chat.text, use, trained=not held_out))
    if chat.rejected:
        worse = chat.rejected[-1].content
        use = "for DPO and ORPO"
        turns.append(ShownTurn("Rejected answer", worse, use, trained=False))
    return tuple(turns)


def chat_title(chat: Chat | None) -> str:
    """The title of the card that shows a chat."""
    if chat is None:
        return "What the model learns"
    within = f" of {chat.file}" if chat.file else ""
    return f"What the model learns from row {chat.line:,}{within}"


def chat_note(chat: Chat, *, held_out: bool) -> str:
    """What becomes of the selected chat, below it."""
    if held_out:
        return "Held back: it is never trained on, only measured with."
    if chat.text:
        return "All of a plain text is trained."
    answers = sum(turn.role == "assistant" for turn in chat.turns)
    return f"{TRAINED_WORDS} {count(answers, 'answer')} in this row."


def checking_words(done: int, of: int) -> str:
    """How far the check of the whole file is."""
    if not of:
        return "Checking the rows"
    return f"Checked {done:,} of some {of:,} rows"


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
        (share_key(share), f"{share * 100:g} % of rows" if share else "None")
        for share in shares
    ]


def share_key(share: float) -> str:
    """A share as the key of its choice."""
    return repr(share)


def held_out_words(file: ChatFile, split: Split) -> str:
    """What is held out, in rows."""
    if file.held_out_file is not None:
        rows = count(len(file.held_out_file.chats), "row")
        return f"{rows} of {Path(file.held_out_file.path).name}, and none of these"
    if not split.held_out:
        return "No row is held back, so no held-out loss can be measured."
    rows = count(len(split.held_out), "row")
    return f"{rows} of {len(file.chats):,}, chosen by the recipe’s seed"


def _held_back(file: ChatFile, split: Split) -> int:
    others = file.held_out_file
    return len(split.held_out) if others is None else len(others.chats)


def _shown_turn(turn: Turn, use: str, *, trained: bool) -> ShownTurn:
    is_answer = turn.role == "assistant"
    return ShownTurn(
        _SPEAKERS[turn.role],
        turn.content or _calls(turn),
        use if is_answer else "only read",
        is_answer and trained,
    )


def _calls(turn: Turn) -> str:
    """What a turn without words holds instead."""
    return str(turn.extras["tool_calls"]) if "tool_calls" in turn.extras else ""


def _sureness(file: ChatFile, recipe: Recipe) -> str:
    if recipe.data.format or recipe.data.columns:
        return "As assigned"
    return "Guessed" if is_guessed(file) else "Recognised"


def _rounded(number: int) -> str:
    """A large number in three figures or so, such as ``352 k``."""
    if number >= 10 * _MILLION:
        return f"{number / _MILLION:.0f} M"
    if number >= _MILLION:
        return f"{number / _MILLION:.1f} M"
    if number >= 10 * _THOUSAND:
        return f"{number / _THOUSAND:.0f} k"
    return f"{number:,}"


def _size(size_bytes: int) -> str:
    if size_bytes >= MIB:
        return f"{size_bytes / MIB:.1f} MiB"
    return f"{max(1, round(size_bytes / _KIB)):,} KiB"
