"""Peak memory of a recipe by arithmetic: no torch, milliseconds, for sliders.

What stands from loading on is summed tensor by tensor; what passes by is written down
for one block of each kind, operator by operator, with the libraries' own rules
(`on_paper/`). Figures are of torch 2.13, transformers 5.23, peft 0.21, trl 1.16 and
bitsandbytes 0.50.
"""

from functools import lru_cache
from math import prod

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import MIB, TrainingDevice
from studio.domain.memory.card_habits import USUAL_CAPABILITY, context_bytes
from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
    MemoryPhase,
)
from studio.domain.memory.on_paper.holding import Run, reserved_bytes
from studio.domain.memory.on_paper.passing import Passing
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.planning import (
    habits_of,
    of_training,
    plan_of,
    workspace_of,
)
from studio.domain.memory.on_paper.run import answering, measuring, training
from studio.domain.memory.on_paper.stepping import Stepping, temporaries
from studio.domain.memory.on_paper.weights import (
    Trained,
    base_weights,
    beside_tensors,
    load_peak,
    replaced_bytes,
    resting_tensors,
    rounded,
    trained,
    trained_tensors,
    widened_norms,
    widening_bytes,
)
from studio.domain.memory.part_names import (
    ADAPTER,
    ANSWERING,
    BATCH,
    BUFFERS,
    FRAGMENTATION,
    GRADIENTS,
    LOADING,
    LOGITS,
    MEASURING,
    PAGED_STATES,
    PLAIN,
    QUANTIZED,
    RUNTIME,
    SCALES,
    STATES,
    STEP_TEMPORARIES,
    WORKSPACES,
)
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype, LoraVariant

# Against the dry run at full depth (BENCHMARKS.md) 95 % of the allocated peaks are
# within 2 % and of the reserved ones within 4 %. The dry run's own 2 % and 7 % against
# measurements come on top: allocated added, reserved as independent errors, rounded up.
EXPECTED_ERROR = 0.04
RESERVED_ERROR = 0.10
# Resident size of an engine on a CPU that trains a model of no weight: interpreter,
# torch, transformers, trl, datasets and their pools. Measured on Linux x86-64 by
# tests/bench/test_bench_engine_footprint.py.
CPU_RUNTIME = 540 * MIB
# Products in 16 bits that oneDNN has compiled for the lengths of rows met so far. The
# engine keeps 64 (services/launch.py), and each took about a mebibyte in oneDNN 3.12
# with AVX-512 BF16; products in 32 bits are MKL's, which keeps none.
COMPILED_PRODUCTS = 64 * MIB

_GROUPS = {
    GRADIENTS: Group.ADAPTER,
    LOGITS: Group.LOSS,
    BATCH: Group.OVERHEAD,
}


@lru_cache(maxsize=1024)  # one change of a recipe asks for the same ones again
def estimate_memory(
    model: ModelArchitecture, recipe: Recipe, device: TrainingDevice
) -> MemoryEstimate:
    """Predict the peak of training `model` by `recipe` on `device`.

    Returns:
        The components in bytes; they sum to the peak at each level.
    """
    plan = plan_of(model, recipe, device)
    held = trained(model, plan, recipe.train.optimizer)
    resident = _resident(model, plan, device, held)
    below = sum(part.bytes for part in resident)
    passing, reserved = _passing(model, plan, recipe, device, held)
    peaks = {phase: below + each.bytes for phase, each in passing.items()}
    phase = max(passing, key=lambda each: peaks[each])
    components = [*resident, *_parts(passing[phase])]
    later = {STATES, WORKSPACES}
    loaded = sum(part.bytes for part in resident if part.name not in later)
    loaded += widening_bytes(model, plan)
    loading = peaks[MemoryPhase.LOAD] = max(load_peak(model, plan), loaded)
    if loading > peaks[phase]:
        way, load = loading - peaks[phase], MemoryPhase.LOAD
        components.append(Component(LOADING, Group.WEIGHTS, way, load.value))
        phase = load
    # Saving copies weights and states to main memory one by one.
    peaks[MemoryPhase.SAVE] = below
    unused = max(0, reserved - peaks[phase])
    estimate = MemoryEstimate(
        components=(*components, *_above(device, recipe, held, unused)),
        phase=phase,
        basis=Basis.FORMULA,
        expected_error=EXPECTED_ERROR,
        reserved_error=RESERVED_ERROR,
        phase_peaks={each.value: peaks[each] for each in MemoryPhase if each in peaks},
    )
    known = device.context_bytes
    return estimate if known is None else estimate.with_context(known)


