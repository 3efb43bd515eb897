"""A model card of our own: what was trained, from what, with what result.

Libraries write empty cards with the absolute path of the base model, and with it the
user's name. This one names nothing of the machine.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.domain.mixing import MixWord, mix_of
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.recipe_options import LoraVariant
from studio.storage.model_cards import hub_commit
from studio.storage.models import ModelPlace

# Texts that may hold a path, or that are told in words already.
_NOT_LISTED = frozenset(
    {"model.name", "data.path", "data.format", "data.columns", "data.prompts"}
)
_ADAPTER = "LoRA adapter"
_WHOLE = "Fine-tuned version"
_PEFT = "library_name: peft"
_TAGS = ("tags:", "- snugtune", "- lora", "---", "")
_TRANSFORMERS = "library_name: transformers"
_REPAIRS = "The adapter makes good"
_STRETCHED = "The base's rotary positions were divided by"
_CONVERTED = "PiSSA trained it"
_SPREAD = "AdaLoRA spread a rank"
_TEMPLATE_NOTE = (
    "The chat template beside the weights is the one that it was trained with."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a card tells of a run.

    Attributes:
        place: The base model.
        recipe: Of the run.
        data_sha256: Of the data file.
        rows: Trained on.
        steps: That were done for these weights.
        of: That the whole run did, where they are the best of these.
        losses: Held-out losses by step, nats a token.
        versions: Of the libraries, by name.
    """

    place: ModelPlace
    recipe: Recipe
    data_sha256: str
    rows: int
    steps: int
    of: int
    losses: Mapping[int, float]
    versions: Mapping[str, str]


def public_name(place: ModelPlace) -> str:
    """What a base model is called in public: its hub id, else its folder's name."""
    return _hub_source(place)[0] or Path(place.name).name


def revision_of(place: ModelPlace) -> str:
    """The commit of the hub that a base model's files are of; empty where unknown."""
    return _hub_source(place)[1]


def _hub_source(place: ModelPlace) -> tuple[str, str]:
    found = None if place.folder is None else hub_commit(place.folder)
    return found or (place.hub_id, "")


def model_card(facts: Facts) -> str:
    """The card of an adapter, or of a model all of whose weights were trained.

    Returns:
        Markdown with the hub's front matter.
    """
    kind = _WHOLE if facts.recipe.trains_all else _ADAPTER
    name = Path(facts.recipe.data.path).name
    return "\n".join(
        [
            _front_matter(facts),
            f"# {kind} of {public_name(facts.place)}",
            "",
            f"Trained with Snugtune in {facts.steps:,} steps on {facts.rows:,} chats."
            + _best_of(facts),
            *_measured(facts),
            *_stretched(facts.recipe),
            *_started(facts.recipe),
            "",
            f"Data: `{name}`, SHA-256 `{facts.data_sha256}`.",
            "",
            _TEMPLATE_NOTE,
            "",
            "## Recipe",
            "",
            "| Option | Value |",
            "|---|---|",
            *options_listed(facts.recipe),
            "",
            "## Versions",
            "",
            *(f"- {name} {number}" for name, number in facts.versions.items()),
            "",
        ]
    )


def told_card(
    base: str,
    licence: str,
    told: Sequence[str],
    versions: Mapping[str, str],
    *,
    stretch: float = 1.0,
) -> str:
    """The card of an adapter that no single run left.

    Args:
        base: As the adapter's configuration names it.
        licence: Of the base; empty where unknown.
        told: Paragraphs behind the title, in Markdown.
        versions: Of the libraries, by name.
        stretch: What the base's positions are divided by under it.
    """
    hub_id = base if "/" in base else ""
    return "\n".join(
        [
            "\n".join([*_named(hub_id, licence), _PEFT, *_TAGS]),
            f"# {_ADAPTER} of {base}",
            *(line for paragraph in told for line in ("", paragraph)),
            *_stretched_by(stretch),
            "",
            _TEMPLATE_NOTE,
            "",
            "## Versions",
            "",
            *(f"- {name} {number}" for name, number in versions.items()),
            "",
        ]
    )


def repairs_base(card: str) -> bool:
    """Whether an adapter's card says that it makes good what 4 bits lost."""
    return any(line.startswith(_REPAIRS) for line in card.splitlines())


