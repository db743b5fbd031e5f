"""Checks that ask a model, or read what one gave: log-probabilities, samples, a second model, a judge, their stack."""

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "doubt.logprobs": "verifiers.doubt.logprobs:AnswerLogprobs",
    "doubt.samples": "verifiers.doubt.samples:SelfAgreement",
    "doubt.second_model": "verifiers.doubt.second_model:SecondModelAgrees",
    "doubt.judge": "verifiers.doubt.judge:JudgeAccepts",
    "doubt.suspicion": "verifiers.doubt.suspicion:SuspicionIsLow",
}
"""Where each check lives; a pack names the id."""
