"""What of a folder goes up to a hub, and how a card says what isn't proven."""

import json

import pytest

from studio.domain.errors import StudioError
from studio.domain.hub_names import branch_name, repository_name
from studio.engine.pushing.card import card_to_push
from studio.storage.push_files import Kind, Proof, artefacts_in, pushable

HEADER = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + b"\0"
ORIGIN = json.dumps({"run": "cheese-1", "format": "bf16", "adapter_sha256": "0"})
GREEN, RED = json.dumps({"proven": True}), json.dumps({"proven": False})


def folder_of(place, **files):
    place.mkdir(parents=True)
    for name, content in files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (place / name.replace("__", ".")).write_bytes(raw)
    return place


def merged(place, **files):
    known = {"model__safetensors": WEIGHTS, "config__json": "{}"}
    return folder_of(place, **known, snugtune__json=ORIGIN, **files)


def converted(place, **files):
    return folder_of(place, snugtune__json=ORIGIN, **files)


@pytest.mark.parametrize(
    ("files", "proof"),
    [
        ({}, Proof.MISSING),
        ({"parity__json": GREEN}, Proof.PROVEN),
        ({"parity__json": RED}, Proof.DIFFERS),
        ({"parity__json": '{"proven": 1}'}, Proof.DIFFERS),
        ({"parity__json": "no JSON"}, Proof.MISSING),
    ],
)
def test_that_a_model_is_proven_by_its_certificate_alone(tmp_path, files, proof):
    found = pushable(merged(tmp_path / "merged", **files))
    assert (found.kind, found.proof, found.run) == (Kind.MERGED, proof, "cheese-1")


@pytest.mark.parametrize(
    ("files", "proof"),
    [
        ({"a__parity__json": GREEN}, Proof.MISSING),
        ({"a__parity__json": GREEN, "b__parity__json": GREEN}, Proof.PROVEN),
        ({"a__parity__json": GREEN, "b__parity__json": RED}, Proof.DIFFERS),
        ({"parity__json": GREEN}, Proof.MISSING),
    ],
)
def test_that_each_gguf_file_needs_a_certificate(tmp_path, files, proof):
    models = {"a__gguf": b"GGUF....", "b__gguf": b"GGUF...."}
    found = pushable(converted(tmp_path / "gguf", **models, **files))
    assert (found.kind, found.proof) == (Kind.OTHER, proof)


@pytest.mark.parametrize(
    "files",
    [
        {"a__gguf": b"\x80\x04\x95."},
        {"a__gguf": b"GGUF", "notes__txt": b"PK\x03\x04"},
        {"a__gguf": b"GGUF", "b__safetensors": b"\x80\x04\x95." * 9},
        {"notes__txt": "no weights"},
    ],
)
def test_that_a_folder_is_refused_for_what_lies_in_it(tmp_path, files):
    with pytest.raises(StudioError) as refused:
        pushable(converted(tmp_path / "gguf", **files))
    assert refused.value.finding.how_to_fix


def test_that_a_run_of_all_weights_hands_on_its_model(tmp_path):
    files = {"model__safetensors": WEIGHTS, "config__json": "{}"}
    place = folder_of(tmp_path / "cheese-2" / "model", **files)
    with pytest.raises(StudioError):
        pushable(place)
    (tmp_path / "cheese-2" / "recipe.toml").write_text("")
    found = pushable(place)
    assert (found.kind, found.proof) == (Kind.WHOLE, Proof.NOT_NEEDED)
    assert found.run == "cheese-2"
    assert pushable(tmp_path / "cheese-2") == found


def test_that_a_checkpoint_is_no_artefact(tmp_path):
    files = {"adapter_config__json": "{}", "adapter_model__safetensors": WEIGHTS}
    place = folder_of(tmp_path / "step-4", manifest__json="{}", **files)
    with pytest.raises(StudioError) as refused:
        pushable(place)
    assert refused.value.finding.code == "push.checkpoint"


def test_that_hidden_and_half_written_artefacts_are_none(tmp_path):
    merged(tmp_path / "merged")
    merged(tmp_path / ".merged.unfinished-7")
    folder_of(tmp_path / "notes", a__txt="mine")
    assert [each.name for each in artefacts_in(tmp_path)] == ["merged"]


def test_that_a_proven_card_goes_up_as_it_is(tmp_path):
    artefact = pushable(merged(tmp_path / "merged", parity__json=GREEN))
    assert card_to_push(artefact) is None


@pytest.mark.parametrize("files", [{}, {"parity__json": RED}])
def test_that_a_card_which_says_so_is_left_alone(tmp_path, files):
    place = merged(tmp_path / "merged", **files)
    said = card_to_push(pushable(place))
    (place / "README.md").write_bytes(said)
    assert card_to_push(pushable(place)) is None


@pytest.mark.parametrize(
    ("card", "begins"),
    [
        ("", "# cheese-1\n\n## Certificate\n\n"),
        ("No title.\n", "# cheese-1\n\n## Certificate\n\n"),
        ("# Own\n\nMore.\n", "# Own\n\n## Certificate\n\n"),
        (
            "---\nlicense: mit\n---\n# Own\n\nMore.\n",
            "---\nlicense: mit\n---\n\n# Own\n\n## Certificate\n\n",
        ),
        ("---\nnever ends\n", "# cheese-1\n\n## Certificate\n\n"),
    ],
)
def test_that_a_card_keeps_its_title_and_front_matter(tmp_path, card, begins):
    place = merged(tmp_path / "merged", parity__json=RED, README__md=card)
    said = card_to_push(pushable(place)).decode()
    assert said.startswith(begins)
    assert said.count("doesn’t say") == 1
    assert card.rpartition("---\n")[2].strip().rpartition("\n")[2] in said


@pytest.mark.parametrize("word", ["me/cheese", "A.b_c/d-1", "me/x.y"])
def test_that_a_repositorys_name_is_taken(word):
    assert repository_name(f" {word} ") == word


@pytest.mark.parametrize(
    "word",
    ["", "me", "me/", "/x", "a/b/c", "me/a--b", "me/a..b", "me/a-", "me/é", "me/x.git"],
)
def test_that_what_the_hub_would_not_take_is_no_name(word):
    with pytest.raises(StudioError):
        repository_name(word)


@pytest.mark.parametrize("word", ["", "main", "v2", "try/one.two"])
def test_that_a_branch_is_a_word(word):
    assert branch_name(word) == word


@pytest.mark.parametrize("word", ["refs/pr/1", "a b", "-x", "a..b", "a/", "x.lock"])
def test_that_other_words_are_no_branch(word):
    with pytest.raises(StudioError):
        branch_name(word)
