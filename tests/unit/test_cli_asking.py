"""Options of `snugtune estimate` that would be without an effect are refused."""

import json
from pathlib import Path

import pytest

from studio import cli
from studio.cli import measuring, pricing
from studio.domain.errors import ExitCode
from tests.unit.test_cli_pricing import CONFIG


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return str(tmp_path)


@pytest.fixture
def said(model, capsys):
    """Carries `estimate` out: its exit code, results, and what it says aside."""

    def carry_out(*arguments):
        code = cli.main(["estimate", "--model", model, *arguments])
        told = capsys.readouterr()
        return code, told.out, " ".join(told.err.split())

    return carry_out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--measure", "--gpu", "4090"], "Leave --gpu or --measure out"),
        (["--measure", "--basis", "formula"], "asks for no measurement"),
        (
            ["--measure", "--timeline", "x.svg"],
            "Take --basis dry-run without --measure",
        ),
        (["--basis", "formula", "--timeline", "x.svg"], "Take --basis dry-run"),
        (["--basis", "formula", "--random-weights"], "Take --measure, or leave"),
        (
            ["--set", "model.name=other"],
            "--set model.name other. Leave one of them out",
        ),
    ],
)
def test_that_an_option_without_effect_is_refused_at_once(said, arguments, words):
    code, result, aside = said(*arguments)
    assert code == ExitCode.BAD_INPUT
    assert words in aside
    assert not result


def test_that_the_same_model_may_be_named_twice(said, model):
    code, result, _ = said("--basis", "formula", "--set", f"model.name={model}")
    assert code == ExitCode.OK
    assert "Device" in result


def test_that_a_layer_the_model_lacks_is_refused_by_formula_too(said):
    code, _, aside = said("--basis", "formula", "--set", "lora.targets=foo_proj")
    assert code == ExitCode.BAD_INPUT
    assert "no linear layer called “foo_proj”" in aside


def test_that_a_card_which_cannot_compute_a_recipe_is_named_beside_its_price(said):
    code, result, _ = said("--basis", "formula", "--gpu", "T4")
    assert code == ExitCode.OK
    words = " ".join(result.split())
    assert "No such run would begin there: T4 does not compute in BF16." in words
    assert max(map(len, result.splitlines())) <= 88
    halves = ("model.compute_dtype=fp16", "lora.adapter_dtype=fp32")
    settings = [part for half in halves for part in ("--set", half)]
    _, result, _ = said("--basis", "formula", "--gpu", "T4", *settings)
    assert "No such run" not in result


def test_that_what_was_never_measured_elsewhere_is_not_to_be_measured_here(said):
    code, _, aside = said("--basis", "measured", "--gpu", "4090")
    assert code == ExitCode.BAD_INPUT
    assert "only a card that is here can be measured" in aside
    _, _, aside = said("--basis", "measured")
    assert "snugtune estimate --measure" in aside


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "it is empty"), ("{\n1", "line 2 is no JSON"), ("[]", "it holds no object")],
)
def test_that_an_unreadable_config_says_why(said, model, text, why):
    Path(model, "config.json").write_text(text, encoding="utf-8")
    code, _, aside = said("--basis", "formula")
    assert code == ExitCode.BAD_INPUT
    assert f"config.json can't be read: {why}." in aside


def test_that_a_config_without_a_kind_is_not_sent_to_the_dry_run(said, model):
    Path(model, "config.json").write_text('{"hidden_size": 64}', encoding="utf-8")
    code, _, aside = said("--basis", "formula")
    assert code == ExitCode.BAD_INPUT
    assert "names no “model_type”" in aside
    assert "dry-run" not in aside


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"num_attention_heads": 7}, "num_attention_heads = 7, by which hidden_size"),
        ({"num_key_value_heads": 3}, "num_key_value_heads = 3, by which num_attention"),
        ({"num_attention_heads": 0}, "gives no usable “num_attention_heads”"),
        ({"num_key_value_heads": 0}, "gives no usable “num_key_value_heads”"),
        ({"num_key_value_heads": -8}, "gives no usable “num_key_value_heads”"),
        ({"num_attention_heads": "32"}, "gives no usable “num_attention_heads”"),
        ({"head_dim": 0}, "gives no usable “head_dim”"),
        ({"head_dim": 15}, "gives heads an odd width"),
    ],
)
def test_that_impossible_heads_are_refused_alike_on_each_basis(
    said, model, monkeypatch, changed, words
):
    def engine(*_arguments, **_options):
        pytest.fail("an engine was started")

    monkeypatch.setattr(pricing, "run_engine", engine)
    monkeypatch.setattr(measuring, "run_engine", engine)
    Path(model, "config.json").write_text(json.dumps(CONFIG | changed), "utf-8")
    asked = (["--basis", "formula"], ["--basis", "dry-run"], ["--measure"])
    answers = {said(*basis) for basis in asked}
    ((code, result, aside),) = answers
    assert code == ExitCode.BAD_INPUT
    assert words in aside
    assert not result


def test_that_impossible_experts_are_refused_before_an_engine_is_started(
    said, model, monkeypatch
):
    def engine(*_arguments, **_options):
        pytest.fail("an engine was started")

    monkeypatch.setattr(pricing, "run_engine", engine)
    experts = {"model_type": "mixtral", "num_local_experts": 4}
    for chosen, words in (
        (9, "says num_experts_per_tok = 9, but num_local_experts = 4"),
        (0, "gives no usable “num_experts_per_tok”"),
    ):
        config = CONFIG | experts | {"num_experts_per_tok": chosen}
        Path(model, "config.json").write_text(json.dumps(config), "utf-8")
        for basis in ("formula", "dry-run"):
            code, _, aside = said("--basis", basis)
            assert code == ExitCode.BAD_INPUT
            assert words in aside


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a" * 5000, "There is no model"),
        ("~nobody-of-that-name/x", "There is no model"),
        ("zero\0byte", "There is no model"),
        ("/dev/null", "This is a file; a model is a folder."),
    ],
)
def test_that_what_can_be_no_folder_is_no_model(name, words, capsys):
    assert cli.main(["estimate", "--basis", "formula", "--model", name]) == (
        ExitCode.BAD_INPUT
    )
    assert words in " ".join(capsys.readouterr().err.split())


def test_that_a_value_without_a_key_sets_nothing(said):
    code, _, aside = said("--set", "=3")
    assert code == ExitCode.BAD_INPUT
    assert "“=3” sets nothing. Write key=value" in aside


def test_that_rows_beyond_what_the_model_reads_are_told_beside_the_price(said):
    _, result, _ = said("--basis", "formula", "--set", "train.sequence_length=10000")
    words = " ".join(result.split())
    assert "Rows of 10,000 tokens are longer than this model reads." in words
    _, result, _ = said("--basis", "formula", "--set", "train.sequence_length=8192")
    assert "longer than" not in result


def test_that_a_tiny_card_is_not_called_one_of_nothing(said):
    _, result, _ = said("--basis", "formula", "--gpu", "0.001")
    words = " ".join(result.split())
    assert "On a card of 1.02 MiB with 1.02 MiB free it does not fit" in words


def test_that_what_a_config_says_cannot_steer_the_terminal(said, model):
    config = CONFIG | {"model_type": "lla\x1b[2Jma\0"}
    Path(model, "config.json").write_text(json.dumps(config), "utf-8")
    code, _, aside = said("--basis", "formula")
    assert code == ExitCode.BAD_INPUT
    assert "Models of the kind “lla�[2Jma�” can’t be priced" in aside
