"""What adapters must have in common before they can become one."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from studio.domain.combining import Combination
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, warning
from studio.engine.combining.parts import Part
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer


def base_of(parts: Sequence[Part]) -> str:
    """What the base of all is called in public.

    Raises:
        StudioError: They have not the same one.
    """
    for one, other in pairwise(parts):
        _refuse_other_base(one, other)
    return parts[0].base


def revision_of(parts: Sequence[Part]) -> str:
    """The commit of the base; empty where none tells it."""
    return next(iter(_revisions(parts)), "")


def refuse_disagreement(parts: Sequence[Part], combination: Combination) -> None:
    """Refuse adapters that are no adapters of one model.

    Raises:
        StudioError: Bases, layers, positions or, where they count, ranks differ, or
            one is there twice.
    """
    base_of(parts)
    if len(_revisions(parts)) > 1:
        raise _differ(
            "bases",
            f"The adapters are of different commits of {parts[0].base}.",
            "Weights of the base may differ between them.",
            "Combine adapters of one commit.",
        )
    _refuse_twice(parts)
    _refuse_other_shapes(parts)
    if len({part.stretch for part in parts}) > 1:
        raise _differ(
            "stretches",
            "The adapters read positions at different scales.",
            "A model has one scale (model.stretch).",
            "Combine runs that were trained with the same one.",
        )
    if combination.way.needs_one_rank:
        _refuse_other_ranks(parts, combination)


def tokenizer_of(parts: Sequence[Part]) -> Tokenizer | None:
    """The tokenizer that all were trained with; None where none brings one.

    Raises:
        StudioError: They bring different ones, or different chat templates.
    """
    having = [part for part in parts if part.has_tokenizer]
    if not having:
        return None
    first, *others = having
    kept = load_tokenizer(first.folder)
    for part in others:
        read = load_tokenizer(part.folder)
        if read.chat_template != kept.chat_template:
            raise _differ(
                "templates",
                f"{first.name} and {part.name} learnt chats by different templates.",
                "A model is asked by one, and the other adapter never saw it.",
                "Train one of them again with the other’s base and template.",
            )
        if _clash(read, kept):
            raise _differ(
                "tokenizers",
                f"{first.name} and {part.name} have different tokenizers.",
                "The same number means another word to each.",
                "Combine adapters that were trained with the same tokenizer.",
            )
    return kept


def doubts(parts: Sequence[Part]) -> Iterator[Finding]:
    """What may be had, and should be known."""
    held = {part.recipe.model.precision for part in parts if part.recipe}
    if len(held) > 1:
        named = " and ".join(sorted(each.value.upper() for each in held))
        yield warning(
            "combine.precisions",
            f"The runs held their base in {named}.",
            why="Each adapter learnt on what its own format made of the base.",
            fix="Ask the combined one, or evaluate it, before you rely on it.",
            where="model.precision",
        )


def _clash(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether a word has two numbers, a number two words, or answers other ends.

    That one knows a word more is no clash: libraries add some by themselves.
    """
    ours, theirs = one.get_vocab(), other.get_vocab()
    words = {number: word for word, number in theirs.items()}
    return one.eos_token_id != other.eos_token_id or any(
        theirs.get(word, number) != number or words.get(number, word) != word
        for word, number in ours.items()
    )


def _revisions(parts: Sequence[Part]) -> list[str]:
    return sorted({part.revision for part in parts if part.revision})


def _refuse_other_base(one: Part, other: Part) -> None:
    names = one.base, other.base
    is_same = names[0] == names[1]
    if is_same and "/" not in names[0] and one.recipe and other.recipe:
        # Folders may bear the same name and hold different models.
        places = (Path(each.model.name) for each in (one.recipe, other.recipe))
        is_same = len({place.expanduser().resolve() for place in places}) == 1
    if not is_same:
        raise _differ(
            "bases",
            f"{one.name} is of {names[0] or 'a base that it doesn’t name'}, "
            f"{other.name} of {names[1] or 'a base that it doesn’t name'}.",
            "An adapter means nothing on another base.",
            "Combine adapters of one base.",
        )


def _refuse_twice(parts: Sequence[Part]) -> None:
    seen: dict[str, Part] = {}
    for part in parts:
        if part.sha256 in seen:
            raise refusal(
                "combine.twice",
                f"{seen[part.sha256].name} and {part.name} are the same adapter.",
                fix="Name it once, with the sum of its weights.",
                where=part.name,
            )
        seen[part.sha256] = part


def _refuse_other_shapes(parts: Sequence[Part]) -> None:
    sizes: dict[str, tuple[int, int]] = {}
    for part in parts:
        for module, layer in part.layers.items():
            size = layer.outputs, layer.inputs
            if sizes.setdefault(module, size) != size:
                raise _differ(
                    "bases",
                    f"{module} has another size under {part.name} than before.",
                    "So they are not of one base, whatever they say.",
                    "Combine adapters of one base.",
                )


def _refuse_other_ranks(parts: Sequence[Part], combination: Combination) -> None:
    ranks: dict[str, int] = {}
    for part in parts:
        for module, layer in part.layers.items():
            rank = ranks.setdefault(module, layer.rank)
            if rank != layer.rank:
                raise _differ(
                    "ranks",
                    f"At {module} the adapters have ranks {rank} and {layer.rank}.",
                    f"{combination.way} combines A and B entry by entry.",
                    "Combine by cat, which takes any ranks, or by a way that ends "
                    "in svd.",
                )


def _differ(code: str, what: str, why: str, fix: str) -> StudioError:
    return refusal(f"combine.{code}", what, why=why, fix=fix, where="RUN_OR_ADAPTER")
