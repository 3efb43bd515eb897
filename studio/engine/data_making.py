"""The verb make-data: a model drafts questions and answers from documents."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch

from studio.domain.drafting import Ask
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import (
    AdapterDtype,
    ComputeDtype,
    LoraOptions,
    ModelOptions,
    Precision,
)
from studio.domain.run import Phase
from studio.engine.devices import choose_device, formats_of
from studio.engine.generation import answers
from studio.engine.lifeline import Interrupted
from studio.engine.model_loading import load_model
from studio.engine.model_preparation import prepared_folder
from studio.engine.progress_bars import reported
from studio.engine.session import Count, Session
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.data_events import DraftsMade
from studio.storage.draft_making import DraftCount, DraftMaking, DraftOrder
from studio.storage.models import ModelPlace
from studio.system.chat_address import ChatAddress

# Of the card's free memory; the rest is for the answers' own keys and values.
_MOST_OF_CARD: Final = 0.6


def make_by_model(session: Session, place: ModelPlace, order: DraftOrder) -> None:
    """Draft by a local model until every passage has its drafts, or an end is ordered.

    An end by order is no failure: what was made until then is kept and told.

    Args:
        session: Where to report, and where orders come from.
        place: The model that drafts.
        order: What is to be made.

    Raises:
        StudioError: A document, the model or the file of drafts can't be used.
        Interrupted: It was told to end before the documents were read.
    """
    _make(session, order, place.title, lambda: _asking_model(session, place))


def make_by_address(session: Session, address: ChatAddress, order: DraftOrder) -> None:
    """The same by a model behind an address.

    Raises:
        StudioError: A document, the address or the file of drafts can't be used; what
            was made before is kept.
        Interrupted: It was told to end before the documents were read.
    """

    def ask(prompts: Sequence[str], most_tokens: int) -> list[str]:
        with session.lifeline.open():
            return address.ask(prompts, most_tokens)

    def begin() -> Ask:
        session.enter(Phase.DRAFTING)
        return ask

    _make(session, order, address.made_by, begin)


def _make(
    session: Session, order: DraftOrder, made_by: str, begin: Callable[[], Ask]
) -> None:
    session.enter(Phase.PREPARING_DATA)
    making = DraftMaking(order, made_by)
    count, told = making.count, 0
    if count.left:
        with contextlib.suppress(Interrupted):
            ask = begin()
            shown = Count(session, "Drafting", count.left, "passages")

            def go_on(count: DraftCount) -> bool:
                nonlocal told
                shown.add(count.done - told)
                told = count.done
                return not session.orders.stop_is_ordered

            making.make(ask, go_on)
    session.say(
        DraftsMade(
            path=str(order.out.expanduser().absolute()),
            passages=count.passages,
            left=count.left,
            drafts=count.drafts,
            refused=dict(count.refused),
            stopped=bool(count.left),
        )
    )


def _asking_model(session: Session, place: ModelPlace) -> Ask:
    """Load a model; what is returned asks it."""
    with session.lifeline.open():
        folder = prepared_folder(session, place)
        device = choose_device()
        recipe = _held(folder, device)
        formats = formats_of(recipe, device)
        session.enter(Phase.LOADING_MODEL)
        tokenizer = load_tokenizer(folder)
        with reported(session, "Loading the weights"):
            model = load_model(folder, recipe.model, formats, device)
        session.enter(Phase.DRAFTING)

    def ask(prompts: Sequence[str], most_tokens: int) -> list[str]:
        # Only here may it be interrupted: a file is written whole or not at all.
        with session.lifeline.open():
            said = answers(model, tokenizer, prompts, formats, most_tokens)
            return [text for _, text in said]

    return ask


def _held(folder: Path, device: torch.device) -> Recipe:
    """How a model is held for answering: in 16 bits on a card, if it has room."""
    if device.type != "cuda":
        compute, precision = ComputeDtype.FP32, Precision.FP32
    else:
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        compute = ComputeDtype.BF16 if has_bf16 else ComputeDtype.FP16
        free, _ = torch.cuda.mem_get_info(device)
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        fits = weights <= free * _MOST_OF_CARD
        precision = Precision(compute.value) if fits else Precision.NF4
    return Recipe(
        model=ModelOptions(precision=precision, compute_dtype=compute),
        lora=LoraOptions(adapter_dtype=AdapterDtype.FP32),
    )
