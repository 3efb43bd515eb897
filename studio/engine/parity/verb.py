"""What ``verify`` does: a trained run and what was exported from it, side by side.

Both are held unquantised in fp32, so that nothing but the export itself is compared.
One is in memory at a time. Where the base was quantised while it was trained, that one
is heard too: how far it is from its unquantised self is told and not judged.
"""

import contextlib
import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from peft import PeftModelForCausalLM

from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.domain.parity import AnswerPair, Distance, Parity
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.engine.adapter_files import put_adapter
from studio.engine.data_preparation import prepare_data
from studio.engine.devices import choose_device, formats_of
from studio.engine.generation import answers
from studio.engine.merging.verb import refuse_whole
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_preparation import prepared_folder
from studio.engine.parity import texts as reading
from studio.engine.parity.artefacts import artefact_at
from studio.engine.parity.hearing import Heard, distance_between, heard, places_for
from studio.engine.parity.page import finite, write_report
from studio.engine.parity.speakers import ANSWER_TOKENS, PLAIN, room_for
from studio.engine.parity.words import compare_prompts, ends_of, lost_ends
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.starting.begin import be_as_trained
from studio.engine.starting.trained_on import TrainedOn, trained_on, with_adapter
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer
from studio.protocol.export_events import ParityMeasured
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory

_HEARD = "Hearing the export"


@dataclass(frozen=True, slots=True)
class _Told:
    """What a model said: of texts, of prompts, and what ends its answers."""

    texts: list[reading.Text]
    expected: list[torch.Tensor]
    learnt: Distance
    answers: dict[str, str]
    ends: set[int]


@dataclass(frozen=True, slots=True)
class _Trained:
    """A run, and on what of its base its adapter is heard."""

    adapter: Path
    recipe: Recipe
    on: TrainedOn

    def loaded(self) -> PeftModelForCausalLM:
        """Both together, unquantised."""
        stretch = self.recipe.model.stretch
        plain = load_plain(self.on.folder, torch.float32, stretch)
        return with_adapter(plain, self.adapter, self.on)


def verify(
    session: Session, run: RunDirectory, place: ModelPlace, artefact: Path
) -> Parity:
    """Compare an exported model with the run that it was made from.

    Args:
        session: Where to report.
        run: Holds the adapter.
        place: Its base model.
        artefact: A merged model's folder or a GGUF file; the report goes beside it.

    Returns:
        What was found.

    Raises:
        StudioError: One of the two is not there.
    """
    refuse_whole(run)
    exported = artefact_at(artefact)
    exported.look()
    with session.lifeline.open():
        parity = compared(session, run, prepared_folder(session, place), artefact)
        folder, prefix = exported.folder, exported.prefix
        report = write_report(folder, run.name, parity, prefix)
    for finding in parity.findings:
        if finding.severity is Severity.WARNING:
            session.warn(finding)
    session.say(
        ParityMeasured(
            path=str(artefact),
            report=str(report),
            is_proven=parity.is_proven,
            agreement=parity.distance.agreement,
            mean_kl=finite(parity.distance.mean_kl),
        )
    )
    return parity


def compared(session: Session, run: RunDirectory, base: Path, artefact: Path) -> Parity:
    """Hear a trained run and what was exported from it, one after the other.

    Args:
        session: Where to report.
        run: Holds the adapter.
        base: The folder of its base model.
        artefact: A merged model's folder or a GGUF file, which stays as it is.
    """
    found = artefact_at(artefact)
    recipe = run.read_recipe()
    ours = load_tokenizer(run.adapter_path)
    rows, prompts = _material(session, recipe, ours)
    on = trained_on(base, recipe, as_held=found.as_trained)
    trained = _Trained(run.adapter_path, recipe, on)
    told = _hear_trained(session, trained, ours, rows, prompts)
    session.enter(Phase.LOADING_MODEL)
    with contextlib.ExitStack() as opened:
        with reported(session, "Loading the exported model"):
            room = room_for(ours, told.texts, prompts)
            exported = opened.enter_context(found.opened(room))
        session.enter(Phase.EVALUATING)
        said = exported.expected(session, told.texts, told.expected, _HEARD)
        distance = distance_between(told.texts, told.expected, said)
        answered = exported.answers(prompts)
        asked = compare_prompts(ours, exported, prompts)
        ends = exported.ends
    del exported, said
    return Parity(
        format=found.format,
        made_from=found.made_from,
        kind=found.kind,
        reader=found.reader,
        distance=distance,
        learnt=told.learnt,
        other_prompts=asked.other,
        trained_date=asked.trained_date,
        lost_ends=lost_ends(ours, told.ends, ends),
        answers=tuple(
            AnswerPair(prompt, told.answers[prompt], answered[prompt])
            for prompt in prompts
        ),
        as_trained=_otherwise(session, trained, told),
        holds_bits=found.as_trained,
    )


