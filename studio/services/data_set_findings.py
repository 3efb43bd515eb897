"""What is to be said of a data set as a whole: its split, its groups, what is mixed in.

The counts that are told are those that the engine arrives at by the same functions.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from studio.domain.dataset import ChatFile, Kind
from studio.domain.finding import Finding, Severity, warning
from studio.domain.judgement_findings import unsuited
from studio.domain.method_options import Method
from studio.domain.mixing import mixed_finding
from studio.domain.recipe import Recipe

_FAR_OFF: Final = 2.0


def set_findings(recipe: Recipe, data: ChatFile) -> Iterator[Finding]:
    """What of the split and the mix deserves a word.

    Args:
        recipe: Names share, seed, groups and mix.
        data: As read by it.
    """
    other = unsuited(recipe.train.method, data.kind, Path(data.path).name)
    if other is not None:
        yield other
    elif recipe.train.method is Method.SFT and data.kind in _HALF_USED:
        yield _HALF_USED[data.kind]
    share, seed = recipe.data.share_held_out, recipe.train.seed
    _, held_out = data.split(share, seed)
    if share and not held_out:
        yield _nothing_held_out(recipe, data)
    elif share and data.groups:
        yield from _group_findings(recipe, data, len(held_out))
    for counted in data.mixed_counts(share, seed):
        yield mixed_finding(counted)


_HALF_USED = {
    Kind.PREFERENCE: Finding(
        code="data.chosen-alone",
        severity=Severity.INFO,
        what="Of each pair the better answer alone is learnt.",
        how_to_fix="Set train.method to dpo or orpo to learn from both.",
        where="train.method",
    ),
    Kind.RATED: Finding(
        code="data.liked-alone",
        severity=Severity.INFO,
        what="Answers that were not liked are left out.",
        how_to_fix="Set train.method to kto to learn from them as well.",
        where="train.method",
    ),
}


def _nothing_held_out(recipe: Recipe, data: ChatFile) -> Finding:
    rows, group = len(data.chats), recipe.data.group
    train = recipe.train
    waits = {"train.eval_steps": train.eval_steps, "train.patience": train.patience}
    keys = ["data.held_out", *(key for key in waits if waits[key])]
    without = " and ".join(filter(None, (", ".join(keys[:-1]), keys[-1])))
    if data.groups and rows > 1:
        what = f"All rows share one “{group}”, so none can be held back."
        fix = f"Choose another column (data.group), or set {without} to 0."
    else:
        what = f"{rows} row is too few to hold one back."
        fix = f"Add rows, or set {without} to 0."
    return warning(
        "data.nothing-held-out",
        what,
        why="The run can't tell whether it learned more than the rows by heart"
        + (", and its patience never ends it." if train.patience else "."),
        fix=fix,
        where="data.held_out",
    )


def _group_findings(recipe: Recipe, data: ChatFile, held: int) -> Iterator[Finding]:
    rows, group, share = len(data.chats), recipe.data.group, recipe.data.share_held_out
    wanted = max(1, round(rows * share))
    sizes = Counter(data.groups).values()
    large = [size for size in sizes if size > wanted]
    if large and held <= wanted:
        each = "One group" if len(large) == 1 else f"{len(large):,} groups"
        yield Finding(
            code="data.group-large",
            severity=Severity.INFO,
            what=f"{each} of “{group}” would fill more than the {share:.0%} held back.",
            why=f"The largest has {max(large):,} of {rows:,} rows; such groups are "
            "always trained on.",
            where="data.group",
        )
    if held > wanted or held * _FAR_OFF < wanted:
        yield warning(
            "data.held-out-off",
            f"{held:,} of {rows:,} rows are held back, and {wanted:,} were asked for.",
            why=f"Rows with the same “{group}” stay together, and no choice of whole "
            "groups comes nearer.",
            fix="Hold back another share, or choose a finer column (data.group).",
            where="data.held_out",
        )
