"""Weightless tensors: the same trace as from fake ones, many times sooner."""

from unittest.mock import patch

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from studio.engine.dry_run import rehearsal
from studio.engine.dry_run.rehearsal import rehearse
from studio.engine.dry_run.weightless import weightless
from tests.engine.test_dry_run import CARD, subject_of

pytestmark = pytest.mark.filterwarnings("ignore:.*generation:UserWarning")


def fake():
    return FakeTensorMode(allow_non_fake_inputs=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"train__checkpointing": False, "lora__dropout": 0.1},
        {"model__precision": "int8", "train__optimizer": "paged_adamw_8bit"},
        {"model__precision": "bf16", "model__attention": "eager"},
        {"compat__full_logits": True, "compat__upcast_unquantized": True},
        {"compat__full_training": True, "model__precision": "bf16"},
    ],
    ids=str,
)
@pytest.mark.parametrize("base", ["tiny_model", "tiny_qwen"])
def test_that_weightless_tensors_leave_the_trace_that_fake_ones_do(
    base, options, request
):
    folder = request.getfixturevalue(base)
    options = {"model__compute_dtype": "bf16", "train__micro_batch": 2, **options}
    # Training leaves marks in a config, so each rehearsal reads its own.
    found = rehearse(subject_of(folder, CARD, **options))
    with patch.object(rehearsal, "weightless", fake):
        expected = rehearse(subject_of(folder, CARD, **options))
    assert found.trace == expected.trace
    assert found.phases == expected.phases
    assert found.paged_bytes == expected.paged_bytes


def test_that_weightless_tensors_hold_nothing_and_name_a_processor():
    with weightless():
        matrix = torch.ones(1 << 20, 1 << 20)
        product = (matrix @ matrix).to("cuda", torch.float16)
        assert product.dtype is torch.float16
        assert str(product.device) == "cpu"
        assert not product.is_meta
        assert product.untyped_storage().data_ptr() == 0
    assert product.is_meta


def test_that_tensors_from_outside_may_take_part():
    with weightless():
        made = torch.ones(4)
    outside = torch.ones(4, dtype=torch.float64)
    with weightless():
        assert (made + outside).dtype is torch.float64
    assert outside.device.type == "cpu"
