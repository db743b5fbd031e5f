from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import RunSettings, load_settings

MINIMAL = """
name: claims
pair:
  weak: {name: cheap}
  strong: {name: dear}
data:
  files: [outcomes.jsonl]
  target_domains: [oncology]
"""


def test_a_short_yaml_is_enough_and_the_rest_has_defaults(tmp_path):
    (tmp_path / "run.yaml").write_text(MINIMAL)
    settings = load_settings(tmp_path / "run.yaml")

    assert settings.pair.weak.name == "cheap"
    assert settings.threshold.share_strong == 0.3
    assert settings.bundle_reference == "models:/claims@champion"
    assert settings.source == tmp_path / "run.yaml"
    assert "source" not in settings.model_dump_json()


def test_all_faults_are_reported_at_once_with_their_values(tmp_path):
    text = MINIMAL.replace("name: claims", "name: Claims!") + "threshold: {share_strong: 2}\nsplitt: {}\nthreads: 0\n"
    (tmp_path / "run.yaml").write_text(text)

    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "run.yaml")
    message = str(caught.value)
    for part in ("name: ", "(got 'Claims!')", "threshold.share_strong", "(got 2)", "splitt: Extra", "threads"):
        assert part in message
    assert message.endswith("Every setting is listed in docs/settings.md.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{name: dear}", "{name: cheap}"), "weak and strong are both 'cheap'"),
        (("target_domains: [oncology]", "target_domains: []"), "data.target_domains"),
        (("[oncology]", "[oncology]\nsplit: {train: 0.9, calibrate: 0.2}"), "leaves no test rows"),
        (
            ("[oncology]", "[oncology]\n  certify_files: [audit.jsonl]\nsplit: {certify: 0.2}"),
            r"data.certify_files show the promise, so split.certify must be 0 \(got 0.2\)",
        ),
        (
            ("[oncology]", "[oncology]\nencoder: {runtime: static}\nrouter: {family: mf_encoder}"),
            "a static encoder has none; set encoder.runtime to onnx",
        ),
    ],
)
def test_settings_that_contradict_themselves_are_refused(tmp_path, change, message):
    (tmp_path / "run.yaml").write_text(MINIMAL.replace(*change))

    with pytest.raises(SettingsError, match=message):
        load_settings(tmp_path / "run.yaml")


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("- 1", "holds list, not settings")])
def test_a_file_that_is_not_settings_says_so(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)

    with pytest.raises(SettingsError, match=message):
        load_settings(tmp_path / "run.yaml")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "absent.yaml")


def test_every_setting_has_a_docstring():
    def undocumented(model, path):
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                yield from undocumented(inner, f"{path}.{name}")
            elif not field.description and name not in {"pair"}:
                yield f"{path}.{name}"

    assert list(undocumented(RunSettings, "run")) == []


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=str)
def test_every_yaml_in_configs_describes_a_run_and_begins_with_its_command(path):
    assert load_settings(path).name
    assert "preceptor run " + str(path) in path.read_text().splitlines()[0]


def test_a_setting_can_be_said_otherwise_and_is_checked_like_the_files_own(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(MINIMAL)

    said = load_settings(path, ["router.family=combined", "split.train=0.25", "data.files=[a.jsonl, b.jsonl]"])
    assert (said.router.family, said.split.train) == ("combined", 0.25)
    assert [file.name for file in said.data.files] == ["a.jsonl", "b.jsonl"]

    with pytest.raises(SettingsError, match=r"router\.familly: Extra inputs are not permitted"):
        load_settings(path, ["router.familly=mf"])
    with pytest.raises(SettingsError, match=r"'router' is no setting\. Write section\.key=value"):
        load_settings(path, ["router"])
    with pytest.raises(SettingsError, match=r"name is .*, which has no settings inside"):
        load_settings(path, ["name.first=x"])


def test_four_bit_weights_are_not_merged(tmp_path):
    (tmp_path / "run.yaml").write_text(MINIMAL + "training: {method: qlora}\nnetwork: {keep: merged}\n")

    with pytest.raises(SettingsError, match="qlora cannot keep merged weights, which 4 bits would round"):
        load_settings(tmp_path / "run.yaml")