def stretch_in(card: str) -> float:
    """What an adapter's card says that its base's positions were divided by."""
    found = re.search(rf"^{re.escape(_STRETCHED)} ([\d.]+):", card, re.MULTILINE)
    return float(found[1].rstrip(".")) if found else 1.0


def merged_card(adapter_card: str, dtype: str, *, as_trained: bool = False) -> str:
    """A merged model's card, from that of the adapter that was merged.

    Args:
        adapter_card: As `model_card` wrote it; anything else is kept as it is.
        dtype: Of the merged weights.
        as_trained: Into what 4 bits stand for, instead of into the base's weights.
    """
    where = " into the base as 4 bits held it in training" if as_trained else ""
    merged = f"Merged in fp32{where} and saved in {dtype}."
    own = (_REPAIRS, _CONVERTED, _SPREAD)
    kept = [x for x in adapter_card.split("\n\n") if not x.startswith(own)]
    return (
        "\n\n".join(kept)
        .replace(_PEFT, _TRANSFORMERS, 1)
        .replace(f"# {_ADAPTER} of", f"# {_WHOLE} of", 1)
        .replace(_TEMPLATE_NOTE, f"{merged} {_TEMPLATE_NOTE}", 1)
    )


def _front_matter(facts: Facts) -> str:
    lines = _named(facts.place.hub_id, facts.place.licence)
    if facts.recipe.trains_all:
        lines += [_TRANSFORMERS, "tags:", "- snugtune", "---", ""]
    else:
        lines += [_PEFT, *_TAGS]
    return "\n".join(lines)


def _named(hub_id: str, licence: str) -> list[str]:
    """The front matter's first lines: the base and its licence, where known."""
    lines = ["---"]
    if hub_id:
        lines.append(f"base_model: {json.dumps(hub_id)}")
    if licence:
        lines.append(f"license: {json.dumps(licence.lower())}")
    return lines


def _best_of(facts: Facts) -> str:
    if facts.of == facts.steps:
        return ""
    return f" Of the {facts.of:,} steps of its run, this one measured best."


def _measured(facts: Facts) -> list[str]:
    losses = facts.losses
    if len(losses) < 2:  # noqa: PLR2004 - a before and an after
        return []
    before, last = losses[min(losses)], losses[max(losses)]
    after = losses.get(facts.steps, last)
    return [
        "",
        f"Held-out loss: {before:.4f} nats a token before, {after:.4f} after.",
    ]


def _stretched(recipe: Recipe) -> list[str]:
    if recipe.trains_all:  # a whole model's configuration says so
        return []
    return _stretched_by(recipe.model.stretch)


def _stretched_by(factor: float) -> list[str]:
    if factor == 1:
        return []
    scaled = f'load it with `rope_type` "linear" and `factor` {factor:g}.'
    return ["", f"{_STRETCHED} {factor:g}: {scaled}"]


def _started(recipe: Recipe) -> list[str]:
    """What is to be known of an adapter that isn't LoRA as it was trained."""
    if recipe.trains_all:
        return []
    rank, base = recipe.lora.rank, recipe.model.precision.value.upper()
    match recipe.lora.variant:
        case LoraVariant.LOFTQ:
            return ["", f"{_REPAIRS} what {base} loses: load the base in {base}."]
        case LoraVariant.PISSA:
            told = f"{_CONVERTED} at rank {rank}. It is LoRA of rank {2 * rank}, the "
            return ["", f"{told}difference to its start, for the base as it is."]
        case LoraVariant.ADALORA:
            held = recipe.lora.held_rank
            told = f"{_SPREAD} of {rank} on average over its layers. It is LoRA of "
            return ["", f"{told}rank {held}, with zeros for what was taken away."]
    return []


def options_listed(recipe: Recipe) -> list[str]:
    """The rows of a recipe's table; files are told by their names alone."""
    named = _without_places(recipe)
    return [
        f"| {key} | {option.show(named.value(key))} |"
        for key, option in OPTIONS.items()
        if key not in _NOT_LISTED and not (recipe.trains_all and option.group == "lora")
    ]


def _without_places(recipe: Recipe) -> Recipe:
    data = recipe.data
    mix = tuple(
        MixWord(Path(each.path).name, each.share).word() for each in mix_of(data.mix)
    )
    held = Path(data.held_out_file).name
    return recipe.with_value("data.mix", mix).with_value("data.held_out_file", held)
