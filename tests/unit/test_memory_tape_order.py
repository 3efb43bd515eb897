from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Heads
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.on_paper.attention import rotated
from studio.domain.memory.on_paper.holding import in_turn
from studio.domain.memory.on_paper.planning import plan_of
from studio.domain.memory.on_paper.run import measuring
from studio.domain.memory.on_paper.tape import Node, Tape, Tensor
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


def repeated(*, checkpointed):
    """A tape of one block, 1 its temporary and 2 its output, that stands for four."""
    tape = Tape()
    start = tape.position
    inside = tape.new(4096, 1)
    tape.multiplies()
    out = tape.new(8192, 1)
    del inside
    entry = Node(lambda _tape, _node: None, ())
    tape.repeat_before(start, 3, (), entry, out if checkpointed else None)
    tape.held = out  # it outlives the test's look at the events
    return tape


def test_that_outputs_of_other_blocks_stand_beside_what_works_on_ones_own():
    tape = repeated(checkpointed=True)
    assert tape.events == [3, 1, 2, -1]
    assert in_turn(tape, tape.events) == [1, 3, 2, -1]


def test_that_the_first_product_stays_behind_what_came_before_it():
    tape = repeated(checkpointed=False)
    assert in_turn(tape, tape.events)[: tape.first_forward] == [3, 1]
    tape = repeated(checkpointed=True)
    assert in_turn(tape, tape.events)[: tape.first_forward] == [1]


def joined(**how):
    """Bytes of each tensor that rotating queries and keys allocates, in order."""
    tape = Tape()
    heads = Heads(queries=4, keys=4, width=64, rotary=16, joins=True, **how)
    entries = 4 * 64 * 128
    rotated(tape, heads, Tensor(None, entries, 2), Tensor(None, entries, 2))
    return [tape.sizes[number] for number in tape.events if number > 0]


def test_that_queries_are_joined_once_keys_are_rotated():
    whole = 4 * 64 * 128 * 2
    sizes = joined()
    assert sizes[-2:] == [whole, whole]
    assert whole not in sizes[:-2]


def test_that_phi_3_joins_queries_before_it_rotates_keys():
    sizes = joined(joins_each=True)
    half = len(sizes) // 2
    assert sizes[:half] == sizes[half:]


def test_that_embeddings_live_until_the_decoder_returns():
    model = ModelArchitecture.from_config(GPT2)
    device = TrainingDevice(
        kind="cuda",
        name="",
        total_bytes=80 << 30,
        free_bytes=80 << 30,
        has_bf16=True,
        compute_capability=(8, 9),
    )
    tape = measuring(model, plan_of(model, Recipe(), device), "evaluate").tape
    words, positions = 2, 3  # behind the batch, which is the first
    for number in (words, positions):
        rest = tape.events[tape.events.index(-number) :]
        later = [tape.names[each] for each in rest if each > 0]
        # The rows whose loss is asked for, and the loss.
        assert later[0] == "evaluate"
        assert set(later[1:]) == {LOGITS}
