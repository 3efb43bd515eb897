"""One run on paper: a training step, a measurement, answers; what each holds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import prod

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Block, Norm
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.on_paper.entry import Locals, ended, entered
from studio.domain.memory.on_paper.extent import Extent
from studio.domain.memory.on_paper.head import full_loss, tiled_loss
from studio.domain.memory.on_paper.layer import passed
from studio.domain.memory.on_paper.norms import normed
from studio.domain.memory.on_paper.operators import cast
from studio.domain.memory.on_paper.passing import Passing, highest
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.record import Record, Template
from studio.domain.memory.on_paper.repeating import Kind, Stream, often
from studio.domain.memory.on_paper.tape import FP32, Backward, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.on_paper.weights import block_tensors, norm_vectors
from studio.domain.memory.part_names import (
    ACTIVATION_GRADIENTS,
    CHECKPOINTED,
    GRADIENTS,
    LOGITS,
    RECOMPUTED,
    REFERENCE,
    REMEMBERED,
)
from studio.domain.recipe import Recipe

# As the engine's own answers have it (engine/generation.py, dry_run/rehearsal.py).
SAMPLE_TOKENS = 96
_TOGETHER = 8
_PROMPT_SHARE = 4
_DEFAULT_PROMPTS = 3


@dataclass(frozen=True, slots=True)
class Habits:
    """How the loop around the model goes.

    Attributes:
        checkpoints: Blocks are computed anew in the backward pass.
        offloads: What goes into them lies in main memory until then.
        full_logits: The model's own loss, not trl's.
        shifts: The loss copies its logits.
        upcasts: The model itself makes its logits fp32.
        keeps_outputs: The logits live until the backward pass is over.
        refers: Between the passes the base alone is asked as well.
    """

    checkpoints: bool
    offloads: bool
    full_logits: bool
    shifts: bool
    upcasts: bool
    keeps_outputs: bool
    refers: bool


@dataclass(frozen=True, slots=True, eq=False)  # as a pass of it
class Step:
    """A forward and a backward pass.

    Attributes:
        highest: The highest point of each, where gradients stand already if they do.
        tape: Of both, where gradients stand already if they do. Its parts are those
            of a forward pass up to the first product and from there on, of the first
            micro-batch's backward pass likewise, and of the others' in one.
        reference: The base alone, which is asked then, if it is.
    """

    highest: Mapping[MemoryPhase, Passing]
    tape: Record
    reference: Passing | None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A forward and a backward pass for any batch.

    Attributes:
        template: Of both, as `Step.tape` has them.
        turn: How many events are the forward pass's.
        made: Which storage came to be first in the backward pass.
    """

    template: Template
    turn: int
    made: int


@lru_cache(maxsize=8)  # an optimizer's change asks for the same one again
def training(model: ModelArchitecture, plan: Plan, habits: Habits) -> Step:
    """A forward and a backward pass."""
    draft = training_draft(model, plan.outlined(), habits)
    tape, turn = draft.template.at(plan.amounts()), draft.turn
    forward, backward = highest(tape, draft.made, turn)
    asked = None
    if habits.refers:
        asked = measuring(model, replace(plan, rank=0, adds=False), REFERENCE)
        forward = max(forward, _referring(tape, turn, asked.bytes), key=_bytes)
    points = {MemoryPhase.FORWARD: forward, MemoryPhase.BACKWARD: backward}
    return Step(points, tape, asked)


@lru_cache(maxsize=32)
def training_draft(model: ModelArchitecture, plan: Plan, habits: Habits) -> _Draft:
    """Both passes by a plan's outline, for batches of all sizes."""
    tape = Tape(on_card=plan.card)
    tape.drops_out = plan.drops
    tape.passing = CHECKPOINTED
    if not habits.checkpoints:
        tape.passing = REMEMBERED
    with tape.graph():
        loss = _forward(tape, model, plan, habits)
        turn, made = len(tape.events), len(tape.sizes)
        tape.passing = ACTIVATION_GRADIENTS
        if habits.checkpoints:
            tape.passing = RECOMPUTED
        _backward(tape, loss)
    del loss
    tape.end_graph()
    ahead, behind = tape.events[:turn], tape.events[turn:]
    product = tape.first_product - turn
    if plan.adds:
        tape.events = tape.adding()
    stretches = *_halves(tape, ahead), behind[:product], behind[product:]
    again = tape.events[turn:] if plan.adds else []
    return _Draft(Template(tape, *stretches, again), turn, made)


