import gzip
import json

import pytest

from core.errors import DataError
from core.reading import read_rows, stream_rows


def test_rows_come_one_at_a_time_and_faults_are_told_on_the_way(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\nnot json\n\n[2]\n{"a": 3}\n')
    faults = []
    rows = stream_rows(path, faults)
    first = next(rows)
    n_then = len(faults)

    assert (first.place, first.values, n_then) == (f"{path}:1", {"a": 1}, 0)
    assert [row.place for row in rows] == [f"{path}:5"]
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:2", f"{path}:4"]


def test_a_file_with_a_fault_gives_no_rows_when_it_is_read_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\nnot json\n')

    with pytest.raises(DataError, match=r"rows\.jsonl:2: not JSON"):
        read_rows(path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("rows.txt", b"x", "files end in .jsonl, .csv or .parquet, not .txt"),
        ("rows.csv", b"a,b\n1,2,3\n", "2: more fields than the header has (2)"),
        ("rows.csv", b"a,b\n1\n", "2: fewer fields than the header has (2)"),
        ("rows.jsonl", b"\n", "the file holds no rows"),
        ("rows.jsonl", b"\xff\xfe", "cannot be read as UTF-8 text"),
        ("rows.jsonl.gz", gzip.compress(b'{"a": 1}\n', mtime=0)[:-4], "cannot be read as UTF-8 text"),
        ("rows.parquet", b"x", "not Parquet"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, fault):
    path = tmp_path / name
    path.write_bytes(content)
    faults = []
    list(stream_rows(path, faults))

    assert len(faults) == 1
    assert faults[0].startswith(f"{path}:")
    assert fault in faults[0]


def test_a_missing_file_is_named(tmp_path):
    faults = []

    assert list(stream_rows(tmp_path / "gone.csv", faults)) == []
    assert faults == [f"{tmp_path / 'gone.csv'}: no such file; relative paths start at the current folder"]


def test_parquet_and_gzipped_rows_are_the_same(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    values = [{"n": number} for number in range(2500)]
    parquet.write_table(pa.Table.from_pylist(values), tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in values).encode()))
    faults = []
    rows = [list(stream_rows(tmp_path / name, faults)) for name in ("rows.parquet", "rows.jsonl.gz")]

    assert [[row.values for row in one] for one in rows] == [values, values]
    assert rows[0][-1].place == f"{tmp_path / 'rows.parquet'}:2500"
    assert faults == []
