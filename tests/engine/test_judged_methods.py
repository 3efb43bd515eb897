"""Methods that learn from judgements: what is scored, learnt, measured and left."""

import math
from types import SimpleNamespace

import pytest
import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference

from studio.domain.dataset import Chat, Turn
from studio.domain.errors import ExitCode
from studio.engine.judged_batches import RatedBatch
from studio.engine.methods import training
from studio.engine.methods.kto import balance
from studio.engine.methods.orpo import odds_ratio_losses
from studio.engine.model_places import place_of
from studio.engine.packing import example
from studio.engine.parity.texts import held_out
from studio.protocol.events import EvalFinished, Judged, RunFailed, RunFinished
from tests.engine import tiny
from tests.engine.helpers import Heard, new_run, of_kind, recipe_for, train

PAIRS = [
    {
        "prompt": f"Which cheese is number {n}?",
        "chosen": f"Aye, number {n} is a fine Brie.",
        "rejected": f"Number {n} is none of your business.",
    }
    for n in range(24)
]
RATED = [
    {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
    for row in PAIRS
    for side in ("chosen", "rejected")
]
ROWS = {"dpo": PAIRS, "orpo": PAIRS, "kto": RATED}


@pytest.fixture
def judged(tmp_path, tiny_model):
    """A quick recipe of a method, on a file that it can learn from."""

    def make(method, rows=None, **options):
        file = tiny.write_chats(tmp_path / f"{method}.jsonl", rows or ROWS[method])
        return recipe_for(tiny_model, file, train__method=method, **options)

    return make


@pytest.fixture
def ready(tmp_path):
    """Load a recipe's run and make its trainer."""
    heard = Heard()

    def make(recipe):
        place = place_of(recipe.model.name)
        run = training.load_run(heard.session, new_run(tmp_path, recipe), recipe, place)
        return run, training.build_trainer(run)

    yield make
    heard.close()


def spoil(run, size=0.5):
    """Let the adapter say something; at first it is nothing."""
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in run.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, size, generator=chance)


def said(run, ids, mask):
    """The scored tokens of a batch as text, a row each."""
    return [
        run.tokenizer.decode(row[scored.bool()])
        for row, scored in zip(ids, mask, strict=True)
    ]


def batch_of(run, trainer, rows=4):
    return trainer.data_collator([example(row) for row in run.data.training[:rows]])


@pytest.mark.parametrize("method", ROWS)
def test_that_a_run_learns_what_was_judged_better(tmp_path, judged, method):
    recipe = judged(method, train__max_steps=12)
    code, events = train(new_run(tmp_path, recipe))
    assert code == 0
    measured = of_kind(events, EvalFinished)
    assert measured[-1].loss < measured[0].loss
    # A batch of one verdict alone has no margin.
    told = [each.margin for each in of_kind(events, Judged) if not each.is_held_out]
    margins = [each for each in told if each is not None]
    assert margins[-1] > max(margins[0], 0.0)
    assert of_kind(events, RunFinished)[0].adapter == "adapter"


@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_that_pairs_tell_how_often_the_better_answer_is_likelier(
    tmp_path, judged, method
):
    recipe = judged(method, train__max_steps=12, train__eval_steps=6)
    _, events = train(new_run(tmp_path, recipe))
    told = of_kind(events, Judged)
    held_out = [each for each in told if each.is_held_out]
    # Before training nothing has gained on the model before training.
    assert [each.step for each in held_out] == [0, 6, 12][method == "dpo" :]
    assert held_out[-1].accuracy == 1.0
    steps = [each for each in told if not each.is_held_out]
    assert [each.step for each in steps] == list(range(1, 13))
    assert all(0 <= each.accuracy <= 1 for each in steps)


def test_that_only_the_answer_behind_the_question_is_scored(judged, ready):
    rows = [
        {
            "chosen": [*before, {"role": "assistant", "content": "Aye, Brie."}],
            "rejected": [*before, {"role": "assistant", "content": "Nay."}],
        }
        for before in [
            [
                {"role": "user", "content": "Which cheese?"},
                {"role": "assistant", "content": "Which number?"},
                {"role": "user", "content": "Seven."},
            ]
        ]
    ] * 8
    run, trainer = ready(judged("dpo", rows, data__held_out=0.0))
    batch = batch_of(run, trainer, 2)
    texts = said(run, batch["input_ids"], batch["completion_mask"])
    assert texts == ["Aye, Brie.<|im_end|>"] * 2 + ["Nay.<|im_end|>"] * 2
    whole = run.tokenizer.decode(batch["input_ids"][0])
    assert whole.count("Which number?") == 1


