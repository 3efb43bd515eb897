"""What ``evaluate`` does: base and tuned model on rows that were not trained on."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.evaluation import (
    Compared,
    Evaluation,
    Terms,
    Voice,
    sentences,
)
from studio.domain.finding import Finding, warning
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.engine.evaluating.cases import Case, Material, Wanted, material_of
from studio.engine.evaluating.hearing import Heard, hear
from studio.engine.evaluating.intervals import RESAMPLES, SEED, figures_of
from studio.engine.evaluating.page import write_page
from studio.engine.evaluating.scores import Scores
from studio.engine.evaluating.tallying import (
    Told,
    told_of_answers,
    told_of_judgements,
)
from studio.engine.evaluating.voices import (
    further_place,
    speakers,
    tuned_place,
)
from studio.engine.model_preparation import prepared_folder
from studio.engine.session import Session
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.evaluation_events import Evaluated
from studio.storage.checkpoint_folders import all_of, fingerprint_of
from studio.storage.data_sets import digest_of_data
from studio.storage.evaluations import FOLDER, free_name, write_evaluation
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory
from studio.system.versions import versions

ANSWER_TOKENS: Final = 128
_FEW_TOLD: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted.

    Attributes:
        wanted: Which rows.
        also: Checkpoints or folders to be asked as well.
        max_new_tokens: An answer is cut off there.
        lowercase: Whether BLEU looks at no capitals.
        out: Where the report goes; None for the run's own folder.
    """

    wanted: Wanted
    also: Sequence[str] = ()
    max_new_tokens: int = ANSWER_TOKENS
    lowercase: bool = False
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The voices' titles and what they made of the inputs, by name."""

    titles: dict[str, str]
    heard: dict[str, Sequence[Heard]]


def order_of(arguments: argparse.Namespace) -> Order:
    """What the command line of the engine says."""
    data, out = arguments.data, arguments.out
    return Order(
        wanted=Wanted(
            data=data.expanduser().absolute() if data else None,
            columns=tuple(arguments.columns),
            rows=arguments.rows,
        ),
        also=arguments.also,
        max_new_tokens=arguments.max_new_tokens,
        lowercase=arguments.lowercase,
        out=out.expanduser().absolute() if out else None,
    )


def evaluate(
    session: Session, run: RunDirectory, place: ModelPlace, order: Order
) -> Evaluation:
    """Measure a run beside its base, and write the report.

    Args:
        session: Where to report.
        run: Has saved a result.
        place: Its base model.
        order: What is wanted.

    Raises:
        StudioError: The run has saved nothing, the rows can't be read, or the disk
            refuses; no report is left then.
    """
    recipe = run.read_recipe()
    tuned = tuned_place(run, recipe)
    places = [tuned, *(further_place(run, recipe, word) for word in order.also)]
    with session.lifeline.open():
        base = prepared_folder(session, place)
        session.enter(Phase.PREPARING_DATA)
        tokenizer = load_tokenizer(tuned.folder)
        material = material_of(session, recipe, tokenizer, order.wanted)
        found = [*material.findings, *_changed_data(run, recipe, order.wanted)]
        for finding in found:
            session.warn(finding)
        asked = _Asked({}, {})
        for speaker in speakers(session, base, recipe, places):
            asked.titles[speaker.name] = speaker.title
            asked.heard[speaker.name] = hear(
                session, speaker, material.cases, order.max_new_tokens
            )
            del speaker  # the next one needs its memory
    folder = order.out or run.path / FOLDER
    name = free_name(folder, str(order.wanted.data or ""))
    evaluation = _evaluated(name, run, recipe, order, (material, asked, found))
    written = write_evaluation(folder, evaluation)
    page = write_page(folder, evaluation)
    session.say(Evaluated(report=str(written), page=str(page)))
    return evaluation


def _evaluated(
    name: str,
    run: RunDirectory,
    recipe: Recipe,
    order: Order,
    found: tuple[Material, _Asked, Sequence[Finding]],
) -> Evaluation:
    material, asked, findings = found
    scores = Scores(lowercase=order.lowercase)
    told = _told(material, asked, recipe, scores)
    cases = material.cases
    unasked = _unasked(cases, told)
    return Evaluation(
        name=name,
        run=run.name,
        data=str(order.wanted.data or ""),
        kind=material.kind,
        inputs=len(cases),
        of_inputs=material.of_inputs,
        rows=sum(len(case.rows) for case in cases),
        voices=tuple(_voices(told, asked, scores)),
        compared=tuple(
            Compared(
                prompt=case.prompt(),
                references=case.references,
                lines=case.lines,
                seen=case.seen,
                said={voice: each.said[at] for voice, each in told.items()},
            )
            for at, case in enumerate(cases)
        ),
        findings=sentences([*findings, *unasked]),
        terms=_terms(order, recipe, told, cases, scores),
        when=time.time(),
        versions=dict(versions()),
    )


def _told(
    material: Material, asked: _Asked, recipe: Recipe, scores: Scores
) -> dict[str, Told]:
    if material.is_judged:
        return told_of_judgements(material.cases, asked.heard, recipe.train.method)
    return told_of_answers(material.cases, asked.heard, scores)


def _voices(told: dict[str, Told], asked: _Asked, scores: Scores) -> list[Voice]:
    base = next(iter(told.values())).tallies
    return [
        Voice(
            name,
            asked.titles[name],
            figures_of(each.tallies, base if at else None, scores.bleu),
        )
        for at, (name, each) in enumerate(told.items())
    ]


def _terms(
    order: Order,
    recipe: Recipe,
    told: dict[str, Told],
    cases: Sequence[Case],
    scores: Scores,
) -> Terms:
    said = next(iter(told.values())).said
    references = [
        case.references
        for case, each in zip(cases, said, strict=True)
        if each.text is not None
    ]
    return Terms(
        max_new_tokens=order.max_new_tokens,
        lowercase=order.lowercase,
        bleu=scores.signature(references) if references else "",
        resamples=RESAMPLES,
        seed=SEED,
        length=recipe.train.sequence_length,
    )


def _unasked(cases: Sequence[Case], told: dict[str, Told]) -> list[Finding]:
    """Inputs that were too long to be asked."""
    said = next(iter(told.values())).said
    missing = [
        case.lines[0]
        for case, each in zip(cases, said, strict=True)
        if case.asked and each.text is None
    ]
    if not missing:
        return []
    return [
        warning(
            "evaluation.too-long",
            f"{len(missing):,} inputs leave the model no room for an answer and were "
            f"not asked: line {', '.join(map(str, missing[:_FEW_TOLD]))}.",
        )
    ]


def _changed_data(run: RunDirectory, recipe: Recipe, wanted: Wanted) -> list[Finding]:
    """Whether the rows held out now may be others than those of the training."""
    if wanted.data is not None:
        return []
    known = [
        mark.data
        for _, folder in all_of(run.checkpoints_path)
        if (mark := fingerprint_of(folder)) is not None and mark.data
    ]
    if not known or digest_of_data(recipe.data) in known:
        return []
    return [
        warning(
            "evaluation.data-changed",
            "The run’s data file was changed since it was trained on.",
            why="Rows that are held out now may have been trained on.",
            fix="Measure with a file of other rows.",
            where=recipe.data.path,
        )
    ]
