"""A merge into what 4 bits stood for is the model that was trained, to rounding."""

import json

import pytest
import torch

from studio.domain.errors import ExitCode
from studio.engine.adapter_files import put_adapter
from studio.engine.devices import formats_of
from studio.engine.model_loading import load_model, load_plain
from studio.engine.starting.trained_on import trained_on, with_adapter
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import RunFailed
from studio.storage.artefacts import read_origin
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train
from tests.engine.test_adapter_kinds import CPU, logits, off

pytestmark = pytest.mark.torch

KINDS = {
    "all layers": {},
    "attention alone": {"lora__targets": ("attention-only",)},
    "fp4, single": {"model__precision": "fp4", "model__double_quant": False},
}


def run_with(folder, model, **options):
    data = tiny.write_chats(folder / "chats.jsonl")
    chosen = {"train__max_steps": 6, "lora__adapter_dtype": "fp32", **options}
    run = new_run(folder, recipe_for(model, data, **chosen))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("held")
    options = {"model__precision": "nf4"} | KINDS[request.param]
    return run_with(folder, tiny_qwen, **options)


def merged(run, out, **options):
    code, events = carry_out(
        "merge", run=run.path, out=out, dtype="fp32", overwrite=False, **options
    )
    assert code is ExitCode.OK, events[-1]
    return logits(load_plain(out, torch.float32), load_tokenizer(out))


def put_together(run, model):
    """What peft's own merge says of the model, put together in memory."""
    on = trained_on(model, run.read_recipe(), as_held=True)
    adapted = with_adapter(load_plain(model, torch.float32), run.adapter_path, on)
    return logits(adapted.merge_and_unload(), load_tokenizer(run.adapter_path))


def as_trained(run, model):
    recipe = run.read_recipe()
    base = load_model(model, recipe.model, formats_of(recipe, CPU), CPU)
    said = put_adapter(base, run.adapter_path)
    return logits(said, load_tokenizer(run.adapter_path))


def test_that_it_says_what_the_quantised_model_said(trained, tiny_qwen, tmp_path):
    said = as_trained(trained, tiny_qwen)
    held = merged(trained, tmp_path / "held", as_trained=True)
    assert off(held, said) < 1e-3  # 32-bit sums in another order
    own = merged(trained, tmp_path / "own")
    assert off(own, said) > 10 * off(held, said)


def test_that_layers_that_loftq_leaves_alone_are_held_too(tiny_qwen, tmp_path):
    options = {"lora__variant": "loftq", "lora__targets": ("attention-only",)}
    run = run_with(tmp_path, tiny_qwen, model__precision="nf4", **options)
    said = as_trained(run, tiny_qwen)
    held = merged(run, tmp_path / "held", as_trained=True)
    assert off(merged(run, tmp_path / "own"), said) > 10 * off(held, said)


def test_that_it_is_judged_beside_what_was_trained(trained, tmp_path):
    out = tmp_path / "held"
    merged(trained, out, as_trained=True)
    assert read_origin(out).as_trained
    assert "as 4 bits held it" in (out / "README.md").read_text("utf-8")
    code, events = carry_out("verify", run=trained.path, artefact=out)
    assert code is ExitCode.OK, events[-1]
    told = json.loads((out / "parity.json").read_text())
    assert told["proven"]
    assert told["holds_bits"]
    assert told["distance"]["mean_kl"] < 1e-6
    assert told["as_trained"]["mean_kl"] > 10 * told["distance"]["mean_kl"]


def exported(run, out, *kinds, **options):
    given = {"dtype": "fp32", "form": "", "overwrite": True}
    given |= {"even_if_different": False, "as_trained": True, **options}
    return carry_out("export", run=run.path, to=list(kinds), out=out, **given)


def test_that_an_export_can_be_merged_so_and_is_proven_so(trained, tmp_path):
    code, events = exported(trained, tmp_path, "merged")
    assert code is ExitCode.OK, events[-1]
    assert read_origin(tmp_path / "merged").as_trained
    told = json.loads((tmp_path / "merged" / "parity.json").read_text())
    assert told["proven"]
    assert told["holds_bits"]


@pytest.mark.parametrize("kinds", [("adapter",), ("adapter", "adapter")])
def test_that_where_nothing_is_merged_it_is_refused(trained, tmp_path, kinds):
    code, events = exported(trained, tmp_path, *kinds)
    assert code is ExitCode.BAD_INPUT
    (failed,) = of_kind(events, RunFailed)
    assert failed.kind == "export.nothing-merged"
    assert not list(tmp_path.iterdir())


def test_that_a_usual_merge_under_that_name_is_caught(trained, tmp_path):
    out = tmp_path / "held"
    merged(trained, out)
    origin = json.loads((out / "snugtune.json").read_text())
    (out / "snugtune.json").write_text(json.dumps({**origin, "as_trained": True}))
    carry_out("verify", run=trained.path, artefact=out)
    told = json.loads((out / "parity.json").read_text())
    assert told["distance"]["mean_kl"] > 1e-6


def test_that_it_has_the_bits_of_peft_s_own_merge(trained, tiny_qwen, tmp_path):
    streamed = merged(trained, tmp_path / "streamed", as_trained=True)
    assert torch.equal(streamed, put_together(trained, tiny_qwen))


@pytest.mark.filterwarnings("ignore:.*generation:UserWarning")
@pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning")
def test_that_experts_that_were_never_packed_are_merged_as_they_are(tmp_path):
    base = tiny.make_mixture(tmp_path / "base", "qwen3_moe")
    run = run_with(tmp_path, base, model__precision="nf4")
    streamed = merged(run, tmp_path / "streamed", as_trained=True)
    assert torch.equal(streamed, put_together(run, base))
    assert off(merged(run, tmp_path / "own"), streamed) > 1e-4


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"model__precision": "int8"}, "merge.not-four-bit"),
        ({"model__precision": "fp32"}, "merge.not-four-bit"),
        (
            {"model__precision": "nf4", "lora__variant": "pissa"},
            "merge.pissa-as-trained",
        ),
    ],
)
def test_that_what_was_held_otherwise_is_refused(tiny_qwen, tmp_path, options, code):
    run = run_with(tmp_path, tiny_qwen, **{"train__max_steps": 1, **options})
    out = tmp_path / "merged"
    ended, events = carry_out(
        "merge",
        run=run.path,
        out=out,
        dtype="fp32",
        overwrite=False,
        as_trained=True,
    )
    assert ended is ExitCode.BAD_INPUT
    assert of_kind(events, RunFailed)[0].kind == code
    assert not out.exists()