def _halves(tape: Tape, events: list[int]) -> tuple[list[int], list[int]]:
    """Up to the first product, and from there on."""
    return events[: tape.first_forward], events[tape.first_forward :]


def _referring(tape: Record, turn: int, asked: int) -> Passing:
    """The base alone goes through the batch while what was remembered lies there."""
    held = sum(map(tape.signed.__getitem__, tape.template.events[:turn]))
    standing = Passing(held, tape, turn, len(tape.sizes))
    return standing.and_beside(REFERENCE, MemoryPhase.FORWARD.value, asked)


def _bytes(passing: Passing) -> int:
    return passing.bytes


@lru_cache(maxsize=8)
def measuring(model: ModelArchitecture, plan: Plan, name: str) -> Passing:
    """A forward pass without a graph, to the loss."""
    return _passing(measuring_draft(model, plan.outlined(), name), plan)


def _passing(template: Template, plan: Plan) -> Passing:
    (most,) = highest(template.at(plan.amounts()), 0)
    return most


@lru_cache(maxsize=32)
def measuring_draft(model: ModelArchitecture, plan: Plan, name: str) -> Template:
    """Its tape by a plan's outline, for batches of all sizes."""
    tape = Tape(on_card=plan.card)
    tape.passing = name
    _measure(tape, model, plan)
    return Template(tape, *_halves(tape, tape.events))


def _measure(tape: Tape, model: ModelArchitecture, plan: Plan) -> None:
    x, _beside, names = entered(tape, model, plan)
    stream = Stream(x)
    del x
    for block, count in _kinds(model, plan):
        often(tape, stream, Kind(count), partial(passed, tape, plan, block))
    x = _last_norm(tape, model, plan, stream.x)
    del stream, names  # the batch is the decoder's caller's
    tiled_loss(tape, plan, x, model)
    del x
    tape.end_forward()


def _forward(
    tape: Tape, model: ModelArchitecture, plan: Plan, habits: Habits
) -> "list[Tensor]":
    begun: Backward | None = ended if habits.checkpoints else None
    if plan.trains_base or plan.embeddings_beside:
        entries = model.vocabulary * model.hidden
        begun = partial(_embedding_back, entries, plan.outer)
    x, beside, names = entered(tape, model, plan, begun)
    stream = Stream(x)
    del x
    for block, count in _kinds(model, plan, apart=begun is None):
        _blocks(tape, plan, habits, (block, count), stream, names)
    x = _last_norm(tape, model, plan, stream.x)
    if not habits.checkpoints:
        beside += names.turns
    del stream, names
    if not habits.full_logits:
        loss = tiled_loss(tape, plan, x, model)
        del x
        tape.end_forward()
        return [loss, *beside]
    ways = {"shifts": habits.shifts, "upcasts": habits.upcasts}
    loss, logits = full_loss(tape, plan, x, model, **ways)
    del x
    tape.end_forward()
    if plan.autocast:
        wide = cast(tape, logits, 4)  # accelerate gives outputs in fp32
        tape.rename(wide, LOGITS)
        logits = wide
    return [loss, *beside, *([logits] if habits.keeps_outputs else [])]


def _kinds(
    model: ModelArchitecture, plan: Plan, *, apart: bool = False
) -> Iterator[tuple[Block, int]]:
    """Equal blocks, and how many there are.

    The first block is `apart` where nobody asks for its input's gradient.

    Where norms make fp32, and bitsandbytes' layers give back what they are given, the
    stream is fp32 behind the first block, which is apart from the others then.
    """
    (first, count), *others = model.decoder.kinds
    widens = plan.widens
    if first.norm is not Norm.LAYER:
        widens = first.norm is Norm.RMS and plan.norms == FP32
    apart |= plan.quantizes and plan.plain < FP32 and widens
    if apart and count > 1:
        yield first, 1
        count -= 1
    yield first, count
    yield from others


