"""The verb generate: a run, or any model folder, answers prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.domain.errors import refusal
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype, ModelOptions, Precision
from studio.domain.run import Phase
from studio.engine.adapter_files import put_adapter
from studio.engine.devices import choose_device, formats_of
from studio.engine.generation import answers
from studio.engine.model_loading import Model, load_model
from studio.engine.model_preparation import prepared_folder
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.starting.begin import be_as_trained
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.answer_events import Generated
from studio.storage.models import ModelPlace, is_model_folder
from studio.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from peft import PeftModelForCausalLM


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked.

    Attributes:
        prompts: What the user says, each on its own.
        most_tokens: An answer is cut off there.
    """

    prompts: Sequence[str]
    most_tokens: int


def answer_by_run(
    session: Session,
    run: RunDirectory,
    place: ModelPlace,
    questions: Questions,
    *,
    base_alone: bool,
) -> None:
    """Answer with what a run trained, held as it was in training.

    Args:
        session: Where to report.
        run: Holds the adapter, or the model all of whose weights were trained.
        place: Its base model.
        questions: What is asked.
        base_alone: Ask the base as it was before.

    Raises:
        StudioError: The run has saved nothing, or its base is not there.
    """
    recipe = run.read_recipe()
    with session.lifeline.open():
        if recipe.trains_all and not base_alone:
            _refuse_missing(run)
            # Its own configuration holds how its positions are stretched.
            held = recipe.with_value("model.stretch", 1.0)
            _answer(session, run.model_path, None, held, questions)
            return
        folder = prepared_folder(session, place)
        adapter = None if base_alone else run.adapter_path
        _answer(session, folder, adapter, recipe, questions)


def _refuse_missing(run: RunDirectory) -> None:
    if not is_model_folder(run.model_path):
        raise refusal(
            "run.no-model",
            "There is no trained model here: the run has not saved one.",
            fix="Choose a run that has finished, or let this one go on.",
            where=str(run.model_path),
        )


def answer_by_model(session: Session, folder: Path, questions: Questions) -> None:
    """Answer with a model folder, such as a merged one, unquantised.

    Raises:
        StudioError: The folder holds no such model.
    """
    with session.lifeline.open():
        _answer(session, folder, None, plainly(), questions)


def plainly() -> Recipe:
    """How a model folder is held that no recipe tells of: unquantised."""
    on_card = choose_device().type == "cuda"
    compute = ComputeDtype.BF16 if on_card else ComputeDtype.FP32
    return Recipe(
        model=ModelOptions(precision=Precision(compute.value), compute_dtype=compute)
    )


def _answer(
    session: Session,
    folder: Path,
    adapter: Path | None,
    recipe: Recipe,
    questions: Questions,
) -> None:
    device = choose_device()
    formats = formats_of(recipe, device)
    session.enter(Phase.LOADING_MODEL)
    tokenizer = load_tokenizer(adapter or folder)
    with reported(session, "Loading the weights"):
        base = load_model(folder, recipe.model, formats, device)
    model: Model | PeftModelForCausalLM = base
    if adapter:
        model = adapted = put_adapter(base, adapter)
        be_as_trained(adapted, folder, recipe)
    session.enter(Phase.SAMPLING)
    for prompt, text in answers(
        model, tokenizer, questions.prompts, formats, questions.most_tokens
    ):
        session.say(Generated(prompt=prompt, text=text))
