"""A recorded backward pass takes the memory that an unwatched one takes."""

import contextlib

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from studio.domain.memory.allocator import Allocation, Release
from studio.domain.memory.estimate import MemoryPhase
from studio.engine.dry_run.recorder import Entry, Recorder, Recording
from studio.engine.dry_run.weightless import weightless

pytestmark = pytest.mark.torch

SHAPE = (37, 64)
BYTES = 37 * 64 * 4
HELD = []


class Once(torch.autograd.Function):
    """Multiplies by one; its gradient is one of Python's making, kept if asked for."""

    @staticmethod
    def forward(ctx, tensor, keeps=False):
        ctx.keeps = keeps
        return tensor * 1

    @staticmethod
    def backward(ctx, gradient):
        made = gradient * 1
        if ctx.keeps:
            HELD.append(made)
        return made + made, None  # Python's own sums stay as they are


class Plain(TorchDispatchMode):
    """Watches, and changes nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


# What is made of a tensor last is the first to give it a gradient.
def held_by_autograd_alone(own):
    return own * 2 + Once.apply(own)


def kept_by_python(own):
    return own * 2 + Once.apply(own, True) + own * 3


def waiting_elsewhere_too(own):
    early = torch.ones(SHAPE, requires_grad=True) * 1
    later = own * 2
    return own + early + later


def seen_from_aside(own):
    return own * 2 + (own.view(-1) * 3).view(SHAPE)


def spread_out(own):
    return own * 2 + own.sum()


def turned(own):
    return own * 3 + torch.cat([-own[:, 32:], own[:, :32]], dim=1)


def selected(own):
    return own * 2 + own[torch.arange(37)]


def gathered(own):
    return own * 2 + own.gather(1, torch.zeros(SHAPE, dtype=torch.long))


def picked(own):
    return own * 2 + own.index_select(0, torch.arange(37))


WAYS = (
    held_by_autograd_alone,
    kept_by_python,
    waiting_elsewhere_too,
    seen_from_aside,
    spread_out,
    turned,
    selected,
    gathered,
    picked,
)


def gone(way, watching):
    """The gradient of a leaf, and how many tensors of its size were allocated."""
    HELD.clear()
    leaf = torch.linspace(0, 1, 37 * 64).view(SHAPE).requires_grad_()
    told = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with told, watching:
        (way(leaf * 1) * 2).sum().backward()
    events = told.profiler.kineto_results.events()
    sizes = [each.nbytes() for each in events if each.name() == "[memory]"]
    return leaf.grad, sizes.count(BYTES)


@pytest.mark.parametrize("way", WAYS)
def test_that_a_record_lets_gradients_lie_where_they_would_without_it(way):
    values, tensors = gone(way, contextlib.nullcontext())
    recorder = Recorder()
    recorded, held = gone(way, recorder)
    told = [e for e in recorder.recording.trace if isinstance(e, Allocation)]
    assert held == tensors == [each.size for each in told].count(BYTES)
    assert torch.equal(recorded, values)


def recorded(way, outer):
    """How many tensors of the leaf's size a record tells, made under another mode."""
    recorder = Recorder()
    with outer, recorder:
        leaf = torch.ones(SHAPE).requires_grad_()
        (way(leaf * 1) * 2).sum().backward()
    trace = recorder.recording.trace
    return [e.size for e in trace if isinstance(e, Allocation)].count(BYTES)


@pytest.mark.parametrize("way", WAYS)
def test_that_tensors_without_memory_are_added_up_as_real_ones(way):
    real = recorded(way, contextlib.nullcontext())
    assert recorded(way, FakeTensorMode(allow_non_fake_inputs=True)) == real
    assert recorded(way, weightless()) == real


def test_that_a_gradient_which_is_added_up_passes_once_it_is_whole():
    recording = Recording()
    for name, size in (("gradient", 8), ("part", 4)):
        recording.entries[len(recording.entries)] = Entry(MemoryPhase.BACKWARD, name)
        recording.trace.append(Allocation(len(recording.trace), size))
    recording.trace.append(Release(1))
    recording.summed[0] = 3
    recording.trace.append(Allocation(2, 1))
    recording.entries[2] = Entry(MemoryPhase.BACKWARD, "gradient")
    recording.repeat(0, 4, passing="gradient")
    passed = [Allocation(3, 8), Allocation(4, 4), Release(4), Release(3)]
    assert recording.trace[4:] == [*passed, Allocation(5, 1), Release(5)]


def test_that_another_watcher_makes_autograd_take_more():
    _, tensors = gone(held_by_autograd_alone, contextlib.nullcontext())
    _, watched = gone(held_by_autograd_alone, Plain())
    assert watched > tensors
