import numpy as np
import pytest
from safetensors.numpy import save_file

from core.errors import DataError
from core.records import Graded, Message, Outcome, Query
from pipeline.table import load_table, save_table, table_of


def outcome(identity, *, weight=1.0, inclusion_probability=None, **quality):
    query = Query(id=identity, messages=(Message(role="user", content=f"Why {identity}?"),), topic="t")
    results = {model: Graded(quality=value) for model, value in quality.items()}
    return Outcome(query=query, results=results, weight=weight, inclusion_probability=inclusion_probability)


def test_an_absent_outcome_is_nan_and_a_pair_needs_both():
    table = table_of([outcome("1", cheap=0.5, dear=1.0), outcome("2", cheap=1.0)])

    assert table.models == ("cheap", "dear")
    assert np.isnan(table.quality[1, 1])
    assert table.has_pair("cheap", "dear").tolist() == [True, False]


def test_a_model_that_no_row_has_is_refused_with_those_that_exist():
    with pytest.raises(DataError, match="no outcome of model 'gpt-9'; the rows have cheap"):
        table_of([outcome("1", cheap=1.0)]).column("gpt-9")


def test_a_table_survives_the_round_trip(tmp_path):
    table = table_of([outcome("1", cheap=0.5, dear=1.0), outcome("ü", cheap=1.0)])
    save_table(table, tmp_path)
    again = load_table(tmp_path)

    assert again.texts == table.texts
    assert again.topics == table.topics
    assert again.models == table.models
    np.testing.assert_array_equal(again.quality, table.quality)
    np.testing.assert_array_equal(again.cost_usd, table.cost_usd)


def test_chosen_rows_keep_their_columns_aligned():
    table = table_of([outcome("1", cheap=0.5), outcome("2", cheap=0.25), outcome("3", cheap=0.0)])
    chosen = table.rows(np.array([False, True, True]))

    assert chosen.ids == ("2", "3")
    assert chosen.quality[:, 0].tolist() == [0.25, 0.0]


def test_weights_and_chances_of_inclusion_travel_with_their_rows(tmp_path):
    table = table_of(
        [outcome("1", cheap=1.0), outcome("2", weight=3.0, inclusion_probability=0.25, cheap=0.0)],
    ).rows(np.array([1, 0]))
    save_table(table, tmp_path)
    again = load_table(tmp_path)

    assert again.weight.tolist() == [3.0, 1.0]
    assert again.inclusion_probability[0] == 0.25
    assert np.isnan(again.inclusion_probability[1])


def test_a_table_saved_before_rows_had_weights_weighs_them_alike(tmp_path):
    table = table_of([outcome("1", weight=3.0, inclusion_probability=0.5, cheap=1.0), outcome("2", cheap=0.0)])
    save_table(table, tmp_path)
    before = {"quality": table.quality, "cost_usd": table.cost_usd}
    save_file(before, tmp_path / "values.safetensors", metadata={"models": '["cheap"]'})
    again = load_table(tmp_path)

    assert again.weight.tolist() == [1.0, 1.0]
    assert np.isnan(again.inclusion_probability).all()
