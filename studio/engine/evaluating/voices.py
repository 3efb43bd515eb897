"""The models that are asked, one after the other over one base in memory.

The base is heard before any adapter is put on it: what an adapter changes of its base,
as PiSSA does, can't be heard in the base's figures. Whatever is asked beside the tuned
model is loaded anew.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from trl.trainer.utils import add_fused_lm_head

from studio.domain.errors import refusal
from studio.domain.evaluation import BASE, TUNED
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype, ModelOptions, Precision
from studio.domain.run import Phase
from studio.engine.adapter_files import put_adapter, refuse_without_adapter
from studio.engine.devices import Formats, choose_device, formats_of
from studio.engine.methods.common import suit_head
from studio.engine.model_loading import Model, load_model
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.starting.begin import be_as_trained
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer
from studio.storage.models import is_model_folder
from studio.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from peft import PeftModelForCausalLM

    Asked: TypeAlias = Model | PeftModelForCausalLM


@dataclass(frozen=True, slots=True)
class Place:
    """Where a voice lies.

    Attributes:
        name: Of the voice.
        title: What it is, in words.
        folder: Of an adapter or a model.
        is_adapter: Which of the two.
    """

    name: str
    title: str
    folder: Path
    is_adapter: bool


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice that is in memory.

    Attributes:
        name: Of the voice.
        title: What it is, in words.
        model: Scores by its fused output head, and answers.
        tokenizer: Its own.
        formats: That it computes in.
    """

    name: str
    title: str
    model: "Asked"
    tokenizer: Tokenizer
    formats: Formats


def tuned_place(run: RunDirectory, recipe: Recipe) -> Place:
    """What a run left.

    Raises:
        StudioError: It has saved nothing.
    """
    if not recipe.trains_all:
        refuse_without_adapter(run.adapter_path)
        return Place(TUNED, "Tuned", run.adapter_path, is_adapter=True)
    if not is_model_folder(run.model_path):
        raise refusal(
            "run.no-model",
            "There is no trained model here: the run has not saved one.",
            fix="Choose a run that has finished, or let this one go on.",
            where=str(run.model_path),
        )
    return Place(TUNED, "Tuned", run.model_path, is_adapter=False)


def further_place(run: RunDirectory, recipe: Recipe, word: str) -> Place:
    """A checkpoint of the run by its name, or the folder of an adapter or a model.

    Raises:
        StudioError: There is neither.
    """
    checkpoint = run.checkpoints_path / word
    folder = checkpoint if checkpoint.is_dir() else Path(word).expanduser().absolute()
    if is_model_folder(folder):
        return Place(folder.name, folder.name, folder, is_adapter=False)
    if (folder / "adapter_config.json").is_file() and not recipe.trains_all:
        refuse_without_adapter(folder)
        return Place(folder.name, folder.name, folder, is_adapter=True)
    raise refusal(
        "evaluation.no-voice",
        f"There is no model and no adapter called “{word}”.",
        fix="Name a checkpoint of the run, such as step-40, or the folder of a merged "
        "model.",
        where="--also",
    )


def speakers(
    session: Session, base: Path, recipe: Recipe, places: Sequence[Place]
) -> Iterator[Speaker]:
    """Bring one voice after the other into memory, the base first.

    Each must be let go of before the next is asked for.

    Args:
        session: Told of progress.
        base: The base model's folder.
        recipe: Of the run.
        places: Of the others, the tuned model first.

    Raises:
        StudioError: One of them can't be loaded.
    """
    tuned, *others = places
    tokenizer = load_tokenizer(tuned.folder)
    formats = formats_of(recipe, choose_device())
    model = _loaded(session, base, recipe, "Loading the base")
    yield Speaker(BASE, "Base", model, tokenizer, formats)
    if tuned.is_adapter:
        yield _adapted(model, base, recipe, tuned)
    else:
        others = [tuned, *others]
    del model
    for place in others:
        _free()
        if place.is_adapter:
            plain = _loaded(session, base, recipe, "Loading the base again")
            yield _adapted(plain, base, recipe, place)
            del plain
        else:
            yield _whole(session, place, recipe)


def _adapted(model: Model, base: Path, recipe: Recipe, place: Place) -> Speaker:
    adapted = put_adapter(model, place.folder)
    be_as_trained(adapted, base, recipe)
    formats = formats_of(recipe, choose_device())
    tokenizer = load_tokenizer(place.folder)
    return Speaker(place.name, place.title, adapted, tokenizer, formats)


def _whole(session: Session, place: Place, recipe: Recipe) -> Speaker:
    """A model without an adapter: what a run of all weights left, or a merged one."""
    if place.name == TUNED:
        # Its own configuration holds how its positions are stretched.
        held = recipe.with_value("model.stretch", 1.0)
    else:
        held = _unquantised()
    model = _loaded(session, place.folder, held, f"Loading {place.title}")
    formats = formats_of(held, choose_device())
    tokenizer = load_tokenizer(place.folder)
    return Speaker(place.name, place.title, model, tokenizer, formats)


def _unquantised() -> Recipe:
    on_card = choose_device().type == "cuda"
    compute = ComputeDtype.BF16 if on_card else ComputeDtype.FP32
    return Recipe(
        model=ModelOptions(precision=Precision(compute.value), compute_dtype=compute)
    )


def _loaded(session: Session, folder: Path, recipe: Recipe, stage: str) -> Model:
    device = choose_device()
    session.enter(Phase.LOADING_MODEL)
    with reported(session, stage):
        model = load_model(folder, recipe.model, formats_of(recipe, device), device)
    suit_head(device.type)
    add_fused_lm_head(model, outputs=("log_probs",))
    return model


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
