import gzip
import json

import pytest

from core.errors import DataError
from core.outcomes import read_outcomes
from core.records import Source


def write(path, rows):
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def qualities(outcome):
    return {model: graded.quality for model, graded in outcome.results.items()}


def test_the_outcomes_form_keeps_quality_text_cost_and_place(tmp_path):
    row = {
        "id": "q1",
        "query": [{"role": "system", "content": "You code."}, {"role": "user", "content": "Gout"}],
        "domain": "coding",
        "stratum": "coding/high",
        "group": "claim-7",
        "source": "expert",
        "results": {"cheap": {"quality": 0.5, "text": "M10.9", "cost_usd": 0.001}, "dear": {"quality": 1}},
    }
    (outcome,) = read_outcomes([write(tmp_path / "o.jsonl", [row])])

    assert outcome.query.text == "system: You code.\n\nuser: Gout"
    assert (outcome.query.stratum_name, outcome.query.group, outcome.source) == (
        "coding/high",
        "claim-7",
        Source.EXPERT,
    )
    assert qualities(outcome) == {"cheap": 0.5, "dear": 1.0}
    assert outcome.results["cheap"].cost_usd == 0.001


def test_the_results_form_of_public_sets_is_read_with_its_question_and_its_set_as_topic(tmp_path):
    row = {"id": "m/1", "source": "medqa", "question": "Why?", "results": {"a": {"correct": 1}, "b": {"correct": 0}}}
    (outcome,) = read_outcomes([write(tmp_path / "o.jsonl.gz", [row])])

    assert (outcome.query.text, outcome.query.topic, outcome.source) == ("Why?", "medqa", Source.REFERENCE)
    assert qualities(outcome) == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    ("winner", "expected"),
    [("model_a", (1, 0)), ("model_b", (0, 1)), ("tie", (1, 1)), ("tie (bothbad)", (0, 0))],
)
def test_a_preference_pair_becomes_two_qualities_and_both_bad_is_not_a_tie(tmp_path, winner, expected):
    row = {"id": "p", "query": "Why?", "model_a": "x", "model_b": "y", "winner": winner}
    (outcome,) = read_outcomes([write(tmp_path / "p.jsonl", [row])])

    assert tuple(qualities(outcome).values()) == expected


def test_both_routellm_csv_forms_are_read_and_contaminated_rows_left_out(tmp_path):
    theirs = "prompt,mixtral,gpt-4\nWhy?,True,False\n"
    tiers = 'subject,prompt,strong_correct,weak_correct,contaminated\nlaw,"two\nlines",1,0,0\nlaw,dropped,1,0,1\n'
    (own,) = read_outcomes([write(tmp_path / "own.csv", [theirs])])
    (tier,) = read_outcomes([write(tmp_path / "tiers.csv.gz", [tiers])])

    assert qualities(own) == {"mixtral": 1.0, "gpt-4": 0.0}
    assert qualities(tier) == {"strong": 1.0, "weak": 0.0}
    assert (tier.query.text, tier.query.topic) == ("two\nlines", "law")