def _material(
    session: Session, recipe: Recipe, tokenizer: Tokenizer
) -> tuple[list[reading.Text], list[str]]:
    """Held-out rows and prompts; the data may be gone, the fixed prompts never are."""
    fixed = reading.FIXED_PROMPTS
    if not recipe.data.path:  # of combined adapters
        return [], list(dict.fromkeys((*recipe.data.prompts, *fixed)))
    session.enter(Phase.PREPARING_DATA)
    try:
        data = prepare_data(session, recipe, tokenizer)
    except StudioError as fault:
        session.warn(fault.finding)
        return [], list(dict.fromkeys((*recipe.data.prompts, *fixed)))
    rows = list(reading.held_out(data.held_out))
    return rows, list(dict.fromkeys((*data.prompts, *fixed)))


def _hear_trained(
    session: Session,
    trained: _Trained,
    tokenizer: Tokenizer,
    rows: Sequence[reading.Text],
    prompts: Sequence[str],
) -> _Told:
    """What base and adapter say, unquantised."""
    session.enter(Phase.LOADING_MODEL)
    with reported(session, "Loading the weights"):
        model = trained.loaded()
    session.enter(Phase.EVALUATING)
    said = dict(answers(model, tokenizer, prompts, PLAIN, ANSWER_TOKENS))
    whole = [
        *rows,
        *(reading.asked_and_answered(tokenizer, each, said[each]) for each in prompts),
    ]
    texts = reading.within(whole, places_for(model.config.vocab_size))
    expected = list(heard(session, model, texts, "Hearing what was trained"))
    with model.disable_adapter():
        alone = heard(session, model, texts, "Hearing the base alone")
        learnt = distance_between(texts, expected, alone)
    ends = ends_of(tokenizer, _own_ends(model))
    return _Told(texts, expected, learnt, said, ends)


def _distance(session: Session, model: Heard, told: _Told, stage: str) -> Distance:
    said = heard(session, model, told.texts, stage)
    return distance_between(told.texts, told.expected, said)


def _otherwise(session: Session, trained: _Trained, told: _Told) -> Distance | None:
    """How far what was heard is from the same adapter on the other kind of base.

    That is the quantised base, as it was trained on; where that was heard, the base's
    own weights.
    """
    recipe, base = trained.recipe, trained.on.folder
    if not recipe.model.precision.is_quantized:
        return None
    if trained.on.holds_all:
        gc.collect()
        session.enter(Phase.LOADING_MODEL)
        with reported(session, "Loading the weights"):
            own = replace(trained, on=trained_on(base, recipe)).loaded()
        session.enter(Phase.EVALUATING)
        return _distance(session, own, told, "Hearing it on the base’s own weights")
    gc.collect()
    session.enter(Phase.LOADING_MODEL)
    device = choose_device()
    formats = formats_of(recipe, device)
    with reported(session, "Loading the weights as they were trained on"):
        quantized = load_model(base, recipe.model, formats, device)
    model = put_adapter(quantized, trained.adapter)
    be_as_trained(model, base, recipe)
    session.enter(Phase.EVALUATING)
    with formats.casting(device):
        return _distance(session, model, told, "Hearing it as it was trained")


def _own_ends(model: Heard) -> object:
    return model.generation_config.eos_token_id
