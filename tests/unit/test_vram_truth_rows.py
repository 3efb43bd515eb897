from collections import defaultdict

from tests.bench.vram_truth import in_runs, left_out
from tests.bench.vram_truth_earlier import earlier
from tests.bench.vram_truth_prices import recipe_of
from tests.bench.vram_truth_rows import (
    ALLOCATED,
    DEVICE,
    GIB,
    MIB,
    RESERVED,
    WITHOUT,
    Left,
    case_of,
    reasons,
)

EMPTY = defaultdict(str, num_gpus="1")
TESLA = EMPTY | {
    "source_url_or_repo_path": "pypi fitcheck-llm",
    "model": "HuggingFaceTB/SmolLM2-135M",
    "method": "qlora-nf4",
    "lora_r": "32",
    "target_modules": "q,k,v,o",
    "seq_len": "512",
    "micro_batch": "2",
    "attention_impl": "sdpa mem-efficient backend",
    "quality": "A",
    "peak_alloc_gib": "1.5",
    "peak_reserved_gib": "2",
}
AMPERE = TESLA | {
    "source_url_or_repo_path": "github fms-acceleration",
    "model": "ibm/PowerLM-3b",
    "kernels": "none",
    "dtype": "bfloat16 weights; no autocast (pure)",
    "notes": "framework_config=baseline-peft-bnb",
    "lib_versions": "torch 2.4.1; transformers 4.45.2",
}


def test_that_a_row_of_the_t4_becomes_a_recipe():
    case = case_of(2, TESLA)
    recipe = recipe_of(case.options)
    assert case.measured == {ALLOCATED: GIB * 3 // 2, RESERVED: 2 * GIB}
    assert DEVICE not in case.measured
    assert recipe.compat.upcast_unquantized
    assert recipe.model.attention == "sdpa"
    assert recipe.train.micro_batch == 2


def test_that_the_loss_of_a_librarys_version_is_priced():
    recipe = recipe_of(case_of(2, AMPERE).options)
    assert recipe.compat.early_logits_upcast
    assert recipe.compat.shifted_logits_copy
    assert recipe.compat.upcast_norms
    assert not recipe.compat.autocast
    later = AMPERE | {"lib_versions": "transformers 4.48.1", "dtype": "bf16 autocast"}
    recipe = recipe_of(case_of(2, later).options)
    assert not recipe.compat.early_logits_upcast
    assert recipe.compat.autocast


def test_that_a_later_row_is_told_without_what_lay_beside_torch_too():
    device = {"peak_nvml_gib": "4"}
    later = AMPERE | device | {"lib_versions": "transformers 4.48.1"}
    assert case_of(2, later).measured[WITHOUT] == 4 * GIB - 1163 * MIB
    assert WITHOUT not in case_of(2, AMPERE | device).measured


def test_that_the_earlier_table_goes_by_the_rules_of_the_file():
    cases = list(earlier())
    assert len(cases) == 9
    for case in cases:
        recipe = recipe_of(case.options)
        assert recipe.compat.early_logits_upcast
        assert recipe.compat.shifted_logits_copy
        assert case.measured[DEVICE] > case.measured[ALLOCATED]
    quantized = [case for case in cases if case.options["model.precision"] == "nf4"]
    assert [case.options["compat.upcast_norms"] for case in quantized] == [
        *(True, True),
        *(False, False, False),
    ]
    assert all(case.options["lora.dropout"] == 0.1 for case in quantized)


def test_that_a_row_which_cant_be_told_as_a_recipe_says_why():
    assert "fused kernels" in case_of(2, AMPERE | {"kernels": "liger"})
    assert "lengths" in case_of(2, AMPERE | {"seq_len": "~445 mean"})
    assert "several cards" in case_of(2, EMPTY | {"num_gpus": "2"})


def test_that_reasons_are_counted_with_the_most_frequent_first():
    left = [Left(2, "A", "one"), Left(3, "B", "two"), Left(4, "A", "two")]
    assert [(why, len(rows)) for why, rows in reasons(left)] == [("two", 2), ("one", 1)]


def test_that_fused_kernels_leave_the_live_tensors_of_a_full_step_comparable():
    row = AMPERE | {"kernels": "liger", "method": "full", "peak_nvml_gib": "3"}
    case = case_of(2, row)
    assert case.at_step_only
    assert case.measured == {ALLOCATED: GIB * 3 // 2}
    assert not case_of(2, row | {"kernels": "none"}).at_step_only


def test_that_rows_left_out_are_named_one_and_all():
    assert in_runs([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"
    left = [Left(4, "A", "another loss"), Left(5, "B", "another loss")]
    assert list(left_out(left)) == ["- 2: another loss (lines 4-5)"]