def adapter_weights(model: ModelArchitecture, recipe: Recipe) -> int:
    """Trained weights: rank x (inputs + outputs) of every adapted linear layer.

    DoRA trains a length for each output beside (Liu et al. 2024, arXiv 2402.09353,
    section 4), AdaLoRA a weight for each direction; where all weights are trained, it
    is all of them.
    """
    plan = plan_of(model, recipe, None)
    found = sum(prod(shape) * n for shape, n, _ in trained_tensors(model, plan))
    found += sum(prod(shape) * n for shape, n, _ in beside_tensors(model, plan))
    if plan.trains_base:
        return found
    adapted = [(x, n) for x, n in model.linears() if plan.adapts(x)]
    match recipe.lora.variant:
        case LoraVariant.DORA:
            return found + sum(linear.outputs * count for linear, count in adapted)
        case LoraVariant.ADALORA:
            return found + plan.rank * sum(count for _, count in adapted)
    return found


def _resident(
    model: ModelArchitecture, plan: Plan, device: TrainingDevice, held: Trained
) -> list[Component]:
    base = base_weights(model, plan, plan.plain)
    wider, replaced = widened_norms(model, plan), replaced_bytes(model, plan)
    resting = sum(
        n * rounded(x * plan.adapter) for x, n in resting_tensors(model, plan)
    )
    load = MemoryPhase.LOAD.value
    step = MemoryPhase.OPTIMIZER_STEP.value
    parts = [
        Component(QUANTIZED, Group.WEIGHTS, base.quantized, load),
        Component(SCALES, Group.WEIGHTS, base.scales, load),
    ]
    if plan.trains_base:
        parts.append(Component(ADAPTER, Group.ADAPTER, base.plain, load))
    else:
        parts += [
            Component(PLAIN, Group.WEIGHTS, base.plain + wider - replaced, load),
            Component(ADAPTER, Group.ADAPTER, held.weights + resting, load),
        ]
    parts.append(Component(STATES, Group.ADAPTER, held.states, step))
    tables = model.decoder.tables
    parts.append(Component(BUFFERS, Group.WEIGHTS, tables, load))
    room = 2 * workspace_of(device)
    parts.append(Component(WORKSPACES, Group.OVERHEAD, room, "evaluate"))
    return [part for part in parts if part.bytes]


def _passing(
    model: ModelArchitecture,
    plan: Plan,
    recipe: Recipe,
    device: TrainingDevice,
    held: Trained,
) -> tuple[dict[MemoryPhase, Passing], int]:
    """The highest point of each phase, and what the allocator holds at the highest."""
    habits = habits_of(recipe, on_card=device.kind == "cuda")
    made = training(model, of_training(plan, recipe), habits)
    found = dict(made.highest)
    backward, step = MemoryPhase.BACKWARD.value, MemoryPhase.OPTIMIZER_STEP
    found[step] = Passing(0)
    # With several micro-batches a step all gradients stand from the first one on.
    for phase in tuple(found) if plan.adds else (step,):
        found[phase] = found[phase].and_beside(GRADIENTS, backward, held.weights)
    stepping = Stepping(recipe.train.optimizer, apart=recipe.lora.plus_ratio != 1)
    if passing := temporaries(model, plan, stepping):
        found[step] = found[step].and_beside(STEP_TEMPORARIES, step.value, passing)
    asides: tuple[Passing, ...] = ()
    if not habits.full_logits:  # else the loop around the model is a bare one
        measured = measuring(model, plan, MEASURING)
        answers = answering(model, plan, recipe, ANSWERING)
        found[MemoryPhase.EVALUATE], found[MemoryPhase.GENERATE] = measured, answers
        # Where the base alone is asked in training, it is when measured, too.
        asides = tuple(x for x in (measured, made.reference, answers) if x)
    if not plan.card:
        return found, 0
    warms_up = plan.quantizes or not recipe.compared()
    run = Run(warms_up, asides, made, workspace_of(device))
    return found, reserved_bytes(model, plan, run, stepping)


def _parts(passing: Passing) -> list[Component]:
    return [
        Component(name, _GROUPS.get(name, Group.ACTIVATIONS), amount, phase)
        for (name, phase), amount in passing.parts().items()
        if amount
    ]


def runtime_bytes(recipe: Recipe) -> int:
    """What an engine holds on a processor beside tensors."""
    is_half = recipe.model.compute_dtype is not ComputeDtype.FP32
    return CPU_RUNTIME + (COMPILED_PRODUCTS if is_half else 0)


def _above(
    device: TrainingDevice, recipe: Recipe, held: Trained, unused: int
) -> list[Component]:
    """What the process holds beside live tensors."""
    if device.kind == "cpu":
        return [_outside(RUNTIME, runtime_bytes(recipe))]
    context = context_bytes(device.compute_capability or USUAL_CAPABILITY)
    above = [
        Component(FRAGMENTATION, Group.OVERHEAD, unused, level=Level.RESERVED),
        _outside(CUDA_CONTEXT_NAME, context),
    ]
    if held.paged:
        # While the card has room they are on it.
        above.append(_outside(PAGED_STATES, held.paged))
    return above


def _outside(name: str, amount: int) -> Component:
    """What the process holds beside torch's allocator."""
    return Component(name, Group.OVERHEAD, amount, level=Level.DEVICE)
