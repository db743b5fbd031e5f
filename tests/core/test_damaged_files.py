import gzip

from core.reading import stream_rows


def test_an_archive_that_was_damaged_on_its_way_is_a_fault_and_not_a_crash(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    whole = bytearray(gzip.compress(b'{"a": 1}\n', mtime=0))
    whole[10] = 0xFF  # the first block is of a kind that does not exist
    path.write_bytes(whole)
    faults = []
    list(stream_rows(path, faults))

    assert [fault.split(" (")[0] for fault in faults] == [f"{path}: cannot be read as UTF-8 text"]


def test_a_line_of_brackets_is_a_fault_and_not_a_crash(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": ' + "[" * 200_000 + '\n{"a": 2}\n')
    faults = []
    rows = list(stream_rows(path, faults))

    assert [row.values for row in rows] == [{"a": 2}]
    assert [fault.split(" (")[0] for fault in faults] == [f"{path}:1: not JSON"]
