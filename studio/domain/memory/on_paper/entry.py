"""From a batch to the first block: embeddings, positions and masks."""

from dataclasses import dataclass

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Block
from studio.domain.memory.on_paper.operators import added, cast, dropped, scaled
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import Backward, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import BATCH
from studio.domain.recipe_options import Attention

_LONG = 8  # bytes of an int64


@dataclass(slots=True)
class Locals:
    """What the names in a decoder's `forward` hold until it returns.

    Attributes:
        held: The embedded batch and its positions (modeling_*.py of transformers).
        masks: By the window that they are for.
        turns: Cosines and sines of positions.
    """

    held: list[Tensor]
    masks: dict[int, Tensor]
    turns: list[Tensor]

    def given(self, block: Block) -> tuple[object, ...]:
        """What a block is given beside its input; checkpointing holds on to it."""
        return self.masks.get(block.window), *self.turns


def entered(
    tape: Tape,
    model: ModelArchitecture,
    plan: Plan,
    begun: Backward | None = None,
    *,
    apart: bool = False,
) -> tuple[Tensor, list[Tensor], Locals]:
    """The embedded batch, what lives beside it, and what the decoder's names hold.

    `begun` is what happens where a gradient arrives at the embedded batch, if it does:
    checkpointing needs one even where embeddings are frozen; the graph then holds on
    to the batch. Rows may have positions of their own, `apart` from others.
    """
    tokens = plan.extent.tokens
    places = tokens if plan.packs or apart else plan.extent.length
    beside = [tape.new(3 * tokens, _LONG, BATCH)]
    x = tape.new(tokens * model.hidden, plan.outer)
    if begun is not None and begun is not ended:
        x.node = tape.node(begun, ())
    x = cast(tape, x, plan.plain)
    if model.decoder.scales_inside:
        x = scaled(tape, x)
    if begun is ended:
        x.node = tape.node(begun, ())
        beside.append(x)
    if plan.noise:
        # transformers/integrations/neftune.py, `neftune_post_forward_hook`
        x = added(tape, x, tape.new(x.count, x.width))
    if model.decoder.scales_embedding:
        x = scaled(tape, x)
    held = [Tensor(x.storage, x.count, x.width)]
    if model.decoder.positions:
        held.append(tape.new(places * model.hidden, plan.plain))
        x = added(tape, x, held[1])
    names = Locals(held, _masks(tape, model, plan), [])
    if model.decoder.drops_embedding:
        x = dropped(tape, x)
    rotary = max(block.heads.rotary for block, _ in model.decoder.kinds)
    if rotary:
        entries = places * rotary
        frequencies = tape.new(entries, 4)
        cosine = tape.new(entries, 4)
        del frequencies, cosine
        names.turns += [tape.new(entries, x.width), tape.new(entries, x.width)]
    return x, beside, names


def _masks(tape: Tape, model: ModelArchitecture, plan: Plan) -> dict[int, Tensor]:
    """One mask for each kind of window that needs one."""
    pairs = plan.extent.pairs if plan.masks else plan.extent.square
    found: dict[int, Tensor] = {}
    for window in model.decoder.windows:
        if plan.attention is Attention.EAGER:
            seen = _seen(tape, plan, pairs, window)
            found[window] = tape.new(pairs, plan.plain)
            del seen
        elif plan.masks or window in plan.extent.narrow:
            found[window] = _seen(tape, plan, pairs, window)
    return found


def _near(tape: Tape, square: int, pairs: int) -> Tensor:
    """Which pairs a window leaves, joined with what all may see, and what each row.

    `sliding_window_overlay` and `and_masks` of transformers, masking_utils.py.
    """
    near = _judged(tape, square)
    ordered = tape.new(square, 1)
    made = tape.new(square, 1)
    del ordered, near
    for entries in (square, pairs):
        before, made = made, tape.new(entries, 1)
        del before
    return made


def _seen(tape: Tape, plan: Plan, pairs: int, window: int) -> Tensor:
    """Which pairs see each other; of packed rows' judgements two are joined at a time.

    They share a text, the one is near enough, and they come in order (`and_masks` of
    transformers, masking_utils.py).
    """
    if not (plan.packs and plan.masks):
        if window not in plan.extent.narrow:
            return tape.new(pairs, 1)
        return _near(tape, plan.extent.square, pairs)
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


def ended(_tape: Tape, node: Node) -> None:
    """The embedding's gradient goes nowhere."""
    node.received()
