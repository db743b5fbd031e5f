"""The demo's two models: programs that really read a coding prompt and really answer it.

They stand in for a cheap and an expensive language model, so that the demo needs no key and no network.
Neither is tuned to fail: each does what it can.

- `CheapCoder` looks the diagnosis's words up in the candidates' descriptions. It cannot know that fear of women is
  gynephobia.
- `CarefulCoder` also reads every *other* official term for the candidates, by meaning (MiniLM) and by letters, asks
  under which descriptions the category files similar terms, and knows the conventions for NOS, sides and phases of
  care. It never reads an index entry that says what the diagnosis says: see `CarefulCoder.index_entries`.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from examples.medical_coding.code_set import CodeSet, normalised
from examples.medical_coding.shorthand import expand
from examples.medical_coding.wording import (
    RareWords,
    contradictions,
    letters_in_common,
    share_covered,
    share_not_said,
)

Embed = Callable[[Sequence[str]], Float[np.ndarray, "n d"]]
"""Turns texts into unit vectors."""

_DIAGNOSIS = re.compile(r"Code this diagnosis in ICD-10-CM:[ ]*(.+)")
_CANDIDATE = re.compile(r"^([A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]{1,4})?) .+$", re.MULTILINE)

N_NEIGHBOURS = 5
"""Similar terms of the category that the careful coder consults."""

WEIGHTS = np.array([1.9, 1.4, 1.2, 0.6, 0.3, 2.4, -0.9, -1.2, -0.9, 1.3, 0.4, 2.0, 1.9, 3.2])
"""Weights of the evidence in `CarefulCoder.evidence`, fitted once on general chapters and rounded."""


class Coder(Protocol):
    """Answers a coding prompt in prose."""

    name: str

    def answer(self, prompt: str) -> str:
        """One code and one sentence of rationale, or why there is none."""
        ...


class CodingPrompt(NamedTuple):
    """What a prompt asks."""

    diagnosis: str
    codes: tuple[str, ...]
    descriptions: tuple[str, ...]


def read_prompt(prompt: str, code_set: CodeSet) -> CodingPrompt | None:
    """The diagnosis and the candidates with their whole descriptions; None where the prompt holds no such thing."""
    diagnosis = _DIAGNOSIS.search(prompt)
    codes = tuple(code for code in _CANDIDATE.findall(prompt) if code in code_set.descriptions)
    if diagnosis is None or not codes:
        return None
    return CodingPrompt(diagnosis[1].strip(), codes, tuple(code_set.descriptions[code] for code in codes))


class CheapCoder:
    """A lookup: the candidate whose description shares the most telling words with the diagnosis."""

    name = "cheap-coder"

    def __init__(self, code_set: CodeSet) -> None:
        self._code_set = code_set
        self._words = RareWords(code_set.descriptions.values())

    def answer(self, prompt: str) -> str:
        """The best match in prose; the first candidate where no word matches."""
        asked = read_prompt(prompt, self._code_set)
        if asked is None:
            return "I see no diagnosis with candidate codes in this message, so I propose none."
        similarities = [self._words.similarity(asked.diagnosis, text) for text in asked.descriptions]
        best = int(np.argmax(similarities))
        shared = self._words.shared(asked.diagnosis, asked.descriptions[best])
        why = f"shares the words {', '.join(shared)} with the diagnosis" if shared else "was the first on the list"
        return f"Code: {asked.codes[best]}. Its description, {asked.descriptions[best]}, {why}."


class CarefulCoder:
    """A retriever: every other official term for the candidates, by meaning and by letters, then the conventions."""

    name = "careful-coder"

    def __init__(self, code_set: CodeSet, embed: Embed) -> None:
        self._code_set = code_set
        self._embed = embed
        self._words = RareWords(code_set.descriptions.values())
        self._in_category: dict[str, list[str]] = {}
        for code in code_set.billable:
            if code_set.other_terms(code):
                self._in_category.setdefault(code[:3], []).append(code)

    def answer(self, prompt: str) -> str:
        """The best candidate in prose, with the index entry that spoke for it."""
        asked = read_prompt(prompt, self._code_set)
        if asked is None:
            return "I see no diagnosis with candidate codes in this message, so I propose none."
        asked = asked._replace(diagnosis=expand(asked.diagnosis))
        evidence, closest = self.evidence(asked)
        best = int(np.argmax(evidence @ WEIGHTS))
        code, description, entry = asked.codes[best], asked.descriptions[best], closest[best]
        if entry == description:
            return f"Code: {code}. Of the candidates, its description, {description}, is closest in meaning."
        return f"Code: {code}. The index lists '{entry}' under {description}, which is closest in meaning."

    def index_entries(self, code: str, diagnosis: str) -> tuple[str, ...]:
        """The official terms for a code other than its description, less those that read like the diagnosis.

        The diagnosis may itself be an official term; reading it here would be reading the answer from its label.
        """
        asked = normalised(diagnosis)
        return tuple(term for term in self._code_set.other_terms(code) if normalised(term) != asked)

    def evidence(self, asked: CodingPrompt) -> tuple[Float[np.ndarray, "candidates kinds"], tuple[str, ...]]:
        """Per candidate, what speaks for it (see the comments), and its entry closest to the diagnosis."""
        similar_terms = self._similar_terms(asked)
        entries = [
            (text, *self.index_entries(code, asked.diagnosis))
            for code, text in zip(asked.codes, asked.descriptions, strict=True)
        ]
        titles = [self._code_set.categories.get(code[:3], "") for code in asked.codes]
        vectors = self._vectors([asked.diagnosis, *titles, *(text for group in entries for text in group)])
        query = vectors[asked.diagnosis]
        by_analogy, nearest = self._by_analogy(asked, similar_terms, query)
        said = set(normalised(asked.diagnosis).split())
        rows, closest = [], []
        for i, (group, title) in enumerate(zip(entries, titles, strict=True)):
            description, told = group[0], set(normalised(group[0]).split())
            meaning = np.array([float(vectors[text] @ query) for text in group])
            letters = np.array([letters_in_common(text, asked.diagnosis) for text in group])
            closest.append(group[int(np.argmax(meaning + letters))])
            rows.append(
                (
                    meaning[0],  # the description, by meaning
                    meaning.max(),  # its best entry, by meaning
                    letters[0],  # the description, by letters
                    (meaning + letters).max(),  # its best entry, by both
                    float(vectors[title] @ query),  # the category's title
                    float("nos" in said and "unspecified" in told),  # NOS is coded as unspecified
                    float("unspecified" in told),
                    contradictions(asked.diagnosis, description),
                    share_not_said(description, asked.diagnosis),
                    share_covered(asked.diagnosis, group),
                    self._words.similarity(asked.diagnosis, description),
                    by_analogy[i],  # described like the codes of similar terms
                    by_analogy[i] * nearest,
                    float(_reads_like(description, asked.diagnosis)),
                )
            )
        return np.array(rows, dtype=np.float64), tuple(closest)

    def _similar_terms(self, asked: CodingPrompt) -> list[tuple[str, str]]:
        """(term, code) of the index of every category that the candidates come from."""
        categories = dict.fromkeys(code[:3] for code in asked.codes)
        codes = [code for category in categories for code in self._in_category.get(category, ())]
        return [(term, code) for code in codes for term in self.index_entries(code, asked.diagnosis)]

    def _by_analogy(
        self, asked: CodingPrompt, terms: list[tuple[str, str]], query: Float[np.ndarray, " d"]
    ) -> tuple[Float[np.ndarray, " candidates"], float]:
        """How like each candidate's description is to those under which the nearest terms are filed."""
        if not terms:
            return np.zeros(len(asked.codes)), 0.0
        filed_under = [self._code_set.descriptions[code] for _, code in terms]
        vectors = self._vectors([*(term for term, _ in terms), *filed_under, *asked.descriptions])
        nearness = np.array([float(vectors[term] @ query) for term, _ in terms])
        nearest = np.argsort(-nearness, kind="stable")[:N_NEIGHBOURS]
        weights = np.exp(10 * (nearness[nearest] - nearness[nearest[0]]))
        described = np.array([vectors[text] for text in asked.descriptions])
        homes = np.array([vectors[filed_under[i]] for i in nearest])
        return described @ homes.T @ (weights / weights.sum()), float(nearness[nearest[0]])

    def _vectors(self, texts: Sequence[str]) -> dict[str, Float[np.ndarray, " d"]]:
        unique = list(dict.fromkeys(texts))
        return dict(zip(unique, self._embed(unique), strict=True))


def _reads_like(description: str, diagnosis: str) -> bool:
    """Whether the diagnosis is the description, brackets aside."""
    bare = re.sub(r"\s*[\[(].*?[\])]", "", description)
    return normalised(diagnosis) in (normalised(description), normalised(bare))
