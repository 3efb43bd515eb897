"""The time of a step against measurements, and what it grows with."""

from dataclasses import replace

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.cards import find_card
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import padded_length, step_seconds
from studio.domain.token_lengths import TokenLengths
from studio.services.cards import known_cards

A100 = find_card(known_cards(), "A100 80GB")
NO_DATA = TokenLengths()
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)

# github.com/QwenLM/Qwen, README.md: seconds an iteration of 8 rows, one at a time, on
# one A100-SXM4-80G; LoRA on all linear layers, recomputed, in 16 bits. The shapes are
# those of the first Qwen's config.json (its own feed-forward width is twice as told).
MEASURED = {
    (2048, 24, 5504, 151936): (1.0, 1.0, 1.1, 1.7, 3.3, 6.8),
    (4096, 32, 11008, 151936): (1.2, 1.5, 2.8, 5.2, 10.1, 21.3),
    (5120, 40, 13696, 152064): (1.6, 2.4, 4.4, 8.4, 17.0, 36.0),
}


def model(hidden: int, layers: int, inner: int, vocabulary: int) -> ModelArchitecture:
    return ModelArchitecture.from_config(
        {
            "model_type": "llama",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": hidden // 128,
            "num_key_value_heads": hidden // 128,
            "intermediate_size": inner,
            "vocab_size": vocabulary,
            "tie_word_embeddings": False,
            "max_position_embeddings": 8192,
        }
    )


def recipe(**values: object) -> Recipe:
    made = Recipe().with_value("model.precision", "bf16")
    made = made.with_value("train.accumulation", 8)
    for key, value in values.items():
        made = made.with_value(f"train.{key}", value)
    return made


SEVEN = model(4096, 32, 11008, 151936)


@pytest.mark.parametrize("shape", MEASURED)
@pytest.mark.parametrize("place", range(len(LENGTHS)))
def test_that_measured_steps_lie_within_the_range(shape, place):
    given = recipe(sequence_length=LENGTHS[place])
    found = step_seconds(model(*shape), given, A100, NO_DATA)
    assert found is not None
    assert found.low <= MEASURED[shape][place] <= found.high
    assert found.high < 2.5 * found.low


def test_that_a_card_of_unknown_rate_gets_no_time():
    assert (
        step_seconds(SEVEN, recipe(), replace(A100, tensor_tflops=0), NO_DATA) is None
    )
    unknown = replace(A100, tensor_tflops=None)
    assert step_seconds(SEVEN, recipe(), unknown, NO_DATA) is None


def test_that_recomputing_and_unpacking_take_time():
    long = recipe(sequence_length=4096)
    plain = step_seconds(
        SEVEN, long.with_value("train.checkpointing", False), A100, NO_DATA
    )
    again = step_seconds(SEVEN, long, A100, NO_DATA)
    packed = step_seconds(
        SEVEN, long.with_value("model.precision", "nf4"), A100, NO_DATA
    )
    assert 1.2 < again.low / plain.low < 1.5
    assert again.low < packed.low < 1.2 * again.low


def test_that_a_mixtures_idle_experts_take_no_time():
    few = dict.fromkeys(("num_attention_heads", "num_key_value_heads"), 8)
    config = {"model_type": "mixtral", "hidden_size": 1024, "num_hidden_layers": 4}
    config |= few | {"intermediate_size": 4096, "vocab_size": 32000}
    config["num_experts_per_tok"] = 2
    small, large = (
        ModelArchitecture.from_config(config | {"num_local_experts": count})
        for count in (4, 16)
    )
    assert large.parameters > 2 * small.parameters
    times = [step_seconds(each, recipe(), A100, NO_DATA) for each in (small, large)]
    assert times[0] == times[1]


def test_that_rows_of_a_batch_are_padded_to_its_longest():
    lengths = TokenLengths.of([100, 300])
    one = recipe(micro_batch=1, sequence_length=1000)
    assert padded_length(one, lengths) == 200
    assert padded_length(one.with_value("train.micro_batch", 2), lengths) == 250
    assert padded_length(one.with_value("train.sequence_length", 128), lengths) == 114
    assert padded_length(one, NO_DATA) == 1000
