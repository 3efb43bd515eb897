"""The files that come with the program, in a checkout and in an installed wheel."""

import pytest

from studio.services import assets
from studio.system import resources


def test_that_a_checkout_has_its_files_beside_the_package():
    root = resources.resource_root()
    assert root.name == "resources"
    assert (root.parent / "studio").is_dir()


def test_that_an_installed_package_has_its_files_inside(tmp_path, monkeypatch):
    inside = tmp_path / "studio" / "_resources"
    inside.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "studio")
    assert resources.resource_root() == inside


def test_that_an_incomplete_installation_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "studio")
    with pytest.raises(FileNotFoundError, match="Install it again"):
        resources.resource_root()


def test_that_a_missing_file_is_named_with_a_remedy():
    with pytest.raises(FileNotFoundError, match=r"icons/unicorn\.svg is missing"):
        assets.icon_svg("unicorn")


def test_that_the_fonts_come_with_their_licence():
    fonts = assets.font_files()
    assert {path.suffix for path in fonts} == {".otf", ".ttf"}
    families = {path.stem.partition("-")[0] for path in fonts}
    for family in families:
        licence = fonts[0].parent / f"{family}-LICENSE.txt"
        assert "SIL OPEN FONT LICENSE" in licence.read_text(encoding="utf-8")


def test_that_the_bundled_files_stay_small():
    folder = assets.font_files()[0].parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3 * 1024**2
