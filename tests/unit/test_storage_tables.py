import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.errors import StudioError
from studio.storage.tables.opening import SUFFIXES, open_table

ROWS = [{"q": f"why {n}?", "a": f"so\n“{n}”, 'ä' 🧀"} for n in range(5000)]


def _csv(rows, separator):
    def quoted(text):
        return '"' + text.replace('"', '""') + '"'

    lines = [separator.join(["q", "a"])]
    lines += [separator.join([quoted(r["q"]), quoted(r["a"])]) for r in rows]
    return "\r\n".join(lines).encode()


def _write(path, rows):
    match path.suffix:
        case ".jsonl" | ".ndjson":
            text = "\n".join(json.dumps(row) for row in rows)
            path.write_text(text)
        case ".json":
            path.write_text(json.dumps(rows, indent=1, ensure_ascii=False))
        case ".csv":
            path.write_bytes(_csv(rows, ","))
        case ".tsv" | ".tab":
            path.write_bytes(_csv(rows, "\t"))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1500)
        case ".arrow":
            table = pa.Table.from_pylist(rows)
            with (
                pa.OSFile(str(path), "wb") as out,
                pa.ipc.new_stream(out, table.schema) as writer,
            ):
                writer.write_table(table)
        case ".feather":
            table = pa.Table.from_pylist(rows)
            with (
                pa.OSFile(str(path), "wb") as out,
                pa.ipc.new_file(out, table.schema) as writer,
            ):
                writer.write_table(table)
    return path


KINDS = [each for each in SUFFIXES if each not in {".txt", ".md"}]


@pytest.mark.parametrize("suffix", KINDS)
def test_that_rows_are_the_same_in_a_stream_and_by_place(tmp_path, suffix):
    table = open_table(_write(tmp_path / f"rows{suffix}", ROWS))
    read = list(table.rows())
    assert [row.value for row in read] == ROWS
    for at in (0, 1, 1023, 1024, 2500, 4999):
        assert table.row_at(read[at].place) == ROWS[at]
    assert table.size_bytes == table.path.stat().st_size


def test_that_lines_are_those_of_the_file(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text('q,a\n"one\nline","x"\n\n"two","y"\n')
    assert [row.line for row in open_table(file).rows()] == [2, 5]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_that_the_separator_is_found(tmp_path, separator):
    file = tmp_path / "rows.csv"
    file.write_bytes(_csv(ROWS[:5], separator))
    assert [row.value for row in open_table(file).rows()] == ROWS[:5]


def test_that_a_broken_quotation_costs_one_row(tmp_path):
    file = tmp_path / "rows.csv"
    good = [f"{n},fine {n}" for n in range(2000)]
    file.write_text("\n".join(["q,a", *good[:3], '"open,x', *good[3:], 'a"b,"c" d']))
    rows = list(open_table(file).rows())
    faults = [row.line for row in rows if row.fault]
    assert faults == [5, 2003]
    assert [row.value["q"] for row in rows if not row.fault] == [
        str(n) for n in range(2000)
    ]


def test_that_a_record_with_too_few_fields_is_told(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("q,a\nx,y\nonly\nx,y,z\n")
    faults = [row.fault for row in open_table(file).rows()]
    assert faults == [
        "",
        "has 1 field where the header has 2",
        "has 3 fields where the header has 2",
    ]


@pytest.mark.parametrize("header", ["q,q", "q,,"])
def test_that_columns_without_names_of_their_own_are_refused(tmp_path, header):
    file = tmp_path / "rows.csv"
    file.write_text(f"{header}\nx,y,z\n")
    with pytest.raises(StudioError) as refused:
        list(open_table(file).rows())
    assert refused.value.finding.code == "data.header"


def test_that_rows_within_an_object_are_found(tmp_path):
    file = tmp_path / "rows.json"
    for indent in (None, 2):
        file.write_text(json.dumps({"version": 1, "data": ROWS[:3]}, indent=indent))
        table = open_table(file)
        read = list(table.rows())
        assert [row.value for row in read] == ROWS[:3]
        assert table.row_at(read[2].place) == ROWS[2]


def test_that_one_object_is_one_row(tmp_path):
    file = tmp_path / "rows.json"
    row = {"messages": [{"role": "user", "content": "x"}]}
    file.write_text(json.dumps(row, indent=2))
    assert [r.value for r in open_table(file).rows()] == [row]


def test_that_a_document_is_cut_at_its_paragraphs_and_nothing_is_lost(tmp_path):
    file = tmp_path / "book.txt"
    paragraphs = [f"{n} " + "word " * 60 for n in range(40)]
    file.write_text("\n\n\n".join(paragraphs))
    table = open_table(file)
    rows = list(table.rows())
    words = " ".join(row.value["text"] for row in rows).split()
    assert words == " ".join(paragraphs).split()
    assert 5 < len(rows) < 20
    assert table.row_at(rows[3].place) == rows[3].value


def test_that_a_folder_is_one_table_in_the_order_of_names(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    _write(tmp_path / "b.jsonl", ROWS[:2])
    _write(tmp_path / "a.csv", ROWS[2:4])
    _write(tmp_path / "deep" / "c.parquet", ROWS[4:6])
    _write(tmp_path / ".hidden" / "d.jsonl", ROWS[6:8])
    (tmp_path / "notes.doc").write_text("no data")
    table = open_table(tmp_path)
    rows = list(table.rows())
    assert [row.value for row in rows] == [*ROWS[2:4], *ROWS[:2], *ROWS[4:6]]
    assert [row.file for row in rows[::2]] == ["a.csv", "b.jsonl", "deep/c.parquet"]
    assert all(row.place < 2**64 for row in rows)
    assert [table.row_at(row.place) for row in rows] == [row.value for row in rows]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x80\x04\x95rest", "pickle"),
    ],
)
def test_that_a_foreign_file_is_named(tmp_path, start, words):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(start + b"\0" * 100)
    with pytest.raises(StudioError, match=words):
        open_table(file)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_that_a_broken_table_is_refused_with_words(tmp_path, suffix):
    file = _write(tmp_path / f"rows{suffix}", ROWS)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(StudioError) as refused:
        list(open_table(file).rows())
    assert refused.value.finding.code == "data.columnar"


@given(st.binary(max_size=400), st.sampled_from(SUFFIXES))
def test_that_any_bytes_are_read_or_refused(tmp_path_factory, content, suffix):
    file = tmp_path_factory.mktemp("any") / f"rows{suffix}"
    file.write_bytes(content)
    refused = None
    try:
        rows = list(open_table(file).rows())
    except StudioError as fault:
        rows, refused = [], fault.finding
    assert all(row.line >= 1 for row in rows)
    assert refused is None or refused.how_to_fix


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=6), st.sampled_from([None, 2]))
def test_that_any_array_is_read_back(tmp_path_factory, values, indent):
    file = tmp_path_factory.mktemp("any") / "rows.json"
    file.write_text(json.dumps(values, indent=indent), encoding="utf-8")
    table = open_table(file)
    rows = list(table.rows())
    assert [row.value for row in rows] == values
    assert [table.row_at(row.place) for row in rows] == values
