"""The strata of a certificate's rows as the gateway will form them: by the policy of stakes, which may only raise.

A row's own stakes stand for what a client's header would say. It changes no row, label or score.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from core.records import Stakes
from core.settings import RunSettings
from pipeline.table import OutcomeTable
from verifiers.stakes.deciding import StakesRequest, decide_stakes
from verifiers.stakes.sources import policy_in_force


def strata_in_force(settings: RunSettings, table: OutcomeTable, chosen: Bool[np.ndarray, " n"]) -> Sequence[str]:
    """The stratum of every row: of the chosen ones at the tier that the gateway would tell, where that is higher.

    A stratum that is not its row's domain and a tier was named by hand, and stays.

    Raises:
        SettingsError: the policy cannot be read.
    """
    policy = policy_in_force(settings.verifiers, settings.data.target_domains)
    strata = list(table.strata)
    for i in np.flatnonzero(chosen):
        domain, tier = table.domains[i], table.strata[i].removeprefix(f"{table.domains[i]}/")
        if tier == table.strata[i] or tier not in set(Stakes):
            continue
        told = decide_stakes(policy, StakesRequest(texts=(table.texts[i],), domain=domain, header=tier))
        strata[i] = f"{domain}/{max(told.stakes, Stakes(tier))}"
    return tuple(strata)
