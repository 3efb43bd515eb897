from functools import partial

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Heads
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.on_paper.extent import Extent
from studio.domain.memory.on_paper.linear import product
from studio.domain.memory.on_paper.planning import plan_of
from studio.domain.memory.on_paper.record import Template
from studio.domain.memory.on_paper.repeating import Kind, Stream, often
from studio.domain.memory.on_paper.rotary import rotated
from studio.domain.memory.on_paper.run import measuring_draft
from studio.domain.memory.on_paper.tape import Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import LOGITS
from studio.domain.recipe import Recipe

GPT2 = {
    "model_type": "gpt2",
    "n_embd": 256,
    "n_layer": 2,
    "n_head": 4,
    "vocab_size": 4096,
    "n_positions": 4096,
}
PASSED, INSIDE = 8192, 4096


def passed(tape, x):
    """A block with a product, a temporary in it, and what its node keeps."""
    inside = tape.new(INSIDE, 1)
    tape.multiplies()
    made = tape.new(PASSED, 1)
    if x.node is not None:
        made.node = tape.node(back, (x.node,), (x,))
    del inside
    return made


def back(tape, node):
    kept = node.taken()
    grad = node.received()
    made = tape.new(grad.count, 1)
    del kept, grad
    tape.give(node.inputs[0], made)


def ended(_tape, node):
    node.received()


def in_bytes(tape):
    """The record of a tape that was written down in numbers."""
    return Template(tape).at(Extent.of(0, 0).amounts(0))


def gone_through(kinds, *, drops=False, offloads=False):
    """Bytes that events add, where a stream went through blocks and back."""
    tape = Tape()
    with tape.graph():
        x = tape.new(PASSED, 1)
        x.node = tape.node(ended, ())
        stream = Stream(x)
        del x
        block = partial(passed, tape)
        if drops:
            layer = partial(passed, tape)
            block = partial(tape.checkpointed, layer, offloads=offloads)
        for kind in kinds:
            often(tape, stream, kind, block)
        stream.x.node.grad = tape.new(PASSED, 1)
        del stream
        tape.backward()
    record = in_bytes(tape)
    return tape, [record.signed[number] for number in tape.events]


def test_that_two_blocks_of_a_kind_are_written_as_two_kinds_of_one_block_are():
    for drops, offloads in ((False, False), (True, False), (True, True)):
        how = {"drops": drops, "offloads": offloads}
        _, together = gone_through([Kind(2, drops=drops)], **how)
        _, apart = gone_through([Kind(1), Kind(1)], **how)
        assert together == apart
        assert sum(together) == 0


def test_that_blocks_between_leave_what_one_leaves_until_their_backward_pass():
    tape, few = gone_through([Kind(2, drops=True)], drops=True)
    tape, many = gone_through([Kind(7, drops=True)], drops=True)
    assert list(tape.counts.values()) == [5]
    assert sum(many) == 0
    extra = [size for size in many if abs(size) == 5 * PASSED]
    assert extra == [5 * PASSED, -5 * PASSED]
    assert [size for size in many if abs(size) != 5 * PASSED] == few


def test_that_blocks_between_leave_nothing_where_it_lies_in_main_memory():
    how = {"drops": True, "offloads": True}
    _, few = gone_through([Kind(2, drops=True)], **how)
    tape, many = gone_through([Kind(7, drops=True)], **how)
    assert many == few
    assert not tape.counts
    assert sum(many) == 0


def test_that_each_block_between_has_gradients_of_its_own():
    tape, _ = gone_through([Kind(5, (INSIDE, PASSED))])
    sizes = in_bytes(tape).sizes
    assert [sizes[number] for number in tape.counts] == [
        3 * PASSED,
        3 * INSIDE,
        3 * PASSED,
    ]


def test_that_the_first_product_is_the_first_blocks():
    tape, _ = gone_through([Kind(4)])
    sizes = [tape.sizes[number] for number in tape.events[: tape.first_forward]]
    assert sizes == [PASSED, INSIDE]


DEVICE = TrainingDevice(
    kind="cuda",
    name="",
    total_bytes=80 << 30,
    free_bytes=80 << 30,
    has_bf16=True,
    compute_capability=(8, 9),
)


