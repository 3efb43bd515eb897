"""An adapter on disk: weights, configuration, tokenizer, chat template and card.

What the libraries write by themselves carries the base model's local path and their
own empty card; here it is put right before the folder gets its name.
"""

from collections.abc import Callable
from pathlib import Path

from peft import PeftModelForCausalLM
from safetensors.torch import load_file

from studio.domain.errors import refusal
from studio.domain.waypoints import passing
from studio.engine.adapters import trained_bytes
from studio.engine.beside_files import (
    add_beside,
    beside_bytes,
    change_config,
    tie_again,
)
from studio.engine.model_card import Facts, model_card, public_name, revision_of
from studio.engine.model_loading import Model
from studio.engine.staging import need_space, whole_folder
from studio.engine.tokenizer_loading import Tokenizer
from studio.engine.trained_beside import are_tied, beside_of
from studio.storage.documents import write_bytes_atomically
from studio.storage.models import ModelPlace

_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"
_CARD = "README.md"
# Tokenizer, template, configuration and card.
_REST_BYTES = 32 << 20


def save_adapter(
    model: PeftModelForCausalLM,
    tokenizer: Tokenizer,
    facts: Facts,
    target: Path,
    *,
    beside: Callable[[Path], None] = lambda _: None,
    replace: bool = False,
) -> None:
    """Write an adapter, whole or not at all.

    Args:
        model: Carries the adapter.
        tokenizer: With the template that it was trained with.
        facts: For its card.
        target: The folder to make.
        beside: Does what else belongs to the folder.
        replace: An adapter that lies there makes room, once the new one is whole.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    need_space(target.parent, adapter_bytes(model) + _REST_BYTES, "The adapter")
    with whole_folder(target, replace=replace) as draft:
        # Asked to look for itself, peft would fetch the base model's config.
        model.save_pretrained(str(draft), save_embedding_layers=False)
        add_beside(model, draft / _WEIGHTS, draft / _CONFIG)
        passing("save.weights")
        tokenizer.save_pretrained(draft)
        passing("save.tokenizer")
        change_config(draft / _CONFIG, _public(facts.place))
        write_card(draft, model_card(facts))
        passing("save.card")
        beside(draft)


def _public(place: ModelPlace) -> dict[str, object]:
    """What the configuration says of the base, in place of where it lies here."""
    return {
        "base_model_name_or_path": public_name(place),
        "revision": revision_of(place) or None,
    }


def adapter_bytes(model: PeftModelForCausalLM) -> int:
    """What an adapter's weights take on disk; what is tied is there twice."""
    beside = beside_of(model).values()
    once = sum(weight.nbytes for weight in beside)
    return trained_bytes(model) - once + beside_bytes(model)


def renew_card(folder: Path, facts: Facts) -> None:
    """Write the card anew, when more is known.

    Raises:
        StudioError: The disk is full or may not be written; the old card stays.
    """
    write_bytes_atomically(folder / _CARD, model_card(facts).encode())


def card_of(folder: Path) -> str:
    """The card in a folder; empty when it has none."""
    card = folder / _CARD
    return card.read_text(encoding="utf-8") if card.is_file() else ""


def write_card(folder: Path, card: str) -> None:
    """Write a card into a folder that is being filled, over what a library wrote."""
    (folder / _CARD).write_text(card, encoding="utf-8")


def refuse_without_adapter(folder: Path) -> None:
    """Refuse a folder that holds no adapter in safetensors.

    Raises:
        StudioError: It doesn't.
    """
    if not (folder / _WEIGHTS).is_file() or not (folder / _CONFIG).is_file():
        raise refusal(
            "run.no-adapter",
            "There is no adapter here: the run has not saved one.",
            fix="Choose a run that has finished, or let this one go on.",
            where=str(folder),
        )


def put_adapter(model: Model, folder: Path) -> PeftModelForCausalLM:
    """Put a saved adapter on its base model, in the format it was saved in.

    Raises:
        StudioError: The folder holds no adapter in safetensors.
    """
    refuse_without_adapter(folder)
    is_tied = are_tied(model)
    adapted = PeftModelForCausalLM.from_pretrained(
        model, str(folder), autocast_adapter_dtype=False
    )
    assert isinstance(adapted, PeftModelForCausalLM)
    _hold_as_saved(adapted, folder / _WEIGHTS)
    if is_tied:
        tie_again(adapted)
    adapted.eval()
    return adapted


def _hold_as_saved(adapted: PeftModelForCausalLM, weights: Path) -> None:
    """Give an adapter's weights back the digits that they were saved with.

    peft casts those beside weights in 16 bits to that format as it reads them. Ones
    that it made wider lost nothing, and merging adds them up so. What takes the place
    of the base's own weights stays rounded to their format, as it was while training.
    """
    saved = load_file(weights)
    for name, parameter in adapted.named_parameters():
        if "modules_to_save" in name:
            continue
        key = name.replace(".default", "")
        read = saved.get(key, saved.get(key.removesuffix(".weight")))
        if read is not None and read.itemsize > parameter.itemsize:
            parameter.data = read.to(parameter.device)
