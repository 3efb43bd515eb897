"""What the few-shot base reads before the talk: examples that the run learnt from."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from studio.domain.dataset import Chat, Turn
from studio.domain.errors import refusal
from studio.domain.recipe import Recipe
from studio.storage.data_sets import read_data

_SAID = {"user", "assistant"}


def examples_of(recipe: Recipe, count: int) -> list[tuple[Turn, ...]]:
    """The first examples of a run's data that it trained on, held-out rows left out.

    Rows with other turns than a user's and an assistant's, such as calls of tools, are
    passed over; so are system turns, for most templates take one at the very front
    alone. Of a pair it is the chosen answer.

    Args:
        recipe: Of the run.
        count: How many are wanted; there may be fewer.

    Raises:
        StudioError: The data can't be read any more, or has no such row.
    """
    file = read_data(recipe.data)
    training, _ = file.split(recipe.data.share_held_out, recipe.train.seed)
    chats = (file.chats[at] for at in training)
    found = list(islice(_spoken(chats), count))
    if not found:
        raise refusal(
            "chat.no-examples",
            "No row of the data can stand before a talk as an example.",
            why="Examples are chats of a user and an assistant, or good answers.",
            fix="Ask the base without examples.",
            where=Path(recipe.data.path).name,
        )
    return found


def preceded(turns: Sequence[Turn], examples: Sequence[tuple[Turn, ...]]) -> list[Turn]:
    """A talk with examples before it, behind its own system turn."""
    has_system = bool(turns) and turns[0].role == "system"
    first, rest = (turns[:1], turns[1:]) if has_system else ((), turns)
    return [*first, *(turn for example in examples for turn in example), *rest]


def _spoken(chats: Iterator[Chat]) -> Iterator[tuple[Turn, ...]]:
    for chat in chats:
        turns = tuple(turn for turn in chat.turns if turn.role != "system")
        roles = [turn.role for turn in turns]
        alternates = roles == ["user", "assistant"] * (len(roles) // 2)
        plain = all(turn.role in _SAID and not turn.extras for turn in turns)
        if turns and alternates and plain and chat.is_liked is not False:
            yield turns
