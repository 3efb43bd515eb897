"""Nested states come back as they were, without pickles."""

import random

import pytest
import torch

from studio.engine import state_tree
from studio.engine.chance import put_chance, take_chance
from studio.engine.state_tree import dtypes_in, read_tree, write_tree

pytestmark = pytest.mark.torch


def test_that_a_tree_comes_back_with_its_kinds(tmp_path):
    tree = {
        "state": {0: {"step": torch.tensor(3.0), "avg": torch.ones(2, 3).t()}},
        "groups": [{"betas": (0.9, 0.999), "lr": 0.1 + 0.2, "fused": None}],
        "__tensor__": "not one",
        "empty": torch.empty(0, dtype=torch.uint8),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "large": 2**70,
        "bytes": bytes(range(256)),
    }
    write_tree(tmp_path, "state", tree)
    read = read_tree(tmp_path, "state")
    assert read["groups"] == tree["groups"]
    assert isinstance(read["groups"][0]["betas"], tuple)
    assert read["__tensor__"] == "not one"
    assert read["large"] == 2**70
    assert read["bytes"] == bytes(range(256))
    assert list(read["state"]) == [0]
    assert torch.equal(read["state"][0]["avg"], torch.ones(3, 2))
    assert read["half"].dtype is torch.bfloat16
    assert read["empty"].shape == (0,)


def test_that_the_formats_of_all_tensors_are_named_once():
    half = torch.ones(1, dtype=torch.bfloat16)
    tree = {"a": [half, {"b": (torch.ones(1), half)}], "c": 1.0, "d": b"", "e": None}
    assert dtypes_in(tree) == ["bfloat16", "float32"]
    assert dtypes_in({"lr": 0.1}) == []


def test_that_one_map_of_many_states_is_written_once(tmp_path):
    shared = torch.arange(100_000)
    write_tree(tmp_path, "state", {n: {"map": shared} for n in range(50)})
    assert (tmp_path / "state.safetensors").stat().st_size < 2 * shared.nbytes
    assert torch.equal(read_tree(tmp_path, "state")[49]["map"], shared)


def test_that_two_views_of_one_storage_stay_two(tmp_path):
    whole = torch.arange(6)
    write_tree(tmp_path, "state", [whole, whole[:3]])
    first, second = read_tree(tmp_path, "state")
    assert (len(first), len(second)) == (6, 3)


def test_that_what_would_need_a_pickle_is_refused(tmp_path):
    with pytest.raises(TypeError, match="object can't be kept"):
        write_tree(tmp_path, "state", {"what": object()})


def test_that_chance_goes_on_as_from_the_moment_it_was_taken(tmp_path):
    import numpy as np

    random.random()
    np.random.standard_normal()  # one of a pair; the other waits in the state
    torch.rand(3)
    write_tree(tmp_path, "chance", take_chance())

    def draw():
        return (random.random(), np.random.standard_normal(), torch.rand(2).tolist())

    drawn = draw()
    assert draw() != drawn
    put_chance(read_tree(tmp_path, "chance"))
    assert draw() == drawn


def test_that_a_branch_is_read_without_the_tensors_of_others(tmp_path, monkeypatch):
    weight, state = torch.arange(4.0), torch.ones(3)
    tree = {"weights": {"a": weight, 2: "plain"}, "optimizer": [state]}
    write_tree(tmp_path, "state", tree)
    read, lookup = [], state_tree._Lazily.__missing__
    monkeypatch.setattr(
        state_tree._Lazily,
        "__missing__",
        lambda self, key: read.append(key) or lookup(self, key),
    )
    branch = state_tree.read_branch(tmp_path, "state", "weights")
    assert branch.keys() == {"a", 2}
    assert torch.equal(branch["a"], weight)
    assert len(read) == 1