def test_every_bad_row_is_named_with_file_and_line_and_nothing_is_read(tmp_path):
    good = {"id": "1", "query": "Why?", "results": {"a": {"quality": 1}}}
    path = write(
        tmp_path / "o.jsonl",
        [
            good,
            "{not json}\n",
            {"id": "2", "query": "Why?", "results": {"a": {"quality": 1.5}}},
            {"id": "3", "results": {"a": {"quality": 1}}},
            {"id": "4", "query": "Why?"},
            good,
            '{"id": "5", "query": "Why?", "results": {"a": {"quality": NaN}}}\n',
        ],
    )
    with pytest.raises(DataError) as caught:
        read_outcomes([path])
    assert [fault.split(": ")[0] for fault in caught.value.faults] == [f"{path}:2", f"{path}:7"]

    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for i, line in enumerate(lines, start=1) if i not in {2, 7}))
    with pytest.raises(DataError) as caught:
        read_outcomes([path])
    assert caught.value.faults == (
        f"{path}:2: quality: Input should be less than or equal to 1",
        f"{path}:3: no query: give 'query' as a text or as a list of {{role, content}}",
        f"{path}:4: no known form (it has id, query); "
        "a row needs 'results', or 'winner' with 'model_a' and 'model_b', or one true/false column per model",
        f"{path}:5: id '1' stands already at {path}:1",
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("o.txt", "x", "files end in .jsonl, .csv or .parquet"),
        ("o.jsonl", "", "the file holds no rows"),
        ("o.csv", "a,b\n1\n", "o.csv:2: fewer fields than the header has"),
        ("o.csv", "a,b\n1,2,3\n", "o.csv:2: more fields than the header has"),
        ("o.jsonl", "[1]\n", "a row is a JSON object, not list"),
    ],
)
def test_a_file_that_is_not_rows_is_refused_by_name(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        read_outcomes([write(tmp_path / name, [content])])


def test_the_faults_of_all_files_are_told_together(tmp_path):
    paths = [tmp_path / "absent.jsonl", write(tmp_path / "bad.jsonl", ["{\n"])]

    with pytest.raises(DataError) as caught:
        read_outcomes(paths)
    assert len(caught.value.faults) == 2


def test_parquet_rows_are_read_like_any_other(tmp_path):
    import pyarrow
    import pyarrow.parquet

    row = {"id": "1", "query": "Why?", "results": {"a": {"quality": 0.25}}}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "o.parquet")
    (outcome,) = read_outcomes([tmp_path / "o.parquet"])

    assert qualities(outcome) == {"a": 0.25}


PAIR = {"id": "p", "query": "Why?", "model_a": "x", "model_b": "y", "winner": "tie"}
RESULTS = {"id": "r", "query": "Why not?", "results": {"x": {"quality": 1}}}


def sampling(outcome):
    return outcome.weight, outcome.inclusion_probability


@pytest.mark.parametrize("row", [PAIR, RESULTS], ids=["pair", "results"])
def test_a_row_of_either_form_carries_its_weight_and_its_chance_of_inclusion(tmp_path, row):
    given = {**row, "weight": 2.5, "inclusion_probability": 0.125}
    (outcome,) = read_outcomes([write(tmp_path / "o.jsonl", [given])])

    assert sampling(outcome) == (2.5, 0.125)


def test_without_the_fields_or_with_empty_ones_a_row_counts_once_and_its_chance_is_not_known(tmp_path):
    empty = {**PAIR, "weight": None, "inclusion_probability": ""}
    outcomes = read_outcomes([write(tmp_path / "o.jsonl", [empty, RESULTS])])

    assert [sampling(outcome) for outcome in outcomes] == [(1.0, None), (1.0, None)]


def test_a_weight_column_of_ones_is_a_weight_and_not_a_model(tmp_path):
    theirs = "prompt,mixtral,gpt-4,weight,inclusion_probability\nWhy?,True,False,1,1\nWho?,True,True,0.5,\n"
    tiers = "prompt,strong_correct,weak_correct,weight\nWhat?,1,0,3\n"
    first, second = read_outcomes([write(tmp_path / "own.csv", [theirs])])
    (third,) = read_outcomes([write(tmp_path / "tiers.csv", [tiers])])

    assert list(qualities(first)) == ["mixtral", "gpt-4"]
    assert [sampling(outcome) for outcome in (first, second, third)] == [(1.0, 1.0), (0.5, None), (3.0, None)]


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("weight", 0, "weight: Input should be greater than 0"),
        ("weight", -1, "weight: Input should be greater than 0"),
        ("weight", "heavy", "weight: Input should be a valid number, unable to parse string as a number"),
        ("inclusion_probability", 0, "inclusion_probability: Input should be greater than 0"),
        ("inclusion_probability", 1.25, "inclusion_probability: Input should be less than or equal to 1"),
    ],
)
def test_a_weight_or_chance_out_of_range_is_named_with_file_and_line(tmp_path, field, value, fault):
    path = write(tmp_path / "o.jsonl", [RESULTS, {**PAIR, field: value}])

    with pytest.raises(DataError) as caught:
        read_outcomes([path])
    assert caught.value.faults == (f"{path}:2: {fault}",)


def test_a_weight_too_large_for_a_number_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"o\.jsonl:1: weight: Input should be a finite number"):
        read_outcomes(
            [write(tmp_path / "o.jsonl", ['{"id": "1", "query": "Why?", "weight": 1e999, "results": {"a": 1}}\n'])]
        )