def test_that_a_batch_of_pairs_is_as_trl_makes_it(judged, ready):
    run, trainer = ready(judged("dpo", data__held_out=0.0))
    ours = batch_of(run, trainer)
    theirs = []
    for row in PAIRS[:4]:
        asked = [{"role": "user", "content": row["prompt"]}]
        told = {"return_dict": False}
        prompt = run.tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, **told
        )
        made = {"prompt_ids": prompt}
        for side in ("chosen", "rejected"):
            answer = {"role": "assistant", "content": row[side]}
            ids = run.tokenizer.apply_chat_template([*asked, answer], **told)
            # Our rows end with the token that ends the answer; what a template writes
            # behind it isn't said by the model.
            end = len(ids) - ids[::-1].index(run.tokenizer.eos_token_id)
            made[f"{side}_ids"] = ids[len(prompt) : end]
        theirs.append(made)
    expected = DataCollatorForPreference(pad_token_id=run.pad)(theirs)
    scored = ours["input_ids"][ours["completion_mask"].bool()]
    assert scored.tolist() == (
        expected["input_ids"][expected["completion_mask"].bool()].tolist()
    )
    width = expected["input_ids"].shape[1]
    shown = expected["attention_mask"].bool()
    assert torch.equal(
        ours["input_ids"][:, :width][shown], expected["input_ids"][shown]
    )


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_that_the_model_before_training_is_the_base(judged, ready, method):
    run, trainer = ready(judged(method))
    assert list(run.model.peft_config) == ["default"]
    assert not any(".ref." in name for name, _ in run.model.named_parameters())
    batch = batch_of(run, trainer)
    if method == "dpo":
        # Nothing was learnt, so nothing is likelier than it was.
        loss = trainer.compute_loss(run.model, batch)
        assert loss.item() == pytest.approx(math.log(2), abs=1e-6)
    before = reference(trainer, run, batch)
    spoil(run)
    assert torch.equal(reference(trainer, run, batch), before)


def reference(trainer, run, batch):
    found = trainer.compute_ref_log_probs(run.model, batch)
    return torch.stack([each for each in found if each is not None])


def test_that_the_loss_of_pairs_is_that_of_the_paper(judged, ready):
    run, trainer = ready(judged("dpo", train__beta=0.3))
    spoil(run)
    run.model.eval()
    batch = batch_of(run, trainer)
    ids, mask = batch["input_ids"], batch["completion_mask"]

    def likelihood():
        with torch.no_grad():
            scores = run.model(input_ids=ids, attention_mask=batch["attention_mask"])
        each = scores.logits[:, :-1].log_softmax(-1)
        found = each.gather(2, ids[:, 1:, None])[..., 0]
        return (found * mask[:, 1:]).sum(1)

    with run.model.disable_adapter():
        base = likelihood()
    gained = likelihood() - base
    good, bad = gained.chunk(2)
    expected = -torch.nn.functional.logsigmoid(0.3 * (good - bad)).mean()
    with torch.no_grad():
        found = trainer.compute_loss(run.model, batch)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_that_the_loss_of_odds_is_that_of_trl(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.orpo.orpo_trainer import ORPOTrainer

    good = torch.tensor([-0.01, -0.5, -0.8, -3.0])
    bad = torch.tensor([-2.0, -0.6, -0.2, -0.001])
    trainer = SimpleNamespace(beta=0.7, accelerator=SimpleNamespace(device="cpu"))
    weighed = ORPOTrainer.odds_ratio_loss(trainer, good, bad)[0]
    torch.testing.assert_close(odds_ratio_losses(good, bad, 0.7), -good - weighed)


def test_that_certainty_has_a_loss_and_a_gradient():
    good = torch.tensor([0.0, -1e-9], requires_grad=True)
    losses = odds_ratio_losses(good, torch.tensor([-1.0, 0.0]), 0.1)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(good.grad).all()


def test_that_a_question_is_paired_with_another_rows_answer(judged, ready):
    run, trainer = ready(judged("kto", data__held_out=0.0))
    batch = batch_of(run, trainer, 3)
    own = said(run, batch["input_ids"], batch["completion_mask"])
    others = said(run, batch["KL_input_ids"], batch["KL_completion_mask"])
    assert others == [own[-1], *own[:-1]]
    asked = [run.tokenizer.decode(row) for row in batch["KL_input_ids"]]
    assert ["number 0?" in asked[0], "number 1?" in asked[2]] == [True, True]
    assert batch["label"].tolist() == [True, False, True]


def test_that_a_mismatched_row_is_cut_like_any_other():
    batch = RatedBatch(pad=0, length=5)(
        [
            {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, -100, 4], "label": True},
            {"input_ids": [5, 6, 7, 8], "labels": [-100, 6, 7, 8], "label": False},
        ]
    )
    assert batch["KL_input_ids"].tolist() == [[1, 2, 3, 6, 7], [5, 4, 0, 0, 0]]
    assert batch["KL_completion_mask"].tolist() == [[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]]


