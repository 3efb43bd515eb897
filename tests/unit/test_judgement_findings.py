"""What methods that learn from judgements refuse, and how it is told."""

import pytest

from studio.domain.dataset import Kind
from studio.domain.finding import Severity
from studio.domain.judgement_findings import turned_to, unsuited
from studio.domain.method_options import Method
from studio.domain.recipe import Recipe


def clashes(**options):
    values = {key.replace("__", "."): value for key, value in options.items()}
    return {
        finding.where
        for finding in Recipe().with_values(values).contradictions()
        if "train.method" in finding.what
    }


@pytest.mark.parametrize(
    ("method", "options", "where"),
    [
        ("dpo", {"train__packing": True}, {"train.packing"}),
        ("orpo", {"train__label_smoothing": 0.1}, {"train.label_smoothing"}),
        ("dpo", {"data__loss_on": "everything"}, {"data.loss_on"}),
        ("dpo", {"data__loss_on": "last_answer"}, set()),
        ("dpo", {"train__neftune": 5.0}, {"train.neftune"}),
        ("orpo", {"train__neftune": 5.0, "lora__dropout": 0.1}, set()),
        ("kto", {"train__micro_batch": 2, "lora__dropout": 0.1}, {"lora.dropout"}),
        ("kto", {"train__micro_batch": 1}, {"train.micro_batch"}),
        ("orpo", {"train__weights": "all", "model__precision": "bf16"}, set()),
        (
            "dpo",
            {"train__weights": "all", "model__precision": "bf16"},
            {"train.weights"},
        ),
        ("sft", {"train__packing": True, "train__neftune": 5.0}, set()),
    ],
)
def test_that_each_option_a_method_cannot_take_is_named(method, options, where):
    assert clashes(train__method=method, **options) == where


@pytest.mark.parametrize("method", Method)
def test_that_examples_are_learnt_from_every_file(method):
    fitting = [kind for kind in Kind if unsuited(method, kind, "rows.jsonl") is None]
    expected = {
        Method.SFT: list(Kind),
        Method.DPO: [Kind.PREFERENCE],
        Method.ORPO: [Kind.PREFERENCE],
        Method.KTO: [Kind.RATED],
    }
    assert fitting == expected[method]


@pytest.mark.parametrize(
    ("method", "kind", "way"),
    [
        (Method.DPO, Kind.RATED, "to kto,"),
        (Method.KTO, Kind.PREFERENCE, "to dpo or orpo,"),
        (Method.ORPO, Kind.CHAT, "to sft,"),
    ],
)
def test_that_a_file_of_another_kind_names_what_learns_from_it(method, kind, way):
    finding = unsuited(method, kind, "rows.jsonl")
    assert finding is not None
    assert way in finding.how_to_fix
    assert finding.where == "rows.jsonl"


def test_that_a_weight_of_no_judgement_is_remarked():
    (remark,) = Recipe().with_value("train.beta", 0.5).remarks()
    assert (remark.severity, remark.where) == (Severity.INFO, "train.beta")
    judged = {"train.beta": 0.5, "train.method": "orpo"}
    assert not Recipe().with_values(judged).remarks()


@pytest.mark.parametrize("method", Method)
def test_that_turning_to_a_method_leaves_no_clash(method):
    clashing = Recipe().with_values(
        {
            "train.packing": True,
            "train.label_smoothing": 0.1,
            "train.neftune": 5.0,
            "lora.dropout": 0.1,
            "data.loss_on": "everything",
            "train.micro_batch": 1,
            "train.accumulation": 16,
        }
    )
    turned = clashing.with_values(turned_to(clashing, method))
    assert turned.train.method is method
    assert not turned.contradictions()
    assert turned.effective_batch() == 16
    kept = turned.train.neftune == 5.0
    assert kept == (method in {Method.SFT, Method.ORPO})
