"""What a run does by itself when memory ran out, in which order, and how often.

First the micro-batch shrinks and the accumulation grows, so that each optimizer step
sees the same rows and weighs them the same; sums come out in another order, which
changes the last digits alone. When one row at a time is still too much, options are
turned on that save memory and learn the same, the one that costs less time first. What
would change what is learnt, such as shorter rows, is left to the user.
"""

from collections.abc import Iterator

from studio.domain.errors import StudioError
from studio.domain.recipe import OPTIONS, Recipe

MOST_TIMES = 9
"""So often a run helps itself; a batch of 128 rows comes down to one in seven."""

IN_ORDER: tuple[tuple[str, object], ...] = (
    ("train.checkpointing", True),
    ("train.offload", True),
)
"""What is turned on behind the micro-batch, one at a time."""

ON_CARDS = frozenset({"train.offload"})
"""What of it saves nothing on a processor."""


def relieved(recipe: Recipe, *, on_card: bool) -> Recipe | None:
    """The recipe with the next thing that saves memory; None when there is none.

    Args:
        recipe: What memory ran out for.
        on_card: Whether it was a card's.
    """
    if (smaller := _with_fewer_rows(recipe)) is not None:
        return smaller
    for key, value in IN_ORDER:
        if recipe.value(key) != value and (on_card or key not in ON_CARDS):
            return _allowed(recipe, {key: value})
    return None


def reliefs(recipe: Recipe) -> Iterator[Recipe]:
    """Every recipe that a run may come to by itself on a card, the recipe first.

    On a processor it comes to the first of these.
    """
    now: Recipe | None = recipe
    for _ in range(MOST_TIMES + 1):
        if now is None:
            return
        yield now
        now = relieved(now, on_card=True)


def changes_between(before: Recipe, after: Recipe) -> dict[str, tuple[object, object]]:
    """What differs, by key: (before, after)."""
    return {
        key: (before.value(key), after.value(key))
        for key in OPTIONS
        if before.value(key) != after.value(key)
    }


def relief_words(before: Recipe, after: Recipe) -> str:
    """What a relief does, behind what does it, such as a command or a button's name.

    Args:
        before: What memory ran out for.
        after: What `relieved` made of it.
    """
    was, now = before.train, after.train
    parts = []
    if now.micro_batch != was.micro_batch:
        rows = f"{now.micro_batch:,} {'row' if now.micro_batch == 1 else 'rows'}"
        often = _times(was.micro_batch // now.micro_batch)
        parts.append(f"takes {rows} at a time instead of {was.micro_batch:,}, {often}")
    if now.checkpointing and not was.checkpointing:
        parts.append(
            "recomputes layers instead of remembering them, which takes longer"
        )
    if now.offload and not was.offload:
        parts.append("keeps what layers remember in main memory, which takes longer")
    return f"{' and '.join(parts)}; it learns the same"


def _times(number: int) -> str:
    return "twice as often" if number == 2 else f"{number:,} times as often"  # noqa: PLR2004 - a word of its own


def _with_fewer_rows(recipe: Recipe) -> Recipe | None:
    """The same steps from smaller micro-batches; None where there are none."""
    micro = recipe.train.micro_batch
    if micro == 1:
        return None
    smaller = _largest_divisor(micro)
    return _allowed(
        recipe,
        {
            "train.micro_batch": smaller,
            "train.accumulation": recipe.train.accumulation * micro // smaller,
        },
    )


def _allowed(recipe: Recipe, values: dict[str, object]) -> Recipe | None:
    try:
        changed = recipe.with_values(values)
    except StudioError:
        return None  # out of an option's range
    return None if changed.contradictions() else changed


def _largest_divisor(number: int) -> int:
    """The largest that is less than the number itself: a half of an even one."""
    return next(n for n in range(number // 2, 0, -1) if number % n == 0)
