"""One run on paper: a training step, a measurement, answers; what each holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Block
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.on_paper.head import full_loss, tiled_loss
from studio.domain.memory.on_paper.layer import passed
from studio.domain.memory.on_paper.norms import normed
from studio.domain.memory.on_paper.operators import added, cast, dropped, scaled
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import Backward, Node, Tape, Tensor
from studio.domain.memory.on_paper.weights import block_tensors
from studio.domain.memory.part_names import (
    ACTIVATION_GRADIENTS,
    BATCH,
    CHECKPOINTED,
    GRADIENTS,
    LOGITS,
    RECOMPUTED,
    REMEMBERED,
)
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention

_LONG = 8  # bytes of an int64
# As the engine's own answers have it (engine/generation.py, dry_run/rehearsal.py).
SAMPLE_TOKENS = 96
_TOGETHER = 8
_PROMPT_SHARE = 4
_DEFAULT_PROMPTS = 3
_ENOUGH = 2  # blocks of a kind, of which the first may differ from the last


@dataclass(frozen=True, slots=True)
class Habits:
    """How the loop around the model goes.

    Attributes:
        checkpoints: Blocks are computed anew in the backward pass.
        full_logits: The model's own loss, not trl's.
        shifts: The loss copies its logits.
        upcasts: The model itself makes its logits fp32.
        keeps_outputs: The logits live until the backward pass is over.
    """

    checkpoints: bool
    full_logits: bool
    shifts: bool
    upcasts: bool
    keeps_outputs: bool


@dataclass(frozen=True, slots=True)
class Passing:
    """The highest point of a phase, beside what stands from loading on.

    Attributes:
        bytes: Live there.
        tape: On which it is, if on any.
        end: Of the tape's events up to there.
        turn: From which storage on they came to be in the backward pass.
        beside: Further bytes, by component and phase.
    """

    bytes: int
    tape: Tape | None = None
    end: int = 0
    turn: int = 0
    beside: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def parts(self) -> dict[tuple[str, str], int]:
        """Bytes by component and by the phase that each came to be in."""
        found = dict(self.beside)
        if self.tape is None:
            return found
        forward, backward = MemoryPhase.FORWARD.value, MemoryPhase.BACKWARD.value
        names = self.tape.names
        for number in self.tape.events[: self.end]:
            at = abs(number)
            key = names[at], forward if at < self.turn else backward
            found[key] = found.get(key, 0) + self.tape.signed(number)
        return found

    def and_beside(self, name: str, phase: str, amount: int) -> "Passing":
        """The same with something more."""
        beside = {**self.beside, (name, phase): amount}
        return replace(self, bytes=self.bytes + amount, beside=beside)


@dataclass(frozen=True, slots=True)
class Step:
    """A forward and a backward pass.

    Attributes:
        highest: The highest point of each, where gradients stand already if they do.
        tape: Of both; the gradients it kept still stand.
        first: The events of a step's first micro-batch.
    """

    highest: Mapping[MemoryPhase, Passing]
    tape: Tape
    first: list[int]


def training(model: ModelArchitecture, plan: Plan, habits: Habits) -> Step:
    """A forward and a backward pass."""
    tape = Tape()
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
    first = tape.events
    if plan.adds:
        tape.events = tape.adding()
    highest = {
        MemoryPhase.FORWARD: _highest(tape, 0, turn, made),
        MemoryPhase.BACKWARD: _highest(tape, turn, len(tape.events), made),
    }
    return Step(highest, tape, first)


def measuring(model: ModelArchitecture, plan: Plan, name: str) -> Passing:
    """A forward pass without a graph, to the loss."""
    tape = Tape()
    tape.passing = name
    x, tables, names = _entered(tape, model, plan)
    for block, _count in model.decoder.kinds:
        x = passed(tape, plan, block, x)
    x = _last_norm(tape, model, plan, x)
    del names, tables[1:]  # the decoder's own; the batch is its caller's
    tiled_loss(tape, plan, x, model)
    return _highest(tape, 0, len(tape.events), 0)


def _forward(
    tape: Tape, model: ModelArchitecture, plan: Plan, habits: Habits
) -> "list[Tensor]":
    asks = habits.checkpoints and not plan.trains_base
    x, tables, names = _entered(tape, model, plan, asks=asks)
    begun: Backward = _ended
    if plan.trains_base:
        entries = model.vocabulary * model.hidden
        begun = partial(_embedding_back, entries, plan.plain)
    x.node = tape.node(begun, ())
    # What enters the first block would be counted for each block that repeats it.
    names = [each for each in names if each.storage is not x.storage]
    stream = _Stream(x)
    del x
    for block, count in model.decoder.kinds:
        _blocks(tape, plan, habits, block, count, stream)
    x = _last_norm(tape, model, plan, stream.x)
    del stream, names
    if not habits.full_logits:
        return [tiled_loss(tape, plan, x, model), *tables]
    ways = {"shifts": habits.shifts, "upcasts": habits.upcasts}
    loss, logits = full_loss(tape, plan, x, model, **ways)
    if plan.autocast:
        wide = cast(tape, logits, 4)  # accelerate gives outputs in fp32
        tape.rename(wide, LOGITS)
        logits = wide
    return [loss, *tables, *([logits] if habits.keeps_outputs else [])]


def _ended(_tape: Tape, node: Node) -> None:
    """The embedding's gradient goes nowhere."""
    node.received()


