"""The mask that is shown is the mask that is trained, whatever the chat template.

On one side what show-rows tells, on the other the labels of the batches that the
trainer's own loader gives.
"""

import json

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from studio.domain.data_options import LossOn
from studio.domain.dataset import Chat, Turn
from studio.domain.token_view import TokenUse
from studio.engine.chat_rendering import IGNORED, RowMaker
from studio.engine.row_showing import view_of
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.data_words import heard_view, told_view
from studio.storage.chat_files import read_chats
from tests.engine import tiny
from tests.engine.helpers import recipe_for
from tests.engine.templates import ANSWER, CALL, FAMILIES, QUESTION
from tests.engine.test_options_reach_the_trainer import Built

LENGTH = 96
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {}}}


def message(role, content, **others):
    return {"role": role, "content": content, **others}


def rows_for(family):
    """One turn, several, some cut, some with a system turn or calls of tools."""
    one = [message("user", QUESTION), message("assistant", ANSWER)]
    more = [message("user", "And 8?"), message("assistant", "Aye, 8 is Brie.")]
    long = [message("user", QUESTION), message("assistant", "Aye, Brie. " * 40)]
    thinking = [
        message("user", QUESTION),
        message("assistant", "<think>\nA hard one.\n</think>\n\nAye, 7 is Brie."),
    ]
    chats = [one, one + more, long, one + more + one, thinking]
    if family.takes_system:
        chats += [[message("system", "Be a monger."), *chat] for chat in (one, more)]
    rows = [{"messages": chat} for chat in chats]
    if family.takes_tools:
        calling = [
            message("user", QUESTION),
            message("assistant", "", tool_calls=[CALL]),
        ]
        result = [message("tool", "Brie"), message("assistant", ANSWER)]
        rows += [
            {"messages": chat, "tools": [TOOL]} for chat in (calling, calling + result)
        ]
    return rows


@pytest.fixture
def model_of(tmp_path):
    def make(family):
        tokenizer = family.tokenizer()
        torch.manual_seed(0)
        shape = {**tiny.SHAPE, "vocab_size": len(tokenizer)}
        LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(tmp_path / "model")
        tokenizer.save_pretrained(tmp_path / "model")
        return tmp_path / "model"

    return make


def trained_labels(model, file, tmp_path, loss_on=LossOn.ANSWERS):
    """The labels of each row as its batch has them, by its tokens."""
    recipe = recipe_for(
        model,
        file,
        data__held_out=0.0,
        data__loss_on=loss_on,
        train__sequence_length=LENGTH,
        data__prompts=(),
    )
    built = Built(tmp_path, recipe)
    found = []
    for batch in built.trainer.get_train_dataloader():
        parts = (batch["input_ids"], batch["labels"], batch["attention_mask"])
        for ids, labels, mask in zip(*parts, strict=True):
            length = int(mask.sum())
            assert labels[length:].tolist() == [IGNORED] * (len(labels) - length)
            found.append((ids[:length].tolist(), labels[:length].tolist()))
    built.close()
    return found


def shown(model, file, loss_on=LossOn.ANSWERS):
    tokenizer = load_tokenizer(model)
    maker = RowMaker(tokenizer, loss_on)
    for chat in read_chats(file).chats:
        assert isinstance(chat, Chat)
        view = view_of(tokenizer, maker.row(chat), chat.line, LENGTH)
        yield heard_view(told_view(view, order=1))


@pytest.mark.parametrize("loss_on", LossOn)
@pytest.mark.parametrize("name", FAMILIES)
def test_that_the_mask_that_is_shown_is_trained(name, loss_on, model_of, tmp_path):
    family = FAMILIES[name]
    model = model_of(family)
    file = tiny.write_chats(tmp_path / "chats.jsonl", rows_for(family))
    told = shown(model, file, loss_on)
    views = [view for view in told if view.count(TokenUse.TRAINED)]
    trained = trained_labels(model, file, tmp_path, loss_on)
    assert len(trained) == len(views) >= 4
    left = list(trained)
    for view in views:
        kept = [token for token in view.tokens if token.use is not TokenUse.CUT]
        assert len(kept) == min(LENGTH, len(view.tokens))
        ids = [token.id for token in kept]
        labels = [
            token.id if token.use is TokenUse.TRAINED else IGNORED for token in kept
        ]
        row = next(row for row in left if row[0] == ids)
        left.remove(row)
        # The first token of a row is never predicted, whatever its label.
        assert row[1][1:] == labels[1:]
    assert left == []
    assert any(view.count(TokenUse.CUT) for view in views)


@pytest.mark.parametrize("name", FAMILIES)
def test_that_less_is_learnt_of_the_last_answer_and_all_of_everything(name):
    tokenizer = FAMILIES[name].tokenizer()
    turns = [("user", QUESTION), ("assistant", ANSWER), ("user", "And 8?")]
    turns.append(("assistant", "Aye, 8 is Brie."))
    talk = Chat(tuple(Turn(role, text) for role, text in turns), line=1)
    made = {each: RowMaker(tokenizer, each).row(talk) for each in LossOn}
    answers, last = made[LossOn.ANSWERS], made[LossOn.LAST_ANSWER]
    (stretch,) = last.trained
    assert len(answers.trained) == 2
    assert stretch == answers.trained[-1]
    words = tokenizer.decode(last.ids[slice(*stretch)])
    assert "8 is Brie" in words
    assert "number" not in words
    whole = made[LossOn.EVERYTHING]
    assert whole.training_row().labels == whole.ids
    assert last.ids == answers.ids == whole.ids


def test_that_a_text_is_trained_whole(model_of, tmp_path):
    model = model_of(FAMILIES["chatml"])
    file = tmp_path / "texts.jsonl"
    texts = [{"text": "A fine Brie. " * count} for count in (1, 3, 60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in texts))
    views = list(shown(model, file))
    trained = trained_labels(model, file, tmp_path)
    for view in views:
        kept = [token for token in view.tokens if token.use is not TokenUse.CUT]
        ids = [token.id for token in kept]
        labels = next(row[1] for row in trained if row[0] == ids)
        # The first token of a row is never predicted, whatever its label.
        assert labels[1 : len(ids)] == ids[1:]
        assert [token.use for token in kept[1:]] == [TokenUse.TRAINED] * (len(ids) - 1)
        assert kept[0].use is TokenUse.READ
