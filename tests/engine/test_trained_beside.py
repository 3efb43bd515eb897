"""Norms, embeddings and head trained beside an adapter: whole, and found again."""

import pytest
import torch
from peft import PeftModelForCausalLM
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.errors import ExitCode, StudioError
from studio.domain.recipe_options import LoraOptions
from studio.engine.adapter_files import put_adapter, save_adapter
from studio.engine.adapters import attach
from studio.engine.methods import training
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_places import place_of
from studio.engine.trained_beside import PREFIX, are_tied, beside_of
from studio.protocol.answer_events import Generated
from studio.protocol.events import (
    EvalFinished,
    SampleProduced,
    StepFinished,
)
from studio.protocol.export_events import ParityMeasured
from studio.services.disk_need import run_bytes
from tests.engine import tiny
from tests.engine.helpers import (
    Heard,
    carry_out,
    new_run,
    of_kind,
    recipe_for,
    train,
)

# peft says of GPT-2's layers that it takes them as they are.
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning"),
    # peft 0.21 looks for the rank of fused experts among modules; they are parameters.
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning"),
]

FAMILIES = {
    "llama": {"tie_word_embeddings": True},
    "qwen3": {"tie_word_embeddings": False, "head_dim": 16},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "gpt_neox": {"rotary_pct": 0.25, "tie_word_embeddings": True},
    "gemma2": {"tie_word_embeddings": True, "head_dim": 16},
    "gemma3_text": {"tie_word_embeddings": True, "head_dim": 16},
}
BASES = {
    "nf4": {"model__precision": "nf4", "model__compute_dtype": "bf16"},
    "nf4, fp32 adapter": {
        "model__precision": "nf4",
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "fp32",
    },
    "nf4 in fp32": {"model__precision": "nf4", "lora__adapter_dtype": "fp32"},
    "bf16": {"model__precision": "bf16", "model__compute_dtype": "bf16"},
    "fp32": {"model__precision": "fp32", "lora__adapter_dtype": "fp32"},
    "fp32, bf16 adapter": {"model__precision": "fp32", "lora__adapter_dtype": "bf16"},
    "fp32 in bf16": {
        "model__precision": "fp32",
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "bf16",
    },
}
PAIRS = [
    {
        "prompt": f"Which cheese is number {n}?",
        "chosen": f"Aye, number {n} is a fine Brie.",
        "rejected": f"Number {n} is none of your business.",
    }
    for n in range(24)
]
NORMS = {"lora__train_norms": True}
EMBEDDINGS = {"lora__train_embeddings": True}
BESIDE = {**NORMS, **EMBEDDINGS}
# At this rate BF16 would round most steps of a norm near one away.
RATE = {"train__learning_rate": 1e-3}


