import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import QueryNorm
from studio.domain.errors import StudioError
from tests.bench.formula_grid import ARCHITECTURES, config_of

# As the models' own cards or checkpoints have them.
PUBLISHED = {
    "llama-3.1-8b": 8_030_261_248,
    "qwen2.5-7b": 7_615_616_512,
    "qwen3-8b": 8_190_735_360,
    "mistral-7b-v0.1": 7_241_732_096,
    "gemma-1-2b": 2_506_172_416,
    "gemma-2-9b": 9_241_705_984,
    "phi-4": 14_659_507_200,
    "phi-4-mini": 3_836_021_760,
    "smollm2-1.7b": 1_711_376_384,
    "smollm3-3b": 3_075_098_624,
    "olmo2-7b": 7_298_617_344,
    "granite-3.1-8b": 8_170_848_256,
    "pythia-6.9b": 6_857_302_016,
    "starcoder2-3b": 3_030_371_328,
    "stablelm-3b": 2_795_443_200,
    "mixtral-8x7b": 46_702_792_704,
    "qwen3-30b-a3b": 30_532_122_624,
    "olmoe-7b": 6_919_161_856,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_that_every_family_has_as_many_weights_as_published(name):
    model = ModelArchitecture.from_config(config_of(name))
    assert model.parameters == PUBLISHED[name]


def test_that_the_text_part_of_a_multimodal_config_is_read():
    text = ARCHITECTURES["gemma-3-4b"]
    whole = {"model_type": "gemma3", "text_config": text, "vision_config": {}}
    assert ModelArchitecture.from_config(whole) == ModelArchitecture.from_config(text)


def test_that_defaults_which_gemma_3_leaves_out_are_known():
    # google/gemma-3-4b-it publishes these alone.
    said = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "sliding_window": 1024,
    }
    heads = ModelArchitecture.from_config(said).decoder.kinds[0][0].heads
    assert (heads.queries, heads.keys, heads.width) == (8, 4, 256)
    assert ModelArchitecture.from_config(said).vocabulary == 262_208


def test_that_windows_and_whole_views_are_told_apart():
    model = ModelArchitecture.from_config(config_of("gemma-3-4b"))
    windows = {block.window: count for block, count in model.decoder.kinds}
    assert windows == {1024: 29, 0: 5}


def test_that_every_fourth_block_of_smollm3_knows_no_positions():
    model = ModelArchitecture.from_config(config_of("smollm3-3b"))
    kinds = {block.heads.rotary: count for block, count in model.decoder.kinds}
    assert kinds == {0: 9, 128: 27}


def test_that_queries_and_keys_are_normed_where_the_family_does():
    norms = {
        name: ModelArchitecture.from_config(config_of(name)).decoder.kinds[0][0]
        for name in ("llama-3.1-8b", "qwen3-8b", "gemma-3-4b", "olmo2-7b")
    }
    assert [block.query_norm for block in norms.values()] == [
        QueryNorm.NONE,
        QueryNorm.HEAD,
        QueryNorm.HEAD_TURNED,
        QueryNorm.WHOLE,
    ]


@pytest.mark.parametrize("family", ["mamba", "deepseek_v3", "", "bert"])
def test_that_a_family_which_is_not_known_is_refused(family):
    with pytest.raises(StudioError, match="can’t be priced yet"):
        ModelArchitecture.from_config({"model_type": family, "hidden_size": 8})