def plan_with(**options):
    """How GPT-2 is trained, with options of a recipe by their last name."""
    recipe = Recipe()
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    return plan_of(ModelArchitecture.from_config(GPT2), recipe, DEVICE)


def joined(plan=None, **how):
    """Bytes of each tensor that rotating queries and keys allocates, in order."""
    tape = Tape()
    heads = Heads(**{"queries": 4, "keys": 4, "width": 64, "rotary": 16, **how})
    entries = 4 * 64 * 128
    streams = [Tensor(None, entries, 2), Tensor(None, entries, 2)]
    left = rotated(tape, plan or plan_with(), heads, streams, [])
    assert {each.count for each in left} == {entries}
    return [tape.sizes[number] for number in tape.events if number > 0]


def test_that_queries_are_joined_once_keys_are_rotated():
    whole = 4 * 64 * 128 * 2
    sizes = joined(joins=True)
    assert sizes[-2:] == [whole, whole]
    assert whole not in sizes[:-2]


def test_that_phi_3_joins_queries_before_it_rotates_keys():
    sizes = joined(joins=True, joins_each=True)
    half = len(sizes) // 2
    assert sizes[:half] == sizes[half:]


def test_that_positions_wider_than_queries_widen_what_they_turn():
    whole = 4 * 64 * 128 * 2
    narrow = joined(rotary=64)
    wide = joined(plan_with(model__precision="fp32"), rotary=64)
    assert max(narrow) == whole
    assert wide == [
        size if place in {1, 2, 6, 7} else 2 * size  # halves, and what they make
        for place, size in enumerate(narrow)
    ]


def test_that_autocast_casts_a_weight_before_what_it_multiplies():
    plan = plan_with(model__precision="fp32", lora__adapter_dtype="fp32")
    assert plan.autocast
    tape = Tape()
    inputs, outputs, rows = 256, 512, 1024
    x = Tensor(None, rows * inputs, 4)
    product(tape, plan, x, inputs, outputs, 4, trains=True)
    made = [tape.sizes[number] for number in tape.events if number > 0]
    assert made == [2 * inputs * outputs, 2 * rows * inputs, 2 * rows * outputs]


def test_that_what_autocast_casts_stands_until_the_forward_pass_is_over():
    tape = Tape()
    tape.casts.append(tape.new(INSIDE, 1))
    tape.casts.append(tape.new(PASSED, 1))
    assert tape.events == [1, 2]
    tape.end_forward()
    assert sorted(tape.events[2:]) == [-2, -1]


def test_that_a_second_gradient_is_added_to_the_first_where_nobody_else_holds_it():
    tape = Tape()
    node = Node(ended, ())
    tape.give(node, tape.new(PASSED, 1))
    tape.give(node, tape.new(PASSED, 1))
    assert tape.events == [1, 2, -2]


def test_that_a_gradient_which_waits_elsewhere_too_is_left_as_it_is():
    tape = Tape()
    node, other = Node(ended, ()), Node(ended, ())
    tape.give(other, first := tape.new(PASSED, 1))
    tape.give(node, first)
    del first
    tape.give(node, tape.new(PASSED, 1))
    assert tape.events == [1, 2, 3, -2]


def test_that_a_gradient_which_is_seen_in_another_shape_is_left_as_it_is():
    tape = Tape()
    node = Node(ended, ())
    first = tape.new(PASSED, 1)
    first.seen = True
    tape.give(node, first)
    del first
    tape.give(node, tape.new(PASSED, 1))
    assert tape.events == [1, 2, 3, -1, -2]


def test_that_a_shared_matrix_passes_its_second_gradient_once_it_is_whole():
    tape = Tape()
    head = tape.new(PASSED, 1)
    embedding = tape.new(PASSED, 1)
    tape.gradients.append(head)
    tape.share(head)
    del embedding
    assert tape.adding() == [1, 2, -1, -2]


def test_that_embeddings_live_until_the_decoder_returns():
    model = ModelArchitecture.from_config(GPT2)
    tape = measuring_draft(model, plan_with(), "evaluate")
    words, positions = 2, 3  # behind the batch, which is the first
    for number in (words, positions):
        rest = tape.events[tape.events.index(-number) :]
        later = [tape.names[each] for each in rest if each > 0]
        # The rows whose loss is asked for, and the loss.
        assert later[0] == "evaluate"
        assert set(later[1:]) == {LOGITS}
