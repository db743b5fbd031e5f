"""What a report holds: one record per question it answers. Numbers and names only, never a query or an answer."""

from collections.abc import Mapping
from typing import Literal

from assurance.bands import CurveStudy
from assurance.bootstrap import Interval
from assurance.detection import Detection
from assurance.money import Savings
from assurance.reliability import CalibrationCheck
from core.certificate_record import Certificate
from core.records import Record
from pipeline.evaluation import Evaluation

LIMITS = (
    "The figures hold for queries like the test rows. Other departments, later months or other models need new rows.",
    "Quality is what the outcome rows say it is. Where a reference or a judge stood in for an expert, "
    "so do these figures.",
    "The strong model's own errors are not covered: answering always with it has the quality given above.",
)
"""What the report does not show, said in the report."""


class Curve(Record):
    """Points of a cost-quality curve, thinned for drawing."""

    share_strong: tuple[float, ...]
    quality: tuple[float, ...]


class Operating(Record):
    """What one threshold does on the test rows: a query goes to the strong model iff its probability >= threshold.

    `budget` is the share of strong calls that was asked for. `share_strong` is the share on the test rows, with its
    exact interval. `quality` is the mean quality of the routed answers, `random_quality` that of a coin with the same
    share. Costs are in USD per 1,000 queries, None where a cost is unknown.
    """

    threshold: float
    budget: float
    share_strong: Interval
    quality: float
    random_quality: float
    cost_usd_per_1000: float | None = None
    weak_cost_usd_per_1000: float | None = None
    strong_cost_usd_per_1000: float | None = None


class Slice(Record):
    """Test rows of one stratum, or of all (`stratum` is then ""), under the thresholds that a bundle would carry.

    `threshold` is None where every query goes to the strong model, and where thresholds differ by stratum.
    `routers` holds a study per router, the one in question first; empty where the rows are too few to show anything.
    `better_than` is APGR of the first less that of each other, paired; None where one has no value.
    `knee` is the point of the first router's curve farthest above a coin's line: share of strong calls, quality; None
    where no point is above it.
    `calibration` is None on slices too small.
    """

    stratum: str
    n: int
    weak_quality: Interval
    strong_quality: Interval
    threshold: float | None
    share_strong: Interval
    quality: Interval
    random_quality: float
    knee: tuple[float, float] | None = None
    routers: Mapping[str, CurveStudy] = {}
    better_than: Mapping[str, Interval | None] = {}
    calibration: CalibrationCheck | None = None


class DataFacts(Record):
    """The rows behind a run, counted. `datasheets` holds the datasheet of each frozen version read, by its name."""

    rows: int
    rows_with_both_models: int
    by_domain: Mapping[str, int]
    by_source: Mapping[str, int]
    mean_quality: Mapping[str, float]
    datasheets: Mapping[str, str] = {}


class ModelFacts(Record):
    """What decides, in names: the router, how it was adapted, what it reads, how scores become probabilities."""

    family: str
    method: str
    encoder: str
    calibrator: str
    verifier: str
    labels: int
    texts_cut: int = 0


class TauFacts(Record):
    """The suspicion above which a weak answer of a stratum ("" for all) does not leave; None: the classifier is off."""

    stratum: str
    tau: float | None


class RecheckFacts(Record):
    """What the recheck does to the `n` of `n_test` test rows that hold the weak answer's text.

    `catch` is the share of the wrong weak answers that the pack's free checks stop, `false_alarms` that of the
    acceptable ones; None without a pack. `escalated` is the share of the weak answers kept by the router that checks or
    classifier send on to the strong model. `suspicion` is the classifier on these rows, at the fixed threshold.
    """

    pack: str
    n: int
    n_test: int
    catch: Interval | None
    false_alarms: Interval | None
    escalated: Interval | None
    family: str | None
    suspicion: Detection | None
    taus: tuple[TauFacts, ...] = ()


class RunReport(Record):
    """All that a report says. The first router of `evaluation` is the one in question.

    `rows` counts rows per part of the split. `sources` counts rows per source of the outcomes (expert, reference,
    judge). `lineage` holds fingerprints and versions by name. `curves` holds a curve per router to be drawn, with
    `random` and `oracle` beside them. `evaluation` is None where no figure of a router has a value, as where the strong
    model is no better on the test rows.

    `overall` and `strata` say what the thresholds do, on all test rows and per stratum; strata with fewer than
    `min_slice_rows` rows are named in `small_strata`, and no curve of theirs is shown. `recheck` is None where settings
    ask for none; `escalation_is_measured` says whether the money counts what it sends on. `savings` is None where costs
    are not known, and `no_savings` then says why. `certificate` is None where none was asked for; `plan` says what one
    takes. Savings are of a day where `is_per_day`.
    """

    format: Literal["preceptor/report/2"] = "preceptor/report/2"
    name: str
    created: str
    target: str
    weak: str
    strong: str
    rows: Mapping[str, int]
    sources: Mapping[str, int] = {}
    evaluation: Evaluation | None
    calibration: CalibrationCheck
    operating: Operating
    curves: Mapping[str, Curve]
    lineage: Mapping[str, str]
    overall: Slice
    strata: tuple[Slice, ...] = ()
    small_strata: Mapping[str, int] = {}
    min_slice_rows: int = 30
    savings: Savings | None = None
    no_savings: str = ""
    is_per_day: bool = False
    escalation_is_measured: bool = False
    recheck: RecheckFacts | None = None
    certificate: Certificate | None = None
    plan: str = ""
    data: DataFacts | None = None
    model: ModelFacts | None = None
    limits: tuple[str, ...] = LIMITS
