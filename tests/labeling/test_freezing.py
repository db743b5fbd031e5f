import json
import shutil

import pytest
import sqlalchemy as sa

from core.errors import DataError, LedgerError, NotEnoughLabels, PreceptorError
from core.fingerprint import of_folder
from core.ledger import Ledger
from core.outcomes import read_outcomes
from core.records import Source
from core.store import writing
from labeling.frozen.freezing import freeze
from labeling.frozen.versions import open_version
from labeling.judging.submitting import retract
from labeling.tables import ITEMS, JUDGEMENTS, RETRACTIONS
from tests.labeling.conftest import STRONG, WEAK
from tests.labeling.voting import judge_six, two_experts, vote


@pytest.fixture
def dana(imported, clock):
    return two_experts(imported(6), clock)


@pytest.fixture
def judged(store, dana, clock):
    """Ids of the six queries, by how Dana judged them."""
    return judge_six(store, clock)


def qualities(path):
    return {
        one.query.id: (one.results[WEAK].quality, one.results[STRONG].quality, one.source)
        for one in read_outcomes([path])
    }


def test_outcomes_of_a_frozen_version_are_what_the_expert_said(store, judged, tmp_path, clock):
    dataset, is_new = freeze(store, "coding", tmp_path, by="lead", now=clock())
    found = qualities(tmp_path / "coding@1" / "outcomes.jsonl")

    assert (dataset.reference, is_new) == ("coding@1", True)
    assert found == {
        judged["strong"]: (0.0, 1.0, Source.EXPERT),
        judged["weak"]: (1.0, 0.0, Source.EXPERT),
        judged["both"]: (1.0, 1.0, Source.EXPERT),
        judged["neither"]: (0.0, 0.0, Source.EXPERT),
        judged["strong, weak acceptable"]: (1.0, 1.0, Source.EXPERT),
    }


def test_several_experts_are_averaged(store, dana, tmp_path, clock):
    first = vote(store, dana, clock, "both")
    assert vote(store, "Lee Okafor", clock, "strong") == first

    freeze(store, "coding", tmp_path, by="lead", now=clock())

    assert qualities(tmp_path / "coding@1" / "outcomes.jsonl") == {first: (0.5, 1.0, Source.EXPERT)}


def test_every_file_stands_in_the_manifest_with_its_hash(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    folder = tmp_path / "coding@1"
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    hashes = of_folder(folder)
    hashes.pop("MANIFEST.json")

    assert manifest["files"] == hashes
    assert set(hashes) == {
        "judgements.jsonl",
        "rulings.jsonl",
        "pairs.jsonl",
        "consensus.jsonl",
        "outcomes.jsonl",
        "audit.jsonl",
        "datasheet.md",
    }
    assert (manifest["counts"]["outcomes"], manifest["counts"]["cannot_judge"]) == (5, 1)
    assert Ledger(store).events(action="dataset.freeze")[0].subject == "coding@1"


def test_experts_appear_by_pseudonym(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())

    for path in (tmp_path / "coding@1").iterdir():
        assert "Dana" not in path.read_text(encoding="utf-8")


def test_freezing_again_without_news_gives_the_same_version(store, judged, tmp_path, clock):
    first, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    again, is_new = freeze(store, "coding", tmp_path, by="someone", now=clock())

    assert (again, is_new) == (first, False)
    assert len(Ledger(store).events(action="dataset.freeze")) == 1


def test_a_judgement_more_or_less_makes_a_new_version_and_leaves_the_old(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    before = of_folder(tmp_path / "coding@1")
    with store.connect() as connection:
        one = connection.execute(sa.select(JUDGEMENTS.c.id)).scalars().first()
    retract(store, one, expert="Dana Ruiz", now=clock())
    second, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())

    assert (second.reference, second.parent, len(second.judgements)) == ("coding@2", "coding@1", 5)
    assert of_folder(tmp_path / "coding@1") == before


def test_a_lost_folder_is_written_again_byte_for_byte(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    before = of_folder(tmp_path / "coding@1")
    shutil.rmtree(tmp_path / "coding@1")
    open_version(store, "coding@1", tmp_path)

    assert of_folder(tmp_path / "coding@1") == before


def alter(folder):
    path = folder / "outcomes.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("0.0", "1.0", 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (alter, "outcomes.jsonl: altered"),
        (lambda folder: (folder / "pairs.jsonl").unlink(), "pairs.jsonl: missing"),
        (lambda folder: (folder / "more.jsonl").write_text("{}"), "more.jsonl: not part of the version"),
        (lambda folder: (folder / "MANIFEST.json").write_text("{}"), "not the manifest that was frozen"),
    ],
)
def test_an_altered_version_is_refused(store, judged, tmp_path, clock, harm, sentence):
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    harm(tmp_path / "coding@1")

    with pytest.raises(DataError, match=sentence):
        open_version(store, "coding@1", tmp_path)