def _embedding_back(entries: int, width: int, tape: Tape, node: Node) -> None:
    """Gradients of all rows of the embedding, and of the head's if it is the same."""
    grad: Tensor | None = node.received()
    made = tape.new(entries, width, GRADIENTS)
    del grad
    if tape.waiting is not None:
        made, tape.waiting = tape.waiting, None  # added to the head's
        tape.share(made)
    tape.gradients.append(made)


def _backward(tape: Tape, loss: "list[Tensor]") -> None:
    first = loss[0]
    assert first.node is not None
    first.node.grad = Tensor(None, first.count, 4)
    first.node = None
    tape.backward()


def _blocks(
    tape: Tape,
    plan: Plan,
    habits: Habits,
    kind: tuple[Block, int],
    stream: Stream,
    names: Locals,
) -> None:
    """A kind of block as often as it is there."""
    block, count = kind
    gradients = [prod(each) * plan.adapter for each in block_tensors(block, plan)]
    if plan.norms_beside:
        gradients += [FP32 * entries for entries in norm_vectors(block)]
    kinds = Kind(count, gradients, drops=habits.checkpoints)
    through: Callable[[Tensor], Tensor] = partial(passed, tape, plan, block)
    if habits.checkpoints:
        given = names.given(block)
        through = partial(
            tape.checkpointed,
            lambda x: (given, passed(tape, plan, block, x))[1],
            offloads=habits.offloads,
        )
    often(tape, stream, kinds, through)


def _last_norm(tape: Tape, model: ModelArchitecture, plan: Plan, x: Tensor) -> Tensor:
    block = model.decoder.kinds[-1][0]
    return normed(tape, plan, block.norm, x, block.hidden)


def answering(
    model: ModelArchitecture, plan: Plan, recipe: Recipe, name: str
) -> Passing:
    """The first step of the answers, with all blocks' caches behind it."""
    asked = recipe.data.prompts
    words = max((len(prompt.split()) * 2 for prompt in asked), default=0)
    length = (words or recipe.train.sequence_length // _PROMPT_SHARE) + SAMPLE_TOKENS
    batch = min(len(asked) or _DEFAULT_PROMPTS, _TOGETHER)
    extent = Extent.of(batch, length, model.decoder.windows)
    return first_answers(
        model, replace(plan, extent=extent, adds=False, masks=False), name
    )


@lru_cache(maxsize=8)  # a change of the micro-batch asks for the same one again
def first_answers(model: ModelArchitecture, plan: Plan, name: str) -> Passing:
    """The first pass over the sample prompts, which fills the cache of keys."""
    return _passing(answering_draft(model, plan.outlined(), name), plan)


@lru_cache(maxsize=32)
def answering_draft(model: ModelArchitecture, plan: Plan, name: str) -> Template:
    """Its tape by a plan's outline, for batches of all sizes."""
    tape = Tape(on_card=plan.card)
    tape.passing = name
    _answer(tape, model, plan)
    return Template(tape, *_halves(tape, tape.events))


def _answer(tape: Tape, model: ModelArchitecture, plan: Plan) -> None:
    x, _beside, _names = entered(tape, model, plan, apart=True)
    tape.cached = []
    stream = Stream(x)
    del x
    for block, count in _kinds(model, plan):
        often(tape, stream, Kind(count), partial(passed, tape, plan, block))
    x = _last_norm(tape, model, plan, stream.x)
    del stream, _names
    logits = _last_logits(tape, model, plan, x)
    del x
    cast(tape, logits, 4)  # when a token is chosen
    del logits
    tape.end_forward()


def _last_logits(tape: Tape, model: ModelArchitecture, plan: Plan, x: Tensor) -> Tensor:
    """Of each row's last token."""
    width = plan.compute if plan.autocast else x.width
    narrowed = None
    if plan.outer != width:
        narrowed = tape.new(model.vocabulary * model.hidden, width, LOGITS)
    logits = tape.new(plan.extent.batch * model.vocabulary, width, LOGITS)
    del narrowed
    for _ in range(model.decoder.head_steps):
        logits = tape.new(logits.count, width, LOGITS)
    return logits
