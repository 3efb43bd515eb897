"""Checkpoint folders: sealed, checked, rotated."""

import json

import pytest

from studio.storage.checkpoint_folders import (
    MANIFEST,
    Fingerprint,
    Found,
    Position,
    State,
    all_of,
    newest_whole,
    read,
    rotate,
    seal,
)

FINGERPRINT = Fingerprint(
    recipe="r", data="d", model="m", device="cpu", versions={"torch": "2"}
)


def make(parent, step):
    folder = parent / f"step-{step}"
    (folder / "more").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights %d" % step)
    (folder / "more" / "state.json").write_bytes(b"{}")
    seal(folder, step, FINGERPRINT)
    return folder


def test_that_a_sealed_folder_is_whole(tmp_path):
    folder = make(tmp_path, 3)
    found = read(folder)
    assert isinstance(found, Found)
    assert found.manifest.step == 3
    assert found.manifest.fingerprint == FINGERPRINT
    assert set(found.manifest.files) == {"weights.safetensors", "more/state.json"}


def test_that_a_manifest_tells_of_the_state(tmp_path):
    (tmp_path / "state.json").write_bytes(b"{}")
    state = State({"weights": ["bfloat16"]}, Position(1.5, 20, 40))
    seal(tmp_path, 3, FINGERPRINT, state)
    assert read(tmp_path).manifest.state == state


def test_that_a_manifest_of_before_is_whole(tmp_path):
    """As it was written before it told of tokens and of the state."""
    folder = make(tmp_path, 3)
    told = json.loads((folder / MANIFEST).read_bytes())
    del told["state"], told["fingerprint"]["tokens"]
    (folder / MANIFEST).write_text(json.dumps(told))
    found = read(folder)
    assert isinstance(found, Found)
    assert (found.manifest.state, found.manifest.fingerprint.tokens) == (None, None)


def test_that_what_a_later_manifest_tells_beside_is_no_fault(tmp_path):
    folder = make(tmp_path, 3)
    told = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(told | {"mood": "fine"}))
    assert isinstance(read(folder), Found)


def cut(folder):
    (folder / "weights.safetensors").write_bytes(b"weig")


def change(folder):
    file = folder / "weights.safetensors"
    file.write_bytes(file.read_bytes().replace(b"w", b"W"))


def lose(folder):
    (folder / "more" / "state.json").unlink()


def unseal(folder):
    (folder / MANIFEST).unlink()


def tear(folder):
    content = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(content[: len(content) // 2])


def lead_outside(folder):
    content = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(content.replace(b"more/state", b"../../state"))


def date_from_the_future(folder):
    content = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(content.replace(b'"form":1', b'"form":2'))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "holds 4 of the 9 bytes of weights.safetensors"),
        (change, "weights.safetensors that was changed or damaged"),
        (lose, "lacks more/state.json"),
        (unseal, "has no manifest"),
        (tear, "has a manifest that can't be read"),
        (lead_outside, "names a file outside of it"),
        (date_from_the_future, "was written by a newer Snugtune"),
    ],
)
def test_that_harm_is_told_and_the_one_before_is_taken(tmp_path, harm, words):
    make(tmp_path, 2)
    harm(make(tmp_path, 3))
    found, damaged = newest_whole(tmp_path)
    assert found is not None
    assert found.path.name == "step-2"
    [(name, fault)] = damaged
    assert name == "step-3"
    assert words in fault


def test_that_nothing_is_found_where_nothing_is(tmp_path):
    assert newest_whole(tmp_path / "none") == (None, [])
    (tmp_path / "step-x").mkdir()
    (tmp_path / ".step-4.unfinished-1").mkdir()
    assert newest_whole(tmp_path) == (None, [])


def test_that_steps_are_ordered_as_numbers(tmp_path):
    for step in (9, 10, 100):
        make(tmp_path, step)
    assert [step for step, _ in all_of(tmp_path)] == [9, 10, 100]


@pytest.mark.parametrize(
    ("keep", "spared", "left"),
    [
        (3, (), [3, 4, 5]),
        (3, (1,), [1, 3, 4, 5]),
        (0, (), [4, 5]),
        (9, (), [1, 2, 3, 4, 5]),
    ],
)
def test_that_the_earliest_go_but_never_below_two(tmp_path, keep, spared, left):
    for step in range(1, 6):
        make(tmp_path, step)
    gone = rotate(tmp_path, keep, spared)
    assert [step for step, _ in all_of(tmp_path)] == left
    assert sorted({*gone, *left}) == [1, 2, 3, 4, 5]
    assert not list(tmp_path.glob(".*"))


def test_that_two_whole_ones_stay_whatever_is_damaged(tmp_path):
    for step in range(1, 6):
        make(tmp_path, step)
    for step in (3, 5):
        change(tmp_path / f"step-{step}")
    assert rotate(tmp_path, 2) == [1]
    assert [step for step, _ in all_of(tmp_path)] == [2, 3, 4, 5]


def test_that_what_has_no_manifest_is_neither_counted_nor_removed(tmp_path):
    unseal(make(tmp_path, 1))
    for step in (2, 3, 4):
        make(tmp_path, step)
    assert rotate(tmp_path, 2) == [2]
    assert [step for step, _ in all_of(tmp_path)] == [1, 3, 4]