def test_that_the_rarer_verdict_weighs_as_much():
    assert balance(10, 40) == (1.0, pytest.approx(1 / 3))
    assert balance(30, 40) == (pytest.approx(1 / 3), 1.0)
    assert balance(4, 4) == (1.0, 1.0)


def test_that_long_answers_are_cut_and_pairs_without_one_are_left_out(judged, ready):
    rows = [*PAIRS, {**PAIRS[0], "rejected": "No. " * 200}]
    rows.append({**PAIRS[0], "prompt": "Why? " * 200})
    run, trainer = ready(judged("dpo", rows, data__held_out=0.0))
    assert len(run.data.training) == len(PAIRS) + 1
    batch = batch_of(run, trainer, len(run.data.training))
    assert batch["input_ids"].shape[1] == run.recipe.train.sequence_length


@pytest.mark.parametrize(
    ("method", "rows", "kind"),
    [
        ("dpo", RATED, "answers that were liked or not"),
        ("orpo", tiny.chats(12), "chats"),
        ("kto", PAIRS, "pairs of a better and a worse answer"),
    ],
)
def test_that_a_file_of_another_kind_is_refused(tmp_path, judged, method, rows, kind):
    code, events = train(new_run(tmp_path, judged(method, rows)))
    assert code == ExitCode.BAD_INPUT
    told = of_kind(events, RunFailed)[0]
    assert f"this file holds {kind}" in told.message
    assert "train.method" in told.advice


def test_that_answers_of_one_verdict_are_refused(tmp_path, judged):
    rows = [row for row in RATED if row["label"]]
    code, events = train(new_run(tmp_path, judged("kto", rows)))
    assert code == ExitCode.BAD_INPUT
    assert "same verdict" in of_kind(events, RunFailed)[0].message


def test_that_the_measured_loss_does_not_depend_on_batches(judged, ready):
    losses = []
    for together in (1, 3):
        recipe = judged("orpo", data__held_out=0.4, train__micro_batch=together)
        run, _ = ready(recipe)
        spoil(run, 0.05)
        run.evaluate(0)
        losses.append(run.losses[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_that_a_pair_is_compared_by_its_better_answer(judged, ready):
    run, _ = ready(judged("dpo", data__held_out=0.5))
    texts = list(held_out(run.data.held_out))
    assert len(texts) == len(run.data.held_out)
    said = [run.tokenizer.decode([t.ids[at] for at in t.places]) for t in texts]
    assert all("is a fine Brie." in each for each in said)
    assert not any("business" in run.tokenizer.decode(t.ids) for t in texts)


def test_that_a_pair_is_as_long_as_its_longer_answer():
    asked, short = Turn("user", "Why?"), Turn("assistant", "Ah.")
    long = Turn("assistant", "Because. " * 20)
    pairs = [
        Chat((asked, good), 1, rejected=(asked, bad))
        for good, bad in ((short, long), (long, short))
    ]
    assert {pair.characters() for pair in pairs} == {4 + 9 * 20}
