import math
from collections import defaultdict
from itertools import accumulate

import pytest
import torch
from bitsandbytes.optim.optimizer import GlobalOptimManager

from studio.domain.memory.allocator import Allocation, Release
from studio.domain.memory.estimate import Basis, Group, Level, MemoryPhase
from studio.domain.memory.part_names import ADAPTER, GRADIENTS, LOGITS, STATES
from studio.domain.recipe import Recipe
from studio.engine.adapters import attach
from studio.engine.dry_run import fake_model
from studio.engine.dry_run.breakdown import Traits, estimate_of
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.fake_model import outline
from studio.engine.dry_run.recorder import Recorder
from studio.engine.dry_run.rehearsal import (
    load,
    name_adapter,
    rehearse,
    run_of,
    without_memory,
)
from studio.engine.dry_run.steps import Steps
from studio.engine.dry_run.subject import Subject
from studio.engine.methods.training import build_trainer
from studio.engine.model_config import read_config
from studio.engine.model_loading import load_model
from tests.engine import tiny

CARD = Card(capability=(8, 9), total_bytes=24 << 30, has_triton=True)

# A remark of transformers for models that come without a generation config.
pytestmark = pytest.mark.filterwarnings("ignore:.*generation:UserWarning")


def subject_of(folder, card=None, **options):
    recipe = Recipe()
    values = {"model.compute_dtype": "fp32", "train.sequence_length": 96}
    values |= {key.replace("__", "."): value for key, value in options.items()}
    for key, value in values.items():
        recipe = recipe.with_value(key, value)
    return Subject(read_config(folder), recipe, card)


def take_step(subject, recorder, model, folder):
    """One training step; the trace of it as signed sizes, and the trainer's model."""
    trainer = build_trainer(run_of(subject, model, folder))
    for tensor in (*model.parameters(), *model.buffers()):
        recorder.see(tensor, "loaded")
    name_adapter(recorder, model)
    start = len(recorder.recording.trace)
    Steps(recorder, subject, model, trainer).take()
    sizes, signed = {}, []
    for event in recorder.recording.trace:
        if isinstance(event, Allocation):
            sizes[event.tensor] = event.size
            signed.append(event.size)
        else:
            signed.append(-sizes[event.tensor])
    return signed[start:]


def fake_step(subject, folder):
    bare = outline(subject.config, subject.recipe.model, subject.formats)
    with without_memory(subject) as recorder:
        model = load(bare, subject, recorder)
        return take_step(subject, recorder, model, folder)