def _embedding_back(entries: int, width: int, tape: Tape, node: Node) -> None:
    """Gradients of all rows of the embedding, and of the head's if it is the same."""
    node.received()
    made = tape.new(entries, width, GRADIENTS)
    if tape.waiting is not None:
        total = tape.new(entries, width, GRADIENTS)
        tape.waiting, made = None, total
    tape.gradients.append(made)


def _backward(tape: Tape, loss: "list[Tensor]") -> None:
    first = loss[0]
    assert first.node is not None
    first.node.grad = Tensor(None, first.count, 4)
    first.node = None
    tape.backward()


def _blocks(
    tape: Tape, plan: Plan, habits: Habits, block: Block, count: int, stream: "_Stream"
) -> None:
    """A kind of block as often as it is there; one is gone through."""
    if count > _ENOUGH and plan.trains_base and not plan.adds:
        # Where gradients pile up the first block may be the highest point.
        _blocks(tape, plan, habits, block, 1, stream)
        count -= 1
    position, x = tape.position, stream.x
    entry = Node(_ended, (x.node,))
    stream.x = Tensor(x.storage, x.count, x.width, entry)
    del x
    if habits.checkpoints:
        stream.x = tape.checkpointed(lambda x: passed(tape, plan, block, x), stream.x)
    else:
        stream.x = passed(tape, plan, block, stream.x)
    gradients = [each * plan.adapter for each in block_tensors(block, plan)]
    left = stream.x if habits.checkpoints else None
    tape.repeat_before(position, count - 1, gradients, entry, left)


@dataclass(slots=True)
class _Stream:
    """The residual stream; nobody else holds on to it between two blocks."""

    x: Tensor


