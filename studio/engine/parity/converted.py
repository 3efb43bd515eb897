"""A file made of a merged model, beside that model: what the conversion alone cost.

Whether the merged model says what was trained is its own certificate's matter; its
prompts and its answers are taken from there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from studio.domain.errors import StudioError
from studio.domain.finding import warning
from studio.domain.parity import AnswerPair, Distance, Parity
from studio.engine.parity import texts as reading
from studio.engine.parity.artefacts import GgufArtefact, MergedFolder
from studio.engine.parity.hearing import distance_between, places_for
from studio.engine.parity.page import write_report
from studio.engine.parity.speakers import room_for
from studio.engine.parity.words import compare_prompts, lost_ends
from studio.plugin_api.exporting import Proof, Tell
from studio.storage.artefacts import read_origin

_UNKNOWN = Distance(0, 0.0, float("inf"), float("inf"))
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Counted:
    """A session's way of counting, for who is only told."""

    tell: Tell

    def counted(self, items: Sequence[Item], stage: str, unit: str) -> Iterator[Item]:
        for done, item in enumerate(items):
            self.tell(stage, done, len(items), unit)
            yield item


@dataclass(frozen=True, slots=True)
class _Certificate:
    """What is known of the merged model."""

    said: Mapping[str, str]
    learnt: Distance


def compare(source: Path, file: Path, tell: Tell) -> Proof:
    """Hear a GGUF file beside the merged model that it was made of.

    Args:
        source: The merged model's folder.
        file: The file, which gets the report beside it.
        tell: Is told how far it is.

    Returns:
        What differs by more than the file's format may cost, and the figures.

    Raises:
        StudioError: The file is none, or the disk refuses.
    """
    artefact = GgufArtefact(file)
    try:
        parity = _compared(MergedFolder(source), artefact, tell)
    except StudioError as fault:
        if fault.finding.code != "parity.not-read":
            raise
        said = fault.finding
        unheard = warning(said.code, said.what, why=said.why, fix=said.how_to_fix)
        return Proof((unheard,), is_judged=False)
    run = _run_of(source)
    page = write_report(artefact.folder, run, parity, artefact.prefix)
    return Proof(parity.findings, page.name, _figures(parity))


def _compared(source: MergedFolder, artefact: GgufArtefact, tell: Tell) -> Parity:
    artefact.look()
    known, counted = _certificate(source.folder), _Counted(tell)
    prompts = list(known.said) or list(reading.FIXED_PROMPTS)
    with source.opened() as merged:
        ours, ends = merged.tokenizer, merged.ends
        said = known.said or merged.answers(prompts)
        texts = reading.within(
            [reading.asked_and_answered(ours, each, said[each]) for each in prompts],
            places_for(merged.model.config.vocab_size),
        )
        expected = list(merged.expected(counted, texts, (), "Hearing the merged model"))
    del merged
    tell("Loading the GGUF file", 0, 1, "files")
    with artefact.opened(room_for(ours, texts, prompts)) as exported:
        told = exported.expected(counted, texts, expected, "Hearing the GGUF file")
        distance = distance_between(texts, expected, told)
        answered = exported.answers(prompts)
        asked = compare_prompts(ours, exported, prompts)
        lost = lost_ends(ours, ends, exported.ends)
    return Parity(
        format=artefact.format,
        kind=artefact.kind,
        reader=artefact.reader,
        distance=distance,
        learnt=known.learnt,
        other_prompts=asked.other,
        trained_date=asked.trained_date,
        lost_ends=lost,
        answers=tuple(AnswerPair(each, said[each], answered[each]) for each in prompts),
    )


def _certificate(folder: Path) -> _Certificate:
    """What the merged model's own report holds; nothing where it has none."""
    try:
        told = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
        said = {str(each["prompt"]): str(each["trained"]) for each in told["answers"]}
        learnt = told["learnt"]
        kl = float(learnt["mean_kl"])
        return _Certificate(said, Distance(int(learnt["tokens"]), 0.0, kl, kl))
    except (OSError, ValueError, KeyError, TypeError):
        return _Certificate({}, _UNKNOWN)


def _run_of(source: Path) -> str:
    try:
        return read_origin(source).run
    except StudioError:
        return source.name


def _figures(parity: Parity) -> tuple[tuple[str, str], ...]:
    found = parity.distance
    same = f"{parity.same_answers} of {len(parity.answers)}"
    return (
        ("Same next token", f"{found.agreement:.2%} of {found.tokens:,}"),
        ("Divergence", f"{found.mean_kl:.2g} nats a token"),
        ("Same answers", same),
        ("Run by", parity.reader),
    )
