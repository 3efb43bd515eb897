"""Rows held back by group, and rows of further files mixed in."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.data_checks.all_checks import CheckSettings
from studio.domain.data_options import DataOptions
from studio.domain.dataset import ChatFile, group_number, split_rows
from studio.domain.errors import StudioError
from studio.domain.finding import Severity, error
from studio.domain.mixing import (
    MixError,
    MixWord,
    mix_of,
    mixed_counts,
    mixed_finding,
    mixed_rows,
)
from studio.domain.recipe import Recipe
from studio.services.data_set_findings import set_findings
from studio.services.preflight import preflight
from studio.services.recommending import steps_of
from studio.storage import chat_files
from studio.storage.chat_files import StoredChats, read_chats
from studio.storage.data_digest import digest_of
from studio.storage.data_inspection import inspect_file
from studio.storage.data_reading import Choice
from studio.storage.data_sets import digest_of_data, read_data
from studio.storage.recipes import load_recipe, save_recipe
from studio.ui.pages.data.view_model import split_of
from studio.ui.pages.recipe.simple_rows import Split

SHARES = st.sampled_from([0.01, 0.05, 0.1, 0.2, 0.35, 0.5])
SEEDS = st.integers(0, 2**31 - 1)
NO_MODEL = error("model.none", "No model.")


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def asked(count, **columns):
    return [
        {
            "question": f"Question {n}?",
            "answer": f"Answer {n}.",
            **{name: value(n) for name, value in columns.items()},
        }
        for n in range(count)
    ]


def recipe_with(path, **options):
    recipe = Recipe().with_value("data.path", str(path))
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    return recipe


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), SHARES, SEEDS)
def test_that_no_group_stands_on_both_sides(groups, share, seed):
    trained, held = split_rows(len(groups), share, seed, groups)
    assert sorted([*trained, *held]) == list(range(len(groups)))
    assert not {groups[row] for row in trained} & {groups[row] for row in held}
    assert trained
    assert bool(held) == (len(set(groups)) > 1)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=80), SHARES, SEEDS)
def test_that_a_split_by_groups_is_near_the_share(groups, share, seed):
    _, held = split_rows(len(groups), share, seed, groups)
    sizes = Counter(groups)
    wanted = max(1, round(len(groups) * share))
    if len(held) > wanted:
        assert len(held) == min(sizes.values())
    elif held:
        inside = {groups[row] for row in held}
        room = wanted - len(held)
        assert all(size > room for group, size in sizes.items() if group not in inside)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), SHARES, SEEDS)
def test_that_a_split_hangs_on_who_belongs_together_not_on_their_names(
    groups, share, seed
):
    renamed = [group_number(f"author {group}", 0) for group in groups]
    assert split_rows(len(groups), share, seed, groups) == split_rows(
        len(groups), share, seed, renamed
    )


@given(st.integers(0, 60), SHARES, SEEDS)
def test_that_the_share_is_exact_when_each_row_is_its_own_group(rows, share, seed):
    _, held = split_rows(rows, share, seed, range(rows))
    assert len(held) == len(split_rows(rows, share, seed)[1])


def test_that_seeds_choose_different_groups():
    groups = [row // 4 for row in range(80)]
    chosen = {tuple(split_rows(80, 0.1, seed, groups)[1]) for seed in range(8)}
    assert len(chosen) > 4
    assert all(len(held) == 8 for held in chosen)


def test_that_an_example_carries_its_group(tmp_path):
    rows = [
        {"question": "a?", "answer": "b", "by": {"name": "Ann", "age": 3}},
        {"question": "c?", "answer": "d", "by": {"name": " Ann "}},
        {"question": "e?", "answer": "f", "by": {"name": 7}},
        {"question": "g?", "answer": "h"},
    ]
    file = read_chats(write_rows(tmp_path / "a.jsonl", rows), Choice(group="by.name"))
    assert [chat.group for chat in file.chats] == ["Ann", "Ann", "7", ""]
    first, second, third, fourth = file.groups
    assert first == second
    assert len({first, third, fourth}) == 3
    (finding,) = [f for f in file.findings if f.code == "data.group-missing"]
    assert finding.what.startswith("1 row has nothing")


def test_that_rows_without_a_group_are_never_one_group(tmp_path):
    rows = asked(6, author=lambda n: "" if n else "Ann")
    file = read_chats(write_rows(tmp_path / "a.jsonl", rows), Choice(group="author"))
    assert len(set(file.groups)) == 6


def test_that_a_large_file_is_split_by_the_same_groups(tmp_path, monkeypatch):
    path = write_rows(tmp_path / "a.jsonl", asked(60, author=lambda n: n % 7))
    kept = read_chats(path, Choice(group="author"))
    monkeypatch.setattr(chat_files, "KEPT_BYTES", 0)
    stored = read_chats(path, Choice(group="author"))
    assert isinstance(stored.chats, StoredChats)
    assert stored.split(0.2, 3) == kept.split(0.2, 3)
    assert stored.chats[9].group == "2"


def test_that_a_column_that_is_not_there_is_refused(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", asked(4))
    with pytest.raises(StudioError) as refused:
        read_data(DataOptions(path=str(path), group="author"))
    assert refused.value.finding.code == "data.group-missing"
    assert "question, answer" in refused.value.finding.why


def test_that_a_group_s_source_that_is_none_is_refused(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", asked(4))
    with pytest.raises(StudioError, match="brace"):
        read_data(DataOptions(path=str(path), group="{author"))


def told(file, recipe):
    return {finding.code: finding for finding in set_findings(recipe, file)}


def test_that_groups_larger_than_the_share_are_told(tmp_path):
    path = write_rows(
        tmp_path / "a.jsonl", asked(40, author=lambda n: "Ann" if n < 30 else str(n))
    )
    recipe = recipe_with(path, data__group="author", data__held_out=0.1)
    found = told(read_data(recipe.data), recipe)
    assert "30 of 40" in found["data.group-large"].why
    assert found["data.group-large"].severity is Severity.INFO
    assert "data.held-out-off" not in found


def test_that_a_share_that_groups_do_not_reach_is_told(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", asked(40, author=lambda n: n % 4))
    recipe = recipe_with(path, data__group="author", data__held_out=0.05)
    found = told(read_data(recipe.data), recipe)
    assert found["data.held-out-off"].what == (
        "10 of 40 rows are held back, and 2 were asked for."
    )


def test_that_a_single_group_can_not_be_held_back(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", asked(9, author=lambda _: "Ann"))
    recipe = recipe_with(path, data__group="author")
    found = told(read_data(recipe.data), recipe)
    assert "All rows share one “author”" in found["data.nothing-held-out"].what


# --- mixing


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("general.jsonl", "not of the form"),
        ("=0.2", "not of the form"),
        ("a.jsonl=much", "no share"),
        ("a.jsonl=0", "no share"),
        ("a.jsonl=-0.1", "no share"),
        ("a.jsonl=1", "no share"),
        ("a.jsonl=nan", "no share"),
        ("a.jsonl=inf", "no share"),
    ],
)
def test_that_a_word_that_is_no_mix_is_refused(word, says):
    with pytest.raises(MixError, match=says):
        mix_of((word,))


def test_that_shares_leave_room_for_the_data_file():
    assert mix_of(("a=0.5", "b=0.4"))
    with pytest.raises(MixError, match=r"add up to 1"):
        mix_of(("a=0.5", "b=0.5"))


def test_that_a_path_may_hold_an_equals_sign():
    (mix,) = mix_of(("/data/x=1/rows.jsonl=0.25",))
    assert mix == MixWord("/data/x=1/rows.jsonl", 0.25)
    assert mix_of((mix.word(),)) == (mix,)


def test_that_counts_are_shares_of_the_whole():
    mix = (MixWord("a", 0.2), MixWord("b", 0.3))
    first, second = mixed_counts(50, mix, (1000, 7))
    assert (first.taken, second.taken) == (20, 30)  # of 100
    assert not first.repeats
    assert second.repeats


@given(
    st.integers(1, 10_000),
    st.lists(st.floats(0.01, 0.3), min_size=1, max_size=3),
    st.integers(1, 50),
)
def test_that_shares_come_out_as_wanted_but_for_rounding(rows, shares, size):
    mix = [MixWord(str(n), share) for n, share in enumerate(shares)]
    counts = mixed_counts(rows, mix, [size] * len(mix))
    whole = rows + sum(each.taken for each in counts)
    for each in counts:
        assert each.taken >= 1
        assert abs(each.taken - whole * each.share) <= 1 + len(mix)


@given(st.integers(1, 40), st.integers(0, 130), SEEDS)
def test_that_no_row_is_drawn_again_before_all_were_drawn(there, taken, seed):
    rows = mixed_rows(there, taken, seed, 0)
    assert len(rows) == taken
    assert rows == sorted(rows)
    times = Counter(rows)
    assert set(times) <= set(range(there))
    least = min((times[row] for row in range(there)), default=0)
    assert max(times.values(), default=0) - least <= 1


def test_that_rows_are_drawn_by_seed_and_place():
    drawn = mixed_rows(100, 20, 1, 0)
    assert mixed_rows(100, 20, 1, 0) == drawn
    assert mixed_rows(100, 20, 2, 0) != drawn
    assert mixed_rows(100, 20, 1, 1) != drawn


def mixed_set(tmp_path, main=30, general=100, share=0.25):
    path = write_rows(tmp_path / "main.jsonl", asked(main))
    other = write_rows(tmp_path / "general.jsonl", asked(general))
    return recipe_with(path, data__mix=(f"{other}={share}",), data__held_out=0.1)


def test_that_everybody_counts_the_same_rows(tmp_path):
    recipe = mixed_set(tmp_path)
    file = read_data(recipe.data)
    assert isinstance(file, ChatFile)
    rows = file.training_rows(recipe.data.held_out, recipe.train.seed)
    assert rows == 27 + 9
    assert steps_of(recipe, file) == recipe.total_steps(36)
    assert Split.of(recipe, file) == Split(36, 3)
    assert len(split_of(file, recipe).held_out) == 3


def test_that_preflight_tells_what_is_mixed_in(tmp_path):
    recipe = mixed_set(tmp_path)
    found = preflight(recipe, NO_MODEL, None, None, read_data(recipe.data))
    (mixed,) = [f for f in found if f.code == "data.mixed"]
    assert (
        mixed.what
        == "9 rows of general.jsonl are mixed in, 25% of the rows trained on."
    )


@pytest.mark.parametrize(
    ("method", "code"), [("sft", "data.chosen-alone"), ("kto", "data.other-method")]
)
def test_that_preflight_tells_whether_a_method_uses_the_file(tmp_path, method, code):
    rows = [{"prompt": f"{n}?", "chosen": "Aye", "rejected": "Nay"} for n in range(9)]
    path = write_rows(tmp_path / "pairs.jsonl", rows)
    recipe = recipe_with(path, train__method=method)
    found = preflight(recipe, NO_MODEL, None, None, read_data(recipe.data))
    assert code in {finding.code for finding in found}


def test_that_a_file_that_is_too_small_is_told(tmp_path):
    recipe = mixed_set(tmp_path, general=4)
    (counted,) = read_data(recipe.data).mixed_counts(0.1, 42)
    finding = mixed_finding(counted)
    assert finding.code == "data.mix-repeats"
    assert "up to 3 times" in finding.why


def test_that_what_is_wrong_with_a_further_file_names_it(tmp_path):
    recipe = mixed_set(tmp_path)
    with (tmp_path / "general.jsonl").open("a") as file:
        file.write("not json\n")
    (finding,) = read_data(recipe.data).findings
    assert finding.what.startswith("general.jsonl, mixed in: Line 101 is not valid")


@pytest.mark.parametrize("content", [None, "", "\x00\x01"])
def test_that_a_further_file_that_can_not_be_read_is_refused(tmp_path, content):
    recipe = mixed_set(tmp_path)
    other = tmp_path / "general.jsonl"
    other.unlink() if content is None else other.write_text(content)
    with pytest.raises(StudioError, match=r"general\.jsonl, mixed in: "):
        read_data(recipe.data)


def test_that_the_digest_covers_all_files(tmp_path):
    recipe = mixed_set(tmp_path)
    first = digest_of_data(recipe.data)
    assert first != digest_of(tmp_path / "main.jsonl")
    alone = DataOptions(path=recipe.data.path)
    assert digest_of_data(alone) == digest_of(tmp_path / "main.jsonl")
    write_rows(tmp_path / "general.jsonl", asked(99))
    assert digest_of_data(recipe.data) != first


def test_that_a_recipe_s_own_folder_is_where_its_files_are(tmp_path):
    recipe = recipe_with("main.jsonl", data__mix=("general.jsonl=0.25",))
    save_recipe(tmp_path / "recipe.toml", recipe)
    found = load_recipe(tmp_path / "recipe.toml")
    assert found.data.mix == (f"{tmp_path / 'general.jsonl'}=0.25",)


def test_that_a_mix_that_is_none_is_refused_where_data_is_read(tmp_path):
    path = write_rows(tmp_path / "main.jsonl", asked(4))
    recipe = recipe_with(path, data__mix=("general.jsonl",))
    save_recipe(tmp_path / "recipe.toml", recipe)
    with pytest.raises(StudioError, match="file=share"):
        read_data(load_recipe(tmp_path / "recipe.toml").data)


def test_that_rejected_drafts_are_left_out_and_open_ones_told(tmp_path):
    source = {"file": "a.md", "passage_sha256": "0"}
    rows = [
        {**row, "source": source, "review": review}
        for row, review in zip(
            asked(4), ["open", "accepted", "rejected", "open"], strict=True
        )
    ]
    file = read_chats(write_rows(tmp_path / "drafts.jsonl", rows))
    assert [chat.review for chat in file.chats] == ["open", "accepted", "open"]
    assert file.left_out == 1
    whats = [finding.what for finding in file.findings]
    assert "Line 3 was rejected in review." in whats
    assert "2 drafts are not reviewed yet." in whats


def test_that_a_column_called_review_makes_no_draft(tmp_path):
    rows = asked(3, review=lambda _: "rejected", source=lambda _: "shop")
    file = read_chats(write_rows(tmp_path / "reviews.jsonl", rows))
    assert len(file.chats) == 3
    assert file.findings == ()


def inspected(path, **settings):
    return {
        finding.code: finding
        for finding in inspect_file(
            path,
            Choice(group=settings.pop("group", "")),
            CheckSettings(sequence_length=1024, **settings),
        ).findings
    }


def test_that_the_report_tells_open_and_rejected_drafts(tmp_path):
    source = {"file": "a.md", "passage_sha256": "0"}
    rows = [
        {**row, "source": source, "review": review}
        for row, review in zip(
            asked(12), ["open", "accepted", "rejected"] * 4, strict=True
        )
    ]
    found = inspected(write_rows(tmp_path / "drafts.jsonl", rows))
    assert found["data.unreviewed"].count == 4
    assert found["data.unreviewed"].rows == (1, 4, 7, 10)
    assert found["data.rejected"].count == 4
    assert found["data.rejected"].severity is Severity.INFO


def test_that_the_overlap_is_that_of_the_groups_that_are_held_out(tmp_path):
    # Every row twice, once by each author: whole authors held back always overlap.
    rows = [
        {"question": f"Is {n} even?", "answer": f"See {n}.", "author": author}
        for author in range(2)
        for n in range(20)
    ]
    path = write_rows(tmp_path / "a.jsonl", rows)
    found = inspected(path, group="author", held_out=0.5, seed=3)
    assert found["data.overlap"].count == 20
    by_row = [{**row, "author": row["question"]} for row in rows]
    path = write_rows(tmp_path / "b.jsonl", by_row)
    assert "data.overlap" not in inspected(path, group="author", held_out=0.5, seed=3)
