import pytest
from safetensors.numpy import load_file, save_file

from studio.storage.safetensors_headers import read_header
from studio.storage.safetensors_writing import Announced, SafetensorsWriter

np = pytest.importorskip("numpy")
ONE, TWO = Announced("one", "F32", (2, 3), 24), Announced("two", "I64", (2,), 16)
ARRAYS = {
    "one": np.arange(6, dtype="float32").reshape(2, 3),
    "two": np.array([7, 8]),
}


def bytes_of(name):
    return memoryview(ARRAYS[name].tobytes())


def test_that_a_file_written_in_pieces_is_read_by_others(tmp_path):
    file = tmp_path / "model.safetensors"
    with SafetensorsWriter(file, [ONE, TWO]) as writer:
        whole = bytes_of("one")
        writer.write("one", [whole[:5], whole[5:]])
        writer.write("two", [bytes_of("two")])
    found = load_file(file)
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)
    header = read_header(file)
    assert list(header.tensors) == ["one", "two"]
    place = header.tensors["two"]
    assert (place.format, place.shape, place.size_bytes) == ("I64", (2,), 16)
    assert file.read_bytes()[place.begin : place.end] == bytes(bytes_of("two"))


def test_that_places_are_told_as_another_s_file_has_them(tmp_path):
    file = tmp_path / "model.safetensors"
    save_file(ARRAYS, file)
    for name, place in read_header(file).tensors.items():
        assert file.read_bytes()[place.begin : place.end] == bytes(bytes_of(name))


def test_that_another_s_turn_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="one with 24 bytes was due"),
        SafetensorsWriter(tmp_path / "a", [ONE, TWO]) as writer,
    ):
        writer.write("two", [bytes_of("two")])


def test_that_another_size_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="and one with 5 came"),
        SafetensorsWriter(tmp_path / "a", [ONE]) as writer,
    ):
        writer.write("one", [bytes_of("one")[:5]])


def test_that_what_was_announced_must_come(tmp_path):
    with (
        pytest.raises(ValueError, match="two was announced and not written"),
        SafetensorsWriter(tmp_path / "a", [ONE, TWO]) as writer,
    ):
        writer.write("one", [bytes_of("one")])


def test_that_a_file_that_is_there_is_kept(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(FileExistsError):
        SafetensorsWriter(tmp_path / "a", [])
    assert (tmp_path / "a").read_text() == "mine"
