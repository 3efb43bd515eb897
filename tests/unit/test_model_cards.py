"""A model's folder tells its commit and its licence, or nothing."""

from pathlib import Path

import pytest

from studio.storage.model_cards import hub_commit, licence_in

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        (
            f"hub/models--some--model--7b/snapshots/{COMMIT}",
            ("some/model--7b", COMMIT),
        ),
        (f"hub/datasets--some--model/snapshots/{COMMIT}", None),
        ("hub/models--some--model/snapshots/main", None),
        ("models/my-model", None),
    ],
)
def test_that_a_commit_is_told_by_its_folder_alone(folder, found):
    assert hub_commit(Path(folder)) == found


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags:\n- x\n---\n# Model\n", "apache-2.0"),
        ('---\ntags: []\nlicense: "llama3.2"\n---\n', "llama3.2"),
        ("---\ntags: []\n---\nlicense: mit\n", ""),
        ("license: mit\n", ""),
        ("", ""),
    ],
)
def test_that_a_licence_stands_in_a_card_s_head(tmp_path, card, licence):
    (tmp_path / "README.md").write_text(card)
    assert licence_in(tmp_path) == licence


def test_that_a_folder_without_a_card_names_no_licence(tmp_path):
    assert licence_in(tmp_path) == ""
