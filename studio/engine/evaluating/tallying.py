"""What voices made of the inputs becomes numbers that can be added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.domain.evaluation import BASE, Measure, Said
from studio.domain.method_options import REFERRING_METHODS, Method
from studio.engine.evaluating.cases import Case
from studio.engine.evaluating.hearing import Heard
from studio.engine.evaluating.intervals import Tallies
from studio.engine.evaluating.scores import Scores
from studio.engine.judged_rows import PairRow, RatedRow

_CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """What a voice made of all inputs.

    Attributes:
        said: By input.
        tallies: By measure.
    """

    said: Sequence[Said]
    tallies: Tallies


def told_of_answers(
    cases: Sequence[Case], heard: Mapping[str, Sequence[Heard]], scores: Scores
) -> dict[str, Told]:
    """Losses of all inputs, and answers of those that every voice was asked.

    Args:
        cases: The inputs.
        heard: By voice.
        scores: Judges answers.
    """
    answered = [
        place
        for place, case in enumerate(cases)
        if case.references and all(v[place].answer is not None for v in heard.values())
    ]
    return {
        name: _told_of_voice(cases, voice, set(answered), scores)
        for name, voice in heard.items()
    }


def _told_of_voice(
    cases: Sequence[Case], voice: Sequence[Heard], answered: set[int], scores: Scores
) -> Told:
    nats = [
        [-sum(each.log_prob for each in one.likelihoods), _tokens(one)] for one in voice
    ]
    said, exact, rouge, bleu = [], [], [], []
    for place, (case, one, (loss, tokens)) in enumerate(
        zip(cases, voice, nats, strict=True)
    ):
        mean = loss / tokens if tokens else None
        if place not in answered or one.answer is None:
            said.append(Said(loss=mean))
            continue
        is_exact = scores.is_exact(one.answer, case.references)
        rouge_l = scores.rouge_l(one.answer, case.references)
        exact.append([float(is_exact), 1.0])
        rouge.append([rouge_l, 1.0])
        bleu.append(scores.bleu_counts(one.answer, case.references))
        said.append(
            Said(text=one.answer, rouge_l=rouge_l, is_exact=is_exact, loss=mean)
        )
    tallies = {Measure.LOSS: nats, Measure.PERPLEXITY: nats}
    if answered:
        tallies |= {Measure.EXACT: exact, Measure.BLEU: bleu, Measure.ROUGE_L: rouge}
    return Told(said, tallies)


def told_of_judgements(
    cases: Sequence[Case], heard: Mapping[str, Sequence[Heard]], method: Method
) -> dict[str, Told]:
    """Which judgements each voice agrees with.

    A method that refers to the base rewards an answer by how much likelier it became;
    a tie counts half, so that the base stands at half. All pairs are also judged by the
    likelihood a token alone, which is ORPO's reward.
    """
    told = {}
    for name, voice in heard.items():
        base = heard[BASE]
        likelier, judged, said = [], [], []
        for case, ours, theirs in zip(cases, voice, base, strict=True):
            (row,) = case.rows
            plain = _plain_margin(ours) if isinstance(row, PairRow) else None
            reward = _reward(row, ours, theirs) if method in REFERRING_METHODS else None
            if plain is not None:
                likelier.append([_share(plain), 1.0])
            if reward is not None:
                judged.append([_share(reward), 1.0])
            said.append(Said(margin=plain if reward is None else reward))
        tallies = {}
        if likelier:
            tallies[Measure.LIKELIER] = likelier
        if judged:
            tallies[Measure.JUDGED] = judged
        told[name] = Told(said, tallies)
    return told


def _reward(row: object, ours: Heard, base: Heard) -> float:
    """How far a voice moved towards what was judged better, in nats."""
    moved = [
        mine.log_prob - before.log_prob
        for mine, before in zip(ours.likelihoods, base.likelihoods, strict=True)
    ]
    if isinstance(row, RatedRow):
        return moved[0] if row.is_liked else -moved[0]
    good, bad = moved
    return good - bad


def _plain_margin(heard: Heard) -> float:
    good, bad = heard.likelihoods
    return good.mean - bad.mean


def _share(margin: float) -> float:
    return _CHANCE if margin == 0 else float(margin > 0)


def _tokens(heard: Heard) -> float:
    return float(sum(each.tokens for each in heard.likelihoods))
