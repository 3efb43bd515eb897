"""Several short rows in one: how many fit, and what that leaves unused.

Rows go into packs of a given capacity by best fit decreasing: the longest first, each
into the fullest pack that still has room (Ding et al. 2024, Fewer Truncations Improve
Language Modeling, arXiv 2404.10830, section 3.1). The engine packs by the very function
that prices and proposals count with.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from functools import lru_cache

from studio.domain.recipe import Recipe
from studio.domain.token_lengths import TokenLengths
from studio.domain.train_options import TrainOptions

_ENOUGH_ROWS = 500  # of a long file every so manieth row tells how many fit


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Put rows into packs.

    Args:
        lengths: Tokens of each row, at least 1; what is longer than the capacity
            counts as if it were cut there.
        capacity: Tokens of a pack.

    Returns:
        For each pack the places of its rows in `lengths`; the same for the same
        lengths.
    """
    packs: list[list[int]] = []
    free: list[int] = []  # rooms that some pack has, ascending, each once
    with_room: dict[int, list[int]] = {}
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    for at in order:
        length = min(lengths[at], capacity)
        place = bisect_left(free, length)
        if place == len(free):
            packs.append([at])
            pack, room = len(packs) - 1, capacity - length
        else:
            room = free[place]
            pack = with_room[room].pop()
            if not with_room[room]:
                del with_room[room], free[place]
            packs[pack].append(at)
            room -= length
        if room:
            if room not in with_room:
                insort(free, room)
                with_room[room] = []
            with_room[room].append(pack)
    return packs


def rows_in_a_pack(lengths: TokenLengths, capacity: int) -> float:
    """How many rows a pack holds on average; 1 without rows.

    Every so manieth row of a long file is looked at.
    """
    if not lengths.rows:
        return 1.0
    drawn = lengths.tokens[:: -(-lengths.rows // _ENOUGH_ROWS)]
    return len(drawn) / _packs_of(drawn, capacity)


@lru_cache(maxsize=64)  # every candidate of a search asks for the same one
def _packs_of(lengths: tuple[int, ...], capacity: int) -> int:
    return len(best_fit([max(1, tokens) for tokens in lengths], capacity))


def rows_of_a_step(recipe: Recipe, lengths: TokenLengths) -> float:
    """Rows of the data that an optimizer step learns from, on average."""
    held = 1.0
    if recipe.train.packing:
        held = rows_in_a_pack(lengths, recipe.train.sequence_length)
    return held * recipe.effective_batch()


def rows_as_trained(rows: int, train: TrainOptions, lengths: TokenLengths) -> int:
    """How many rows a pass goes through, packs counting as one.

    Args:
        rows: Of the data that are trained on.
        train: Whether and how far they are packed.
        lengths: Of the data's rows, those held back included.
    """
    if not train.packing or not rows:
        return rows
    return max(1, round(rows / rows_in_a_pack(lengths, train.sequence_length)))
