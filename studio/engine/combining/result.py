"""What lies beside a combined adapter's weights: configuration, tokenizer, recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from peft import LoraConfig

from studio.domain.errors import refusal
from studio.domain.recipe import OPTIONS, Recipe
from studio.engine.answering import plainly
from studio.engine.combining.agreement import base_of, revision_of, tokenizer_of
from studio.engine.combining.parts import Layer, Part
from studio.engine.model_places import place_if_here
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer
from studio.storage.recipes import with_absolute_paths


def config_of(
    parts: Sequence[Part], sizes: Mapping[str, Layer], rank: int
) -> LoraConfig:
    """The result's configuration: plain LoRA, whose product is not scaled.

    Args:
        parts: That it was made of.
        sizes: Of its layers, by their names.
        rank: Of all of them.
    """
    return LoraConfig(
        task_type=parts[0].config.task_type,
        base_model_name_or_path=base_of(parts),
        revision=revision_of(parts) or None,
        inference_mode=True,
        r=rank,
        lora_alpha=rank,
        target_modules=_targets(parts, sizes),
        fan_in_fan_out=parts[0].config.fan_in_fan_out,
    )


def _targets(parts: Sequence[Part], sizes: Mapping[str, Layer]) -> list[str]:
    """The adapted modules: by short names, where each adapter has them so."""
    words: set[str] = set()
    for part in parts:
        config = part.config
        told = config.target_modules
        if not isinstance(told, set | list) or config.exclude_modules:
            return list(sizes)
        if config.layers_to_transform is not None:
            return list(sizes)
        words |= set(told)
    return sorted(words)


def tokenizer_for(parts: Sequence[Part], base: str) -> Tokenizer:
    """The tokenizer of the result: that of its parts, else their base's.

    Args:
        parts: That it is made of.
        base: What to call the base; empty for what the parts call it.

    Raises:
        StudioError: There is none, or the parts have different ones.
    """
    found = tokenizer_of(parts)
    if found is not None:
        return found
    place = place_if_here(base or base_of(parts))
    if place is not None and place.folder is not None and place.folder.is_dir():
        return load_tokenizer(place.folder)
    raise refusal(
        "combine.no-tokenizer",
        "None of the adapters brings a tokenizer, and their base is not here.",
        fix="Name the base’s folder with --base.",
        where="--base",
    )


def recipe_for(parts: Sequence[Part], base: str, rank: int) -> Recipe:
    """How the result's base is held when it is asked, merged or measured.

    Args:
        parts: That it is made of.
        base: What to call the base; empty for what the runs call it.
        rank: Of the result.
    """
    told = next((part.recipe for part in parts if part.recipe), None)
    if told is None:
        name = base or base_of(parts)
        model = replace(plainly().model, name=name, stretch=parts[0].stretch)
    else:
        model = replace(told.model, name=base or told.model.name)
    recipe = replace(Recipe(), model=model)
    for key in ("lora.rank", "lora.alpha"):
        most = OPTIONS[key].high
        value = rank if most is None else min(rank, int(most))
        recipe = recipe.with_value(key, value)
    return with_absolute_paths(recipe, Path.cwd())
