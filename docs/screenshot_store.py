"""A small clinic's store, made by the same functions that people use: what docs/screenshots.py shows.

Every text is made up. The same seed gives the same clinic but for random ids.
"""

import json
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from core.access import Role
from core.people import actor_of, verify_identity
from core.store import create_tables, open_store, writing
from labeling.content.importing import ImportRules, import_pairs
from labeling.judging.ballots import Ballot, Choice, JudgingRules, Severity, SideMark
from labeling.judging.submitting import submit
from labeling.quality.guideline import Draft, acknowledge, publish
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import OfferRules, Task, next_task
from labeling.queueing.selecting import Request, select_audit

WEAK, STRONG = "coder-small", "coder-large"
START = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)

CASES = (
    ("gout of the left ankle after a diuretic", "M10.272", "M10.472", "Drug-induced gout, left ankle and foot."),
    ("type 2 diabetes with a foot ulcer", "E11.9", "E11.621", "The ulcer is part of the code; add L97 for its site."),
    ("acute cystitis with hematuria", "N30.01", "N30.01", "Acute cystitis with hematuria is one code."),
    ("pneumonia due to Hemophilus influenzae", "J18.9", "J14", "The organism is known, so J18.9 is too general."),
    ("fracture of the right radius, first visit", "S52.91XD", "S52.91XA", "First visit: the seventh character is A."),
    ("migraine with aura, not intractable", "G43.109", "G43.109", "No status migrainosus is documented."),
    (
        "hypertension with stage 3 kidney disease",
        "I10",
        "I12.9",
        "The guideline assumes the link; N18.30 gives the stage.",
    ),
    ("iron deficiency anemia from chronic bleeding", "D64.9", "D50.0", "Secondary to blood loss, chronic."),
    ("Crohn's disease of the small intestine", "K50.00", "K50.00", "Without complications, as documented."),
    (
        "sequelae of stroke: left hemiparesis, dominant",
        "I63.9",
        "I69.354",
        "The stroke is over; its sequelae are coded.",
    ),
)

GUIDELINE = """# How to judge a code

Judge the *code*, then the wording.

1. An answer is **acceptable for release** when its code is billable and as specific as the record allows.
2. A code that is right but not the most specific one is *not* acceptable where the record names the detail.
3. Prefer the answer that cites the right rule, if both codes are right.

| error | severity |
|---|---|
| wrong chapter | critical |
| missing laterality or seventh character | major |
| wording only | minor |
"""


def made_store(folder: Path) -> sa.Engine:
    """The clinic's store, in a new SQLite file below `folder`."""
    engine = open_store(f"sqlite:///{folder / 'clinic.db'}")
    create_tables(engine)
    now = START
    people = {
        "Dana Ruiz": (Role.ANNOTATOR,),
        "Lee Okafor": (Role.ANNOTATOR,),
        "Mei Tan": (Role.ANNOTATOR,),
        "Sam Roth": (Role.SENIOR,),
        "Ines Vidal": (Role.LEAD,),
        "Noor Haddad": (Role.STEWARD,),
        "Ada Quist": (Role.AUDITOR,),
        "Pat Admin": (Role.ADMIN,),
    }
    for name, roles in people.items():
        invite_expert(engine, name, roles=roles, by="setup", now=now)
    with writing(engine) as connection:
        admin = actor_of(connection, "Pat Admin", now=now)
        for name in ("Ines Vidal", "Sam Roth"):
            verify_identity(connection, name, by=admin, now=now)
        lead, senior = (actor_of(connection, name, now=now) for name in ("Ines Vidal", "Sam Roth"))
    draft = Draft(text=GUIDELINE, change="First version.")
    version = publish(engine, draft, by=lead, approved_by=senior, now=now).version
    for name in ("Dana Ruiz", "Lee Okafor", "Mei Tan", "Sam Roth"):
        acknowledge(engine, version, expert=name, now=now)
    _import(engine, now=now)
    _judge(engine, ("Dana Ruiz", "Lee Okafor", "Mei Tan"), n_each=70)
    select_audit(engine, Request(n=20, seed=7), actor=lead, now=now + timedelta(days=5))
    return engine


def _import(engine: sa.Engine, *, now: datetime) -> None:
    rows = []
    for number in range(160):
        words, weak, strong, why = CASES[number % len(CASES)]
        note = f"Visit {number + 1}. The patient presents with {words}. Which ICD-10-CM code applies?"
        if number in (31, 77, 120):
            note += " Call the daughter, Mrs. Abigail Thornton, at 555-013-8842."
        rows.append(
            {
                "id": f"visit-{number + 1:03}",
                "query": note,
                "domain": "medical-coding",
                "stakes": "high" if number % 3 else "low",
                "answers": {
                    WEAK: {"text": f"**{weak}**\n\nThis code covers {words.split(',')[0]}.", "cost_usd": 0.0004},
                    STRONG: {
                        "text": f"**{strong}**\n\n{why} The record supports it. No further code is needed.",
                        "cost_usd": 0.011,
                    },
                },
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        rules = ImportRules(weak=WEAK, strong=STRONG, overlap_high_stakes=2, overlap_low_stakes=2)
        import_pairs(engine, [path], by="Ines Vidal", now=now, rules=rules)


def _judge(engine: sa.Engine, names: tuple[str, ...], *, n_each: int) -> None:
    rng = random.Random(5)
    rules = JudgingRules("high_stakes", ("wrong code", "missing specificity"), ("wrong", "missing"))
    offers = OfferRules(gold_rate=0, repeat_rate=0.05, repeat_after=timedelta(days=1))
    now = START
    for _ in range(n_each):
        for place, name in enumerate(names):
            now += timedelta(minutes=rng.randint(9, 40))
            task = next_task(engine, name, rules=offers, now=now)
            if task is None:
                continue
            submit(engine, _ballot(task, rng, care=0.95 - 0.1 * place), expert=name, rules=rules, now=now)


def _ballot(task: Task, rng: random.Random, *, care: float) -> Ballot:
    """What an expert says who is right in this share of cases, and else leans to the left."""
    strong_left = "The record supports it" in task.left
    same_code = task.left.split("\n")[0] == task.right.split("\n")[0]
    ids = (task.assignment_id, task.revision)
    active_ms = rng.randint(25, 180) * 1000
    if same_code and rng.random() < care:
        return Ballot(*ids, Choice.BOTH_ACCEPTABLE, active_ms=active_ms, wall_ms=active_ms + 9000)
    picks_left = strong_left if rng.random() < care else rng.random() < 0.6
    weak_side = "right" if picks_left else "left"
    return Ballot(
        *ids,
        Choice.LEFT_BETTER if picks_left else Choice.RIGHT_BETTER,
        left_acceptable=picks_left,
        right_acceptable=not picks_left,
        strength=rng.choice((1, 2, 2, 3)),
        reason_codes=("wrong code",) if rng.random() < 0.6 else ("missing specificity",),
        marks=(SideMark(weak_side, 0, "wrong", Severity.MAJOR),) if rng.random() < 0.3 else (),
        active_ms=active_ms,
        wall_ms=active_ms + 9000,
    )
