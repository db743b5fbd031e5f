from assurance.bounds import binomial_interval
from assurance.overrides import Reviewed, overrides

ACCEPTED = Reviewed(machine_passed=False, expert_accepts=True, objections=("a",))
REFUSED = Reviewed(machine_passed=False, expert_accepts=False, objections=("a",))
MISSED = Reviewed(machine_passed=True, expert_accepts=False)


def test_an_expert_overrules_an_objection_by_accepting_and_a_pass_by_refusing():
    found = overrides([ACCEPTED] * 3 + [REFUSED._replace(objections=("a", "b"))] * 5 + [MISSED])

    assert (found.overall.n, found.overall.n_overridden) == (9, 4)
    assert (found.objected.n, found.objected.n_overridden) == (8, 3)
    assert (found.passed.n, found.passed.n_overridden) == (1, 1)
    assert (found.by_check["a"].n_overridden, found.by_check["b"].n_overridden) == (3, 0)


def test_the_intervals_are_exact():
    share = overrides([ACCEPTED] * 3 + [REFUSED] * 17).by_check["a"].share

    assert share == binomial_interval(3, 20)
    assert (round(share.low, 4), round(share.high, 4)) == (0.0321, 0.3789)


def test_nothing_reviewed_has_no_share():
    assert overrides([]).overall.share is None
