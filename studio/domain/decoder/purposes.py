"""Models that were made for something else than writing on, told by their config."""

import re
from collections.abc import Mapping

from studio.domain.finding import Finding, error

# What such models are called in ``architectures`` (transformers, models/auto/
# modeling_auto.py). Their weights can be read into a model that writes, whose head then
# is missing or sees the words that it is to guess.
_OTHERWISE = re.compile(
    r"For(MaskedLM|PreTraining|NextSentencePrediction|MultipleChoice|QuestionAnswering"
    r"|(Text|Sequence|Token|Image|Audio|Video)?Classification|RewardModel)$"
)


def purpose_refused(config: Mapping[str, object]) -> Finding | None:
    """Why a model can't be taught to answer, by its decoded config.json.

    Returns:
        None where nothing stands against it, or the config doesn't tell.
    """
    told = config.get("architectures")
    names = [str(name) for name in told] if isinstance(told, list) else []
    if config.get("is_encoder_decoder") is True:
        return _refused("it reads with one half and writes with the other")
    if names and all(map(_OTHERWISE.search, names)):
        return _refused(f"its config says {names[0]}")
    return None


def _refused(why: str) -> Finding:
    return error(
        "model.purpose",
        f"This model isn’t made to write on: {why}.",
        fix="Choose a model for text generation, whose config says ForCausalLM.",
        where="config.json",
    )