def real_step(subject, base, folder):
    with Recorder() as recorder:
        model = load_model(
            base, subject.recipe.model, subject.formats, torch.device("cpu")
        )
        model = attach(model, subject.recipe.lora)
        return take_step(subject, recorder, model, folder)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train__checkpointing": False, "train__accumulation": 1},
        {"model__precision": "bf16", "model__compute_dtype": "bf16"},
        {"model__precision": "int8", "train__optimizer": "adamw_8bit"},
        {"model__precision": "fp32", "model__double_quant": False},
        {"model__attention": "eager", "train__optimizer": "adamw_foreach"},
        {"lora__dropout": 0.1, "lora__targets": ("q_proj", "down_proj")},
        {"lora__train_norms": True, "lora__train_embeddings": True},
        {
            "lora__train_norms": True,
            "lora__train_embeddings": True,
            "model__compute_dtype": "bf16",
            "train__checkpointing": False,
        },
        {"train__neftune": 5.0},
        {"train__label_smoothing": 0.1},
        {"train__packing": True},
        {"train__packing": True, "train__micro_batch": 2, "model__attention": "eager"},
    ],
    ids=str,
)
@pytest.mark.parametrize("base", ["tiny_model", "tiny_qwen"])
def test_that_a_step_without_memory_allocates_what_a_real_one_does(
    base, options, request, tmp_path
):
    folder = request.getfixturevalue(base)
    subject = subject_of(folder, **options)
    # Every allocation and every release, in order and to the byte.
    assert fake_step(subject, tmp_path) == real_step(subject, folder, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"train__method": "dpo"},
        {
            "train__method": "dpo",
            "train__micro_batch": 2,
            "train__checkpointing": False,
        },
        {"train__method": "orpo"},
        {"train__method": "kto", "train__micro_batch": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("base", ["tiny_model", "tiny_qwen"])
def test_that_judgements_peak_without_memory_where_they_really_do(
    base, options, request, tmp_path
):
    folder = request.getfixturevalue(base)
    subject = subject_of(folder, **options)
    fake, real = (
        max(accumulate(each))
        for each in (
            fake_step(subject, tmp_path),
            real_step(subject, folder, tmp_path),
        )
    )
    # Figures that trl logs are picked by masks, whose tokens nobody can count here.
    assert fake == pytest.approx(real, rel=0.002)
    assert fake >= real


def test_that_autocast_allocates_what_it_really_does(tiny_model, tmp_path):
    subject = subject_of(
        tiny_model, model__compute_dtype="bf16", lora__adapter_dtype="fp32"
    )
    fake = fake_step(subject, tmp_path)
    real = real_step(subject, tiny_model, tmp_path)
    # Its cache is emptied in an order that depends on addresses.
    assert sorted(fake) == sorted(real)


def highest(folder, phase, **options):
    subject = subject_of(
        folder, CARD, model__compute_dtype="bf16", train__sequence_length=512, **options
    )
    traits = Traits(subject.config.vocab_size, subject.recipe.train.checkpointing)
    found = estimate_of(rehearse(subject), traits, CARD, 0.0)
    return found.phase_peaks[phase]


def test_that_packed_rows_need_a_mask_where_rows_of_one_text_need_none(tiny_model):
    forward, mask = MemoryPhase.FORWARD, 512 * 512
    alone = highest(tiny_model, forward)
    packed = highest(tiny_model, forward, train__packing=True)
    # FlashAttention is told where texts begin, and needs none.
    flash = {"model__attention": "flash", "train__packing": True}
    assert packed >= alone + 0.9 * mask
    assert highest(tiny_model, forward, **flash) < alone + mask / 100
    # The held-out rows are measured as ever.
    evaluate = MemoryPhase.EVALUATE
    assert highest(tiny_model, evaluate, train__packing=True) == highest(
        tiny_model, evaluate
    )


@pytest.mark.parametrize("phase", [MemoryPhase.EVALUATE, MemoryPhase.GENERATE])
def test_that_measurements_and_answers_are_cast_as_training_is(tiny_model, phase):
    subject = subject_of(
        tiny_model, CARD, model__compute_dtype="bf16", lora__adapter_dtype="fp32"
    )
    adapter = subject.recipe.lora.rank, subject.config.hidden_size
    made = rehearse(subject).entries.values()
    assert any(
        entry.phase is phase and entry.what == "_to_copy" and entry.shape == adapter
        for entry in made
    )


@pytest.mark.parametrize("precision", ["nf4", "fp4", "int8", "bf16"])
@pytest.mark.parametrize("double_quant", [True, False])
def test_that_parts_which_stay_are_priced_to_the_byte(
    tiny_qwen, tmp_path, precision, double_quant
):
    subject = subject_of(
        tiny_qwen,
        model__precision=precision,
        model__double_quant=double_quant,
        model__compute_dtype="bf16",
        train__accumulation=1,
    )
    predicted = held_by_name(rehearse(subject))
    model = load_model(
        tiny_qwen, subject.recipe.model, subject.formats, torch.device("cpu")
    )
    weights, constants = weights_of(model)
    model = attach(model, subject.recipe.lora)
    trainer = build_trainer(run_of(subject, model, tmp_path))
    trained = [p for p in model.parameters() if p.requires_grad]
    Steps(Recorder(), subject, model, trainer).take()
    states = [s for state in trainer.optimizer.state.values() for s in state.values()]
    assert predicted[fake_model.QUANTIZED] == weights["quantised"]
    assert predicted[fake_model.PLAIN] == weights["plain"]
    assert predicted[fake_model.SCALES] == constants
    assert predicted[ADAPTER] == sum(p.nbytes for p in trained)
    assert predicted[GRADIENTS] == sum(p.nbytes for p in trained)
    assert predicted[STATES] == sum(state.nbytes for state in states)


def weights_of(model):
    """Bytes of a loaded model, as its own tensors tell them."""
    weights = {"quantised": 0, "plain": 0}
    constants = 0
    for parameter in model.parameters():
        is_packed = parameter.dtype in {torch.uint8, torch.int8}
        weights["quantised" if is_packed else "plain"] += parameter.nbytes
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            constants += sum(t.nbytes for t in fake_model.constants_of(state))
        if getattr(parameter, "SCB", None) is not None:
            constants += parameter.SCB.nbytes
    return weights, constants


def held_by_name(recording):
    """The most that was live under each name at a time."""
    live, held, most = {}, {}, {}
    for event in recording.trace:
        name = recording.entries[event.tensor].what
        if isinstance(event, Allocation):
            live[event.tensor] = event.size
            held[name] = held.get(name, 0) + event.size
            most[name] = max(most.get(name, 0), held[name])
        else:
            held[name] -= live.pop(event.tensor)
    return defaultdict(int, most)


def estimate(subject):
    recording = rehearse(subject)
    train = subject.recipe.train
    traits = Traits(subject.config.vocab_size, train.checkpointing)
    return estimate_of(recording, traits, subject.card, 0.0)


def test_that_an_estimate_tells_every_level_and_phase(tiny_model):
    found = estimate(subject_of(tiny_model, CARD, model__compute_dtype="bf16"))
    allocated = found.bytes_up_to(Level.ALLOCATED)
    assert found.basis is Basis.DRY_RUN
    assert allocated == max(found.phase_peaks.values())
    assert found.phase_peaks[found.phase] == allocated
    assert allocated < found.bytes_up_to(Level.RESERVED) < found.peak_bytes
    assert found.peak_bytes == sum(found.by_group().values())
    assert set(found.phase_peaks) == set(MemoryPhase)


@pytest.mark.parametrize(
    "options",
    [
        {"lora__variant": "rslora"},
        {"train__schedule": "hold_and_decay"},
        {"train__floor": 0.1},
        {"train__weight_decay": 0.1, "train__clipping": 0.3},
    ],
)
def test_that_options_that_say_nothing_of_memory_leave_the_price(tiny_model, options):
    usual = estimate(subject_of(tiny_model, CARD, model__compute_dtype="bf16"))
    changed = subject_of(tiny_model, CARD, model__compute_dtype="bf16", **options)
    assert estimate(changed).components == usual.components


def test_that_a_step_is_the_same_however_often_it_is_taken(tiny_model, tmp_path):
    subject = subject_of(tiny_model, train__accumulation=1)
    signed = fake_step(subject, tmp_path)
    # What the first step made for good, the states, is missing in the second.
    made = sum(size for size in signed if size > 0)
    assert made == -sum(size for size in signed if size < 0) + sum(signed)
    assert sum(signed) > 0


@pytest.mark.parametrize("optimizer", ["adamw_8bit", "paged_adamw_8bit"])
def test_that_large_states_of_a_paged_optimizer_lie_beside_the_allocator(
    tiny_model, optimizer
):
    subject = subject_of(
        tiny_model,
        CARD,
        lora__rank=1024,
        model__compute_dtype="bf16",
        train__optimizer=optimizer,
    )
    recording = rehearse(subject)
    # Per layer, 128 x 1024 weights in A or B of the three feed-forward layers; all
    # others stay below 1e5 weights. Two states of a byte each.
    paged = 2 * 3 * 128 * 1024 * 2 if optimizer.startswith("paged") else 0
    assert recording.paged_bytes == paged
    total = held_by_name(rehearse(replace_optimizer(subject)))[STATES]
    assert held_by_name(recording)[STATES] + paged == total


def replace_optimizer(subject):
    recipe = subject.recipe.with_value("train.optimizer", "adamw_8bit")
    return Subject(subject.config, recipe, subject.card)


def allocated(subject):
    return estimate(subject).bytes_up_to(Level.ALLOCATED)


def test_that_all_logits_cost_what_the_models_own_loss_takes(tiny_model):
    tokens, vocabulary = 2048, read_config(tiny_model).vocab_size
    options = {"train__sequence_length": tokens, "model__compute_dtype": "bf16"}
    full = estimate(subject_of(tiny_model, CARD, compat__full_logits=True, **options))
    loss = sum(c.bytes for c in full.components if c.group is Group.LOSS)
    # The outputs in bf16; in fp32 the logits, their log-softmax and its gradient.
    assert 12 <= loss / (tokens * vocabulary) <= 14.1


def test_that_a_shifted_copy_raises_the_forward_peak_by_4_bytes_a_logit(tiny_model):
    tokens, vocabulary = 2 * 1024, read_config(tiny_model).vocab_size
    # Of a batch of one row the shifted part is whole already, and no copy is made.
    options = {
        "train__sequence_length": 1024,
        "train__micro_batch": 2,
        "model__compute_dtype": "bf16",
    }
    peaks = [
        estimate(subject_of(tiny_model, CARD, **{key: True}, **options)).phase_peaks
        for key in ("compat__full_logits", "compat__shifted_logits_copy")
    ]
    raised = peaks[1][MemoryPhase.FORWARD] - peaks[0][MemoryPhase.FORWARD]
    assert raised / (tokens * vocabulary) == pytest.approx(4, abs=0.05)
    # The outputs are gone before its backward pass, 2 bytes a logit.
    fell = peaks[0][MemoryPhase.BACKWARD] - peaks[1][MemoryPhase.BACKWARD]
    assert fell / (tokens * vocabulary) == pytest.approx(2, abs=0.05)
    # A plain loop holds them until its next step, in blocks that may be larger.
    step = MemoryPhase.OPTIMIZER_STEP
    assert peaks[0][step] - peaks[1][step] >= 2 * tokens * vocabulary


def test_that_fp32_logits_of_the_model_take_the_16_bit_ones_away(tiny_model):
    tokens, vocabulary = 2 * 2048, read_config(tiny_model).vocab_size
    options = {
        "train__sequence_length": 2048,
        "train__micro_batch": 2,
        "train__accumulation": 1,
        "model__compute_dtype": "bf16",
        "compat__shifted_logits_copy": True,
    }
    peaks = [
        estimate(
            subject_of(tiny_model, CARD, compat__early_logits_upcast=early, **options)
        ).phase_peaks[MemoryPhase.FORWARD]
        for early in (False, True)
    ]
    fell = (peaks[0] - peaks[1]) / (tokens * vocabulary)
    assert fell == pytest.approx(2, abs=0.1)


def test_that_logits_are_scaled_before_they_are_made_fp32(tmp_path):
    tiny.make_of(tmp_path, "granite", logits_scaling=8.0)
    options = {
        "model__compute_dtype": "bf16",
        "compat__shifted_logits_copy": True,
        "compat__early_logits_upcast": True,
    }
    recording = rehearse(subject_of(tmp_path, CARD, **options))
    words = read_config(tmp_path).vocab_size
    widths = [
        (entry.what, event.size // math.prod(entry.shape))
        for event in recording.trace
        if isinstance(event, Allocation)
        and (entry := recording.entries[event.tensor]).shape[-1:] == (words,)
        and entry.phase is MemoryPhase.FORWARD
    ]
    # 16-bit logits, the same scaled, then FP32 ones.
    made = [what for what, _ in widths]
    first = made.index("div") - 1
    assert [width for _, width in widths[first : first + 3]] == [2, 2, 4]
    assert made[first + 1 : first + 3] == ["div", "_to_copy"]


def test_that_fp32_norms_alone_leave_the_embeddings_as_they_are(tiny_model):
    options = {"model__compute_dtype": "bf16", "compat__full_logits": True}
    left = [
        left_at_the_end(
            subject_of(tiny_model, CARD, compat__upcast_norms=upcast, **options)
        )[fake_model.PLAIN]
        for upcast in (False, True)
    ]
    config = read_config(tiny_model)
    # Two norms a layer and the last, 2 bytes more a weight.
    norms = (2 * config.num_hidden_layers + 1) * config.hidden_size
    assert left[1] - left[0] == 2 * norms


def test_that_unquantised_weights_in_fp32_take_twice_their_bytes(tiny_model):
    options = {"model__compute_dtype": "bf16", "compat__full_logits": True}
    left = [
        left_at_the_end(
            subject_of(tiny_model, CARD, compat__upcast_unquantized=upcast, **options)
        )
        for upcast in (False, True)
    ]
    assert left[1][fake_model.PLAIN] == 2 * left[0][fake_model.PLAIN]
    assert left[1][fake_model.QUANTIZED] == left[0][fake_model.QUANTIZED]


def left_at_the_end(subject):
    recording = rehearse(subject)
    live = {}
    for event in recording.trace:
        if isinstance(event, Allocation):
            live[event.tensor] = event.size
        elif isinstance(event, Release):
            del live[event.tensor]
    left = defaultdict(int)
    for tensor, size in live.items():
        left[recording.entries[tensor].what] += size
    return left


@pytest.mark.parametrize("full_logits", [True, False])
def test_that_training_every_weight_takes_four_times_the_weights(
    tiny_qwen, full_logits
):
    """Weights, gradients and two states in one format; foreach copies one more."""
    subject = subject_of(
        tiny_qwen,
        CARD,
        model__precision="bf16",
        model__compute_dtype="bf16",
        train__optimizer="adamw_foreach",
        train__accumulation=1,
        compat__full_training=True,
        compat__full_logits=full_logits,
    )
    held = held_by_name(rehearse(subject))
    weights = held[fake_model.PLAIN]
    assert held[GRADIENTS] == weights
    # A counter of 4 bytes for each tensor is among the states.
    assert 2 * weights < held[STATES] < 2.01 * weights
    assert held[ADAPTER] == 0
    step = estimate(subject).phase_peaks[MemoryPhase.OPTIMIZER_STEP]
    assert step > 5 * weights


def test_that_embeddings_keep_32_bit_states_in_an_8_bit_optimizer(tiny_qwen):
    subject = subject_of(
        tiny_qwen,
        CARD,
        model__precision="bf16",
        model__compute_dtype="bf16",
        train__optimizer="adamw_8bit",
        train__accumulation=1,
        compat__full_training=True,
    )
    config = subject.config
    held = held_by_name(rehearse(subject))
    embedding = config.vocab_size * config.hidden_size
    assert held[STATES] > 8 * embedding


def test_that_autocast_of_another_program_is_decided_by_its_own_option(tiny_model):
    options = {
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "fp32",
        "compat__full_logits": True,
    }
    subjects = [
        subject_of(tiny_model, CARD, compat__autocast=on, **options)
        for on in (False, True)
    ]
    assert [subject.formats.autocast for subject in subjects] == [False, True]
    assert allocated(subjects[0]) != allocated(subjects[1])


def test_that_a_card_scores_as_many_words_at_a_time_as_trl_does(tiny_model):
    subject = subject_of(tiny_model, CARD, model__compute_dtype="bf16")
    entries = rehearse(subject).entries.values()
    tiles = {e.shape for e in entries if e.what == LOGITS and e.shape[-1:] == (32_768,)}
    # A row less than tokens: the last one has nothing to foretell.
    assert tiles == {(95, 32_768)}


def test_that_a_rehearsal_leaves_no_weight_with_wide_states(tiny_model):
    options = {"model__precision": "bf16", "model__compute_dtype": "bf16"}
    options |= {"compat__full_training": True, "train__optimizer": "adamw_8bit"}
    estimate(subject_of(tiny_model, CARD, **options))
    manager = GlobalOptimManager.get_instance()
    assert not manager.pid2config
    assert not manager.module_weight_config_triple