def _entered(
    tape: Tape, model: ModelArchitecture, plan: Plan, *, asks: bool = False
) -> "tuple[Tensor, list[Tensor], list[Tensor]]":
    """The embedded batch, what lives beside it, and what the decoder's names hold.

    Beside it are ids, masks and positions. The decoder's `forward` has names for the
    embedded batch and for its positions (modeling_*.py of transformers), which end
    when it returns.

    `asks` when a gradient is requested of the embedded batch, as checkpointing needs
    it where embeddings are frozen; the graph then holds on to it.
    """
    tokens = plan.tokens
    tables = [tape.new(3 * tokens, _LONG, BATCH)]
    x = tape.new(tokens * model.hidden, plan.plain)
    if asks:
        tables.append(x)
    if model.decoder.scales_embedding:
        x = scaled(tape, x)
    names = [Tensor(x.storage, x.count, x.width)]
    if model.decoder.positions:
        names.append(tape.new(tokens * model.hidden, plan.plain))
        x = added(tape, x, names[1])
    tables += _masks(tape, model, plan)
    rotary = max(block.heads.rotary for block, _ in model.decoder.kinds)
    if rotary:
        entries = (plan.tokens if plan.packs else plan.length) * rotary
        frequencies = tape.new(entries, 4)
        cosine = tape.new(entries, 4)
        del frequencies, cosine
        tables += [tape.new(entries, x.width), tape.new(entries, x.width)]
    if model.decoder.drops_embedding:
        if asks or plan.trains_base:
            tables.append(tape.new(x.count, 1))  # the mask
        x = dropped(tape, x)
    return x, tables, names


def _masks(tape: Tape, model: ModelArchitecture, plan: Plan) -> "list[Tensor]":
    """One mask for each kind of window that needs one."""
    pairs = plan.length * plan.length
    rows = plan.batch if plan.masks else 1
    found = []
    for window in {block.window for block, _ in model.decoder.kinds}:
        if plan.attention is Attention.EAGER:
            seen = _seen(tape, plan, rows * pairs, window)
            found.append(tape.new(rows * pairs, plan.plain))
            del seen
        elif plan.masks or 0 < window <= plan.length:
            found.append(_seen(tape, plan, rows * pairs, window))
    return found


def _seen(tape: Tape, plan: Plan, pairs: int, window: int) -> Tensor:
    """Which pairs see each other; of packed rows' judgements two are joined at a time.

    They share a text, the one is near enough, and they come in order (`and_masks` of
    transformers, masking_utils.py).
    """
    if not (plan.packs and plan.masks):
        return tape.new(pairs, 1)
    shared = _judged(tape, pairs)
    near = _judged(tape, pairs) if window else None
    ordered = _judged(tape, pairs) if window else tape.new(pairs, 1)
    del near
    made = tape.new(pairs, 1)
    del ordered, shared
    return made


def _judged(tape: Tape, pairs: int) -> Tensor:
    """One judgement, joined to those before it."""
    judged = tape.new(pairs, 1)
    made = tape.new(pairs, 1)
    del judged
    return made


def _last_norm(tape: Tape, model: ModelArchitecture, plan: Plan, x: Tensor) -> Tensor:
    block = model.decoder.kinds[-1][0]
    return normed(tape, plan, block.norm, x, block.hidden)


def _highest(tape: Tape, start: int, stop: int, turn: int) -> Passing:
    sizes = tape.sizes
    signed = [sizes[n] if n > 0 else -sizes[-n] for n in tape.events[:stop]]
    held = list(accumulate(signed))
    most = max(held[start:])
    return Passing(most, tape, held.index(most, start) + 1, turn)


def answering(
    model: ModelArchitecture, plan: Plan, recipe: Recipe, name: str
) -> Passing:
    """The first step of the answers, with all blocks' caches behind it."""
    asked = recipe.data.prompts
    words = max((len(prompt.split()) * 2 for prompt in asked), default=0)
    length = (words or recipe.train.sequence_length // _PROMPT_SHARE) + SAMPLE_TOKENS
    batch = min(len(asked) or _DEFAULT_PROMPTS, _TOGETHER)
    plan = replace(plan, batch=batch, length=length, masks=plan.masks)
    tape = Tape()
    tape.passing = name
    x, _tables, _names = _entered(tape, model, plan)
    for block, _count in model.decoder.kinds:
        x = passed(tape, plan, block, x)
    most = _highest(tape, 0, len(tape.events), 0)
    heads = model.decoder.kinds[0][0].heads
    cache = 2 * model.layers * plan.tokens * heads.keys * heads.width * plan.compute
    return most.and_beside(name, MemoryPhase.GENERATE.value, cache)