def test_a_text_changed_in_the_store_no_longer_gives_the_frozen_version(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    shutil.rmtree(tmp_path / "coding@1")
    with writing(store) as connection:
        connection.execute(ITEMS.update().values(domain="another"))

    with pytest.raises(DataError, match="no longer gives the content that was frozen"):
        open_version(store, "coding@1", tmp_path)


def flip(connection, one):
    connection.execute(
        JUDGEMENTS.update().where(JUDGEMENTS.c.id == one).values(first_acceptable=None, verdict="first_better")
    )


def hide(connection, one):
    connection.execute(RETRACTIONS.insert().values(judgement_id=one, reason="none", at="2026-11-24"))


@pytest.mark.parametrize(("harm", "word"), [(flip, "changed or added"), (hide, "removed")])
def test_a_judgement_changed_behind_the_screen_is_not_frozen(store, judged, tmp_path, clock, harm, word):
    with writing(store) as connection:
        one = connection.execute(sa.select(JUDGEMENTS.c.id).where(JUDGEMENTS.c.verdict == "both_acceptable")).scalar()
        harm(connection, one)

    with pytest.raises(LedgerError, match=word):
        freeze(store, "coding", tmp_path, by="lead", now=clock())


def test_a_retraction_removed_behind_the_screen_is_noticed(store, judged, tmp_path, clock):
    with store.connect() as connection:
        one = connection.execute(sa.select(JUDGEMENTS.c.id)).scalars().first()
    retract(store, one, expert="Dana Ruiz", now=clock())
    with writing(store) as connection:
        connection.execute(RETRACTIONS.delete())

    with pytest.raises(LedgerError, match="revived"):
        freeze(store, "coding", tmp_path, by="lead", now=clock())


def test_nothing_judged_is_refused(store, dana, tmp_path, clock):
    with pytest.raises(NotEnoughLabels, match="preceptor label serve"):
        freeze(store, "coding", tmp_path, by="lead", now=clock())


@pytest.mark.parametrize("name", ["", "../up", "a b", "a@1", ".hidden"])
def test_a_name_that_cannot_name_a_folder_is_refused(store, dana, tmp_path, clock, name):
    with pytest.raises(PreceptorError, match="cannot name a dataset"):
        freeze(store, name, tmp_path, by="lead", now=clock())


def test_an_unknown_version_lists_those_there_are(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())

    with pytest.raises(PreceptorError, match="The versions are: coding@1"):
        open_version(store, "coding@2", tmp_path)


def test_where_nothing_is_known_of_the_choice_nothing_is_said(store, judged, tmp_path, clock):
    freeze(store, "coding", tmp_path, by="lead", now=clock())

    for name in ("outcomes.jsonl", "pairs.jsonl"):
        for line in (tmp_path / "coding@1" / name).read_text(encoding="utf-8").splitlines():
            assert not {"weight", "inclusion_probability"} & set(json.loads(line))
