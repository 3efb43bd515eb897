"""The short run that is measured: the recipe's own, cut down to its costliest batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import set_seed

from studio.domain.errors import StudioError, refusal
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.engine.chat_rendering import TrainingRow
from studio.engine.data_preparation import PreparedData, prepare_data
from studio.engine.devices import choose_device, refuse_on_processor
from studio.engine.dry_run import stand_ins
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.subject import Subject
from studio.engine.model_config import read_config
from studio.engine.model_loading import load_model
from studio.engine.packing import rows_for
from studio.engine.session import Session
from studio.engine.starting.begin import begin_adapter
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer
from studio.engine.trained_weights import made_trainable
from studio.engine.training_run import TrainingRun
from studio.storage.data_sets import digest_of_data
from studio.storage.models import ModelPlace, ModelState
from studio.storage.run_directory import RunDirectory
from studio.system.machine import read_machine_once

STEPS = 2
# More micro-batches than this find the memory that the second one found.
_ACCUMULATION = 2
_DEFAULT_PROMPTS = 3
# Held-out questions are asked when the recipe names none; a quarter of a row is a
# long question. The dry run assumes the same.
_PROMPT_SHARE = 4
_ALLOWED = ("compat.full_training",)


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """A run that is ready to be measured.

    Attributes:
        run: Its data are the longest batch, as often as two steps need it.
        tokens: Of the longest row.
        data_sha256: Of the data file; empty for stand-in rows of full length.
    """

    run: TrainingRun
    tokens: int
    data_sha256: str

    @property
    def micro_batch(self) -> int:
        """Rows that go through the model together."""
        return self.run.recipe.train.micro_batch


def refuse_other_programs(recipe: Recipe) -> None:
    """Refuse to measure what only other programs do.

    Raises:
        StudioError: The recipe prices another program's run.
    """
    foreign = [key for key in recipe.compared() if key not in _ALLOWED]
    if foreign:
        raise refusal(
            "measure.compared",
            f"{foreign[0]} prices another program's run, which can't be measured here.",
            fix="Leave it out, or take --basis dry-run.",
            where=foreign[0],
        )


def load_probe_run(
    session: Session, quiet: Session, recipe: Recipe, folder: Path, scratch: Path
) -> ProbeRun:
    """Load a model and put together the run that is measured.

    Args:
        session: Told of the data.
        quiet: The run's own, which nobody listens to.
        recipe: Of the run.
        folder: Of the model.
        scratch: An empty folder.

    Raises:
        StudioError: Bad input.
    """
    device = choose_device()
    refuse_on_processor(recipe, device)
    card = Card.of(read_machine_once().device()) if device.type == "cuda" else None
    subject = Subject(read_config(folder), recipe, card)
    session.enter(Phase.LOADING_MODEL)
    base = load_model(folder, recipe.model, subject.formats, device)
    set_seed(recipe.train.seed)
    model = made_trainable(base, recipe)
    start = begin_adapter(quiet, model, folder, recipe)
    tokenizer, data, digest = _data(session, recipe, folder, pads=subject.pads)
    cut, worst = worst_of(recipe, data)
    run = TrainingRun(
        session=quiet,
        directory=RunDirectory(scratch),
        recipe=cut,
        place=ModelPlace(name=folder.name, title=folder.name, state=ModelState.READY),
        model=model,
        tokenizer=tokenizer,
        data=worst,
        data_sha256=digest,
        formats=subject.formats,
        start=start,
    )
    return ProbeRun(run, worst.training[0].width, digest)


def worst_of(recipe: Recipe, data: PreparedData) -> tuple[Recipe, PreparedData]:
    """A run cut down to its costliest batch, as often as `STEPS` steps need it.

    Returns:
        (the recipe of the short run, its rows)
    """
    batch = _longest(rows_for(recipe, data.training), recipe.train.micro_batch)
    cut = _cut(recipe, len(batch))
    worst = replace(
        data,
        training=batch * (STEPS * cut.train.accumulation),
        held_out=_longest(data.held_out, len(batch)),
    )
    return cut, worst


def _cut(recipe: Recipe, rows: int) -> Recipe:
    accumulation = min(_ACCUMULATION, recipe.train.accumulation)
    values = {
        "train.max_steps": STEPS,
        "train.accumulation": accumulation,
        "train.micro_batch": rows,
        "train.save_steps": 0,
        "train.save_minutes": 0,
        "train.eval_steps": 0,
    }
    for key, value in values.items():
        recipe = recipe.with_value(key, value)
    return recipe


def _data(
    session: Session, recipe: Recipe, folder: Path, *, pads: bool
) -> tuple[Tokenizer, PreparedData, str]:
    """Tokenizer, rows and the file's digest; stand-ins where there is no data."""
    if recipe.data.path:
        try:
            tokenizer = load_tokenizer(folder)
        except StudioError:
            if (folder / "tokenizer_config.json").exists():
                raise
        else:
            session.enter(Phase.PREPARING_DATA)
            data = prepare_data(session, recipe, tokenizer)
            return tokenizer, data, digest_of_data(recipe.data)
    return stand_ins.tokenizer(), _stand_ins(recipe, pads=pads), ""


def _stand_ins(recipe: Recipe, *, pads: bool) -> PreparedData:
    """Rows of full length; all but one a token shorter where rows are padded."""
    count, length = recipe.train.micro_batch, recipe.train.sequence_length
    longest = stand_ins.judged_rows(recipe, 1, length)
    rows = longest + stand_ins.judged_rows(recipe, count - 1, length - pads)
    training = stand_ins.training_rows(recipe) if recipe.train.packing else rows
    asked = recipe.data.prompts or tuple(
        stand_ins.prompts(_DEFAULT_PROMPTS, length // _PROMPT_SHARE)
    )
    return PreparedData(training, rows if recipe.data.measures else [], asked)


def _longest(rows: Sequence[TrainingRow], count: int) -> list[TrainingRow]:
    return sorted(rows, key=lambda row: -row.width)[:count]