@pytest.fixture(scope="session")
def bases(tmp_path_factory):
    made = {}

    def base(family):
        if family not in made:
            folder = tmp_path_factory.mktemp("bases") / family
            tokenizer = tiny.make_tokenizer()
            torch.manual_seed(0)
            shape = {} if family == "gpt2" else tiny.SHAPE
            options = {**shape, "vocab_size": len(tokenizer), **FAMILIES[family]}
            config = AutoConfig.for_model(family, **options)
            AutoModelForCausalLM.from_config(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            made[family] = folder
        return made[family]

    return base


class Trained:
    """A run that has trained, its model still in memory."""

    def __init__(self, folder, recipe):
        heard = Heard()
        place = place_of(recipe.model.name)
        self.recipe = recipe
        self.run = training.load_run(
            heard.session, new_run(folder, recipe), recipe, place
        )
        self.trainer = training.build_trainer(self.run)
        self.before = {
            name: weight.detach().clone()
            for name, weight in beside_of(self.run.model).items()
        }
        self.trainer.train()
        heard.close()
        self.folder = folder / "adapter"
        self.base = place.folder
        save_adapter(self.run.model, self.run.tokenizer, self.run.facts(4), self.folder)

    def logits(self, model=None):
        model = (model or self.run.model).eval()
        ids = torch.arange(3, 60)[None]
        with torch.no_grad(), self.run.formats.casting(torch.device("cpu")):
            return model(input_ids=ids, use_cache=False).logits.float()

    def bare(self):
        return load_model(
            self.base, self.recipe.model, self.run.formats, torch.device("cpu")
        )

    def by_peft(self):
        """What peft alone makes of the plain base and what was saved."""
        wide = self.recipe.lora.adapter_dtype == "fp32"
        return PeftModelForCausalLM.from_pretrained(
            self.bare(), str(self.folder), autocast_adapter_dtype=wide
        )


def trained(tmp_path, base, chat_file, **options):
    if base.name == "gemma2":  # caps its scores
        options["model__attention"] = "eager"
    recipe = recipe_for(base, chat_file, **{**RATE, **options})
    assert not recipe.contradictions()
    return Trained(tmp_path, recipe)


def assert_found_again(done):
    """Base and adapter say what was in memory, by peft alone and by the engine."""
    said = done.logits()
    # peft holds a BF16 adapter in the base's FP32, so its products are wider.
    is_wider = done.recipe.model.precision == "fp32" != done.recipe.lora.adapter_dtype
    for model in (done.by_peft(), put_adapter(done.bare(), done.folder)):
        assert torch.allclose(done.logits(model), said, atol=is_wider * 2e-3, rtol=0)


# Each family with three bases, and each base with one family.
CASES = [
    *((family, kind) for family in FAMILIES for kind in ("nf4", "bf16", "fp32")),
    *(("llama", kind) for kind in BASES if kind not in {"nf4", "bf16", "fp32"}),
]


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_that_norms_are_learnt_and_found_again(
    tmp_path, bases, chat_file, family, kind
):
    done = trained(tmp_path, bases(family), chat_file, **NORMS, **BASES[kind])
    after = beside_of(done.run.model)
    assert after.keys() == done.before.keys()
    assert all("norm" in name or "ln_" in name for name in after)
    for name, weight in after.items():
        assert weight.dtype is torch.float32
        assert (weight != done.before[name]).float().mean() > 0.9, name
    saved = load_file(done.folder / "adapter_model.safetensors")
    for name, weight in after.items():
        assert torch.equal(saved[f"base_model.model.{name}"], weight)
    assert_found_again(done)


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_that_embeddings_are_learnt_and_found_again(
    tmp_path, bases, chat_file, family, kind
):
    done = trained(tmp_path, bases(family), chat_file, **BESIDE, **BASES[kind])
    after = beside_of(done.run.model)
    assert after.keys() == done.before.keys()
    matrices = [name for name, weight in after.items() if weight.ndim == 2]
    is_tied = FAMILIES[family].get("tie_word_embeddings", True)
    assert len(matrices) == (1 if is_tied else 2)
    for name in matrices:
        assert after[name].dtype is torch.float32
        assert not torch.equal(after[name], done.before[name]), name
    assert are_tied(done.run.model) == is_tied
    ours = put_adapter(done.bare(), done.folder)
    assert are_tied(ours) == is_tied
    assert_found_again(done)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_that_a_merge_has_what_was_trained_beside(tmp_path, bases, chat_file, family):
    recipe = recipe_for(bases(family), chat_file, **BASES["fp32"], **BESIDE)
    run = new_run(tmp_path, recipe)
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    code, events = carry_out(
        "merge", run=run.path, out=run.merged_path, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    merged = AutoModelForCausalLM.from_pretrained(run.merged_path, dtype=torch.float32)
    plain = load_plain(bases(family), torch.float32)
    ids = torch.arange(3, 60)[None]
    with torch.no_grad():
        ours = put_adapter(plain, run.adapter_path)(input_ids=ids).logits
        assert torch.allclose(merged.eval()(input_ids=ids).logits, ours, atol=1e-5)
    saved = load_file(run.adapter_path / "adapter_model.safetensors")
    held = merged.state_dict()
    for name in beside_in(saved):
        assert torch.equal(held[name], saved[PREFIX + name]), name


def beside_in(saved):
    return [name.removeprefix(PREFIX) for name in saved if "lora_" not in name]


def test_that_experts_are_merged_with_what_was_trained_beside(tmp_path, chat_file):
    base = tiny.make_mixture(tmp_path / "base", "qwen3_moe")
    recipe = recipe_for(base, chat_file, **BASES["fp32"], **BESIDE)
    run = new_run(tmp_path, recipe)
    assert train(run)[0] is ExitCode.OK
    code, events = carry_out(
        "merge", run=run.path, out=run.merged_path, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    merged = AutoModelForCausalLM.from_pretrained(run.merged_path, dtype=torch.float32)
    saved = load_file(run.adapter_path / "adapter_model.safetensors")
    held = merged.state_dict()
    names = beside_in(saved)
    assert {"lm_head.weight", "model.norm.weight"} <= set(names)
    for name in names:
        assert torch.equal(held[name], saved[PREFIX + name]), name


LONG = {"model__stretch": 4.0, "model__attention": "shifted", **BESIDE}


@pytest.mark.parametrize("kind", ["nf4", "fp32"])
def test_that_long_context_is_learnt_resumed_exported_and_proven(
    kind, tmp_path, bases, chat_file, cut_at
):
    options = {**LONG, **BASES[kind], "train__save_steps": 3, "train__max_steps": 6}
    recipe = recipe_for(bases("llama"), chat_file, **options)
    straight, broken = (new_run(tmp_path / name, recipe) for name in ("one", "two"))
    assert train(straight)[0] is ExitCode.OK
    cut_at(4)
    assert train(broken)[0] is not ExitCode.OK
    code, events = train(broken, resume=True)
    assert code is ExitCode.OK, events[-1]
    assert [step.step for step in of_kind(events, StepFinished)] == [4, 5, 6]
    file = "adapter_model.safetensors"
    ours = (straight.adapter_path / file).read_bytes()
    assert (broken.adapter_path / file).read_bytes() == ours
    out = {"run": broken.path, "out": broken.merged_path}
    code, events = carry_out("merge", **out, dtype="fp32", overwrite=False)
    assert code is ExitCode.OK, events[-1]
    code, events = carry_out("verify", run=broken.path, artefact=broken.merged_path)
    assert code is ExitCode.OK, events[-1]
    (measured,) = of_kind(events, ParityMeasured)
    assert measured.is_proven
    (step,) = [p for p in broken.checkpoints_path.iterdir() if p.name.endswith("6")]
    plain = load_plain(bases("llama"), torch.float32, stretch=4.0)
    assert are_tied(put_adapter(plain, step))


def test_that_a_run_answers_with_what_was_trained_beside(tmp_path, bases, chat_file):
    options = {**BASES["bf16"], **BESIDE, "train__max_steps": 12}
    run = new_run(tmp_path, recipe_for(bases("llama"), chat_file, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    last = of_kind(events, SampleProduced)[-1]
    asked = {"source": run.path, "prompt": [last.prompt], "max_new_tokens": 96}
    code, events = carry_out("generate", base=False, **asked)
    assert code is ExitCode.OK, events[-1]
    assert [each.text for each in of_kind(events, Generated)] == [last.text]


@pytest.mark.parametrize("key", ["lora.train_norms", "lora.train_embeddings"])
def test_that_there_is_nothing_to_add_to_all_weights(tiny_model, chat_file, key):
    recipe = recipe_for(tiny_model, chat_file, model__precision="fp32")
    whole = recipe.with_values({"train.weights": "all", key: True})
    (clash,) = whole.contradictions()
    assert clash.where == key
    assert not recipe.with_value(key, True).contradictions()


def test_that_a_model_without_norms_to_train_is_refused():
    config = AutoConfig.for_model("olmo", **tiny.SHAPE, vocab_size=100)
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(StudioError, match="no norms"):
        attach(model, LoraOptions(train_norms=True))


def test_that_embeddings_of_an_unknown_kind_are_refused(bases):
    model = load_plain(bases("llama"), torch.float32)

    class Odd(torch.nn.Embedding):
        def forward(self, ids):
            return -super().forward(ids)

    model.set_input_embeddings(Odd(346, 64))
    with pytest.raises(StudioError, match="looked up as usual"):
        attach(model, LoraOptions(train_embeddings=True))


def test_that_a_disk_is_asked_for_as_much_as_is_written(tmp_path, bases, chat_file):
    options = {**BASES["nf4"], **BESIDE, "train__save_steps": 2}
    recipe = recipe_for(bases("llama"), chat_file, **options)
    run = new_run(tmp_path, recipe)
    assert train(run)[0] is ExitCode.OK
    plain = recipe.with_values({"lora.train_norms": False})
    plain = plain.with_value("lora.train_embeddings", False)
    place = place_of(recipe.model.name)
    more = run_bytes(recipe, place, 36) - run_bytes(plain, place, 36)
    beside = 0
    for file in run.path.rglob("adapter_model.safetensors"):
        saved = load_file(file)
        beside += sum(saved[PREFIX + name].nbytes for name in beside_in(saved))
    assert more >= beside > 0


def test_that_odds_of_pairs_train_what_lies_beside(tmp_path, bases):
    """ORPO compares with no other model, so that nothing has to stay as it was."""
    values = {**BASES["nf4"], **BESIDE, "train__method": "orpo", **RATE}
    file = tiny.write_chats(tmp_path / "pairs.jsonl", PAIRS)
    done = Trained(tmp_path, recipe_for(bases("llama"), file, **values))
    for name, weight in beside_of(done.run.model).items():
        assert weight.dtype is torch.float32
        assert not torch.equal(weight, done.before[name]), name
    assert_found_again(done)


@pytest.mark.parametrize(
    "options",
    [
        {"lora__variant": "pissa"},
        {"lora__variant": "loftq", "lora__adapter_dtype": "fp32"},
        {"lora__variant": "dora", "lora__adapter_dtype": "fp32"},
        {"lora__plus_ratio": 4.0},
        {"train__optimizer": "adafactor"},
        {"train__neftune": 5.0},
        {"train__packing": True},
    ],
    ids=str,
)
def test_that_it_goes_with_other_options(tmp_path, bases, chat_file, options):
    values = {**BASES["nf4"], **BESIDE, **options, "train__max_steps": 12}
    run = new_run(tmp_path, recipe_for(bases("llama"), chat_file, **values))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    before, *_, after = of_kind(events, EvalFinished)
    assert after.loss < before.loss
    last = of_kind(events, SampleProduced)[-1]
    asked = {"source": run.path, "prompt": [last.prompt], "max_new_tokens": 96}
    code, events = carry_out("generate", base=False, **asked)
    assert code is ExitCode.OK, events[-1]
    if options.get("lora__variant") != "pissa":  # whose base is another one
        assert [each.text for each in of_kind(events, Generated)] == [last.text]
