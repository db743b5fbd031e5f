import pytest

from core.errors import SettingsError
from pipeline.engine import Stage, Watcher, plan, run_stages


def chain(log, settings, *, fail_at=None):
    """Three stages, each of which writes what it read plus its own name."""

    def action(name):
        def run(work):
            if name == fail_at:
                (work.out / "half.txt").write_text("half")
                raise RuntimeError("killed")
            before = "".join((folder / "out.txt").read_text() for folder in work.inputs.values())
            (work.out / "out.txt").write_text(before + name + str(settings[name]))
            log.append(name)

        return run

    reads = {"a": (), "b": ("a",), "c": ("b",)}
    return [Stage(name, name, action(name), lambda name=name: settings[name], reads[name]) for name in "abc"]


def run(tmp_path, log, settings, **options):
    start_from = options.pop("start_from", None)
    stages = chain(log, settings, **options)
    return run_stages(plan(stages, tmp_path, start_from=start_from), tmp_path, Watcher())


def test_a_second_run_with_the_same_inputs_runs_nothing(tmp_path):
    log = []
    settings = {"a": 1, "b": 2, "c": 3}

    assert run(tmp_path, log, settings) == ["a", "b", "c"]
    assert run(tmp_path, log, settings) == []
    assert (tmp_path / "c" / "out.txt").read_text() == "a1b2c3"


def test_a_changed_setting_runs_its_stage_and_those_that_read_it(tmp_path):
    log = []
    run(tmp_path, log, {"a": 1, "b": 2, "c": 3})

    assert run(tmp_path, log, {"a": 1, "b": 9, "c": 3}) == ["b", "c"]
    assert (tmp_path / "c" / "out.txt").read_text() == "a1b9c3"


def test_a_killed_run_goes_on_at_the_stage_that_was_killed(tmp_path):
    log = []
    settings = {"a": 1, "b": 2, "c": 3}
    with pytest.raises(RuntimeError):
        run(tmp_path, log, settings, fail_at="b")

    assert not (tmp_path / "b").exists()
    assert run(tmp_path, log, settings) == ["b", "c"]
    assert not (tmp_path / "b" / "half.txt").exists()


def test_an_altered_output_is_made_again(tmp_path):
    log = []
    settings = {"a": 1, "b": 2, "c": 3}
    run(tmp_path, log, settings)
    (tmp_path / "b" / "out.txt").write_text("tampered")

    assert [item.reason for item in plan(chain(log, settings), tmp_path)] == [
        "inputs unchanged",
        "outputs were altered",
        "inputs unchanged",
    ]


def test_from_runs_that_stage_and_all_after_it(tmp_path):
    log = []
    settings = {"a": 1, "b": 2, "c": 3}
    run(tmp_path, log, settings)

    assert run(tmp_path, log, settings, start_from="b") == ["b", "c"]


def test_from_an_unknown_stage_lists_the_stages(tmp_path):
    with pytest.raises(SettingsError, match=r"There is no stage 'train'. The stages are a, b, c."):
        plan(chain([], {"a": 1, "b": 2, "c": 3}), tmp_path, start_from="train")
