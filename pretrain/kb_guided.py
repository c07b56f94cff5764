"""KB-guided pre-training samples: a synonym in a sentence made from the entry of its concept.

Source: GenBioEL (NAACL 2022), section 3.1 and its templates. There is one sample for each pair of a
concept and one of its names. Samples are made when they are needed and depend only on the seed and
their number, so any number of processes can share them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, get_args

from biolink.errors import ConfigError
from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex, near_misses
from biolink.kb.prompt import PromptForm, source_text
from biolink.pretrain.training.order import shuffled

__all__ = ["Choice", "KBGuidedSamples", "Sample"]

Choice = Literal["random", "sample", "most_similar", "least_similar"]

# {m} is the marked mention, {o} the definitions or the other synonyms.
_DEFINITION_TEMPLATES = (
    "{m} is defined as {o}",
    "{m} is described as {o}",
    "{o} are the definitions of {m}",
    "{o} describe {m}",
    "{o} define {m}",
)
_SYNONYM_TEMPLATES = (
    "{o} are the synonyms of {m}",
    "{o} indicate the same concept as {m}",
    "{m} has synonyms, such as {o}",
    "{m} refers to the same concept as {o}",
)
_SINGLE_TEMPLATES = ("{m} is {o}", "{m} is the same as {o}")
_MAX_DEFINITIONS = 2
_MAX_SYNONYMS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A source with its marked mention, and the name to generate.

    Attributes
    ----------
    source
        Input of the encoder (:func:`biolink.kb.prompt.source_text`).
    mention
        The mention for the decoder prompt.
    target
        The name, as the knowledge base writes it.
    row
        Row of the concept in the knowledge base.
    negative
        The name of another concept that is most similar to the mention, if negatives were asked
        for.
    """

    source: str
    mention: str
    target: str
    row: int
    negative: str | None = None


class KBGuidedSamples:
    """All samples of a knowledge base, by number.

    Parameters
    ----------
    kb
        The knowledge base; a subset gives the samples of its concepts.
    form
        Prompt form of the model. Its window cuts long definitions on the side away from the
        mention.
    seed
        The random choices of a sample depend only on the seed and the sample's number.
    choice
        Which synonym is the mention: ``random``; ``sample``, in proportion to its similarity to
        the target (cosine of character n-grams); ``most_similar``; ``least_similar``.
    index
        Index with the similarities of names, which ``negatives`` and all choices except ``random``
        need.
    negatives
        Whether the most similar name of another concept is added (ANGEL, ACL Findings 2025,
        section 3.2).
    """

    def __init__(
        self,
        kb: KnowledgeBase,
        form: PromptForm,
        seed: int = 0,
        choice: Choice = "random",
        index: LexicalIndex | None = None,
        negatives: bool = False,
    ) -> None:
        if choice not in get_args(Choice):
            expected = ", ".join(get_args(Choice))
            raise ConfigError(f"choice = {choice!r}; expected one of {expected}")
        if index is None and (negatives or choice != "random"):
            raise ConfigError(f"choice = {choice!r}; expected a lexical index with it")
        self.kb = kb
        self.form = form
        self.seed = seed
        self.choice, self.index, self.negatives = choice, index, negatives
        indptr, rows, _ = kb.ownership
        self._indptr, self._rows = indptr, rows
        if kb.row_mask is None:
            self._pairs = None
            self._size = len(rows)
        else:
            self._pairs = kb.row_mask[rows].nonzero()[0]
            self._size = len(self._pairs)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, number: int) -> Sample:
        if not 0 <= number < self._size:
            raise IndexError(number)
        return self._make(number, f"{self.seed}:{number}")

    def in_training(self, number: int) -> Sample:
        """Return sample ``number`` of an endless training, which has a new order in each epoch.

        The random choices of a sample are new in each epoch as well.
        """
        index = shuffled(number, self._size, self.seed)
        return self._make(index, f"{self.seed}:{number // self._size}:{index}")

    def _make(self, number: int, key: str) -> Sample:
        pair = number if self._pairs is None else int(self._pairs[number])
        row = int(self._rows[pair])
        name_id = int(self._indptr.searchsorted(pair, side="right")) - 1
        concept = self.kb.concept_at(row)
        target = self.kb.written_name(row, name_id)
        rng = random.Random(key)
        others = [n for n in concept.names if normalise_name(n) != normalise_name(target)]
        mention = self._chosen(target, others, rng) if others else target
        source = self._source(concept, mention, rng)
        negative = None
        if self.negatives:
            assert self.index is not None
            misses = near_misses([mention], [[row]], self.kb, self.index, 1)[0]
            negative = self.kb.name_at(misses[0]) if misses else None
        return Sample(source, mention, target, row, negative)

    def _chosen(self, target: str, others: list[str], rng: random.Random) -> str:
        if self.choice == "random" or len(others) == 1:
            return rng.choice(others)
        assert self.index is not None
        vectors = self.index.vectors([target, *others])
        cosines = (vectors[1:] @ vectors[0].T).toarray()[:, 0].tolist()
        if self.choice == "sample":
            # A synonym without a common n-gram keeps a small chance.
            return rng.choices(others, [cosine + 0.01 for cosine in cosines])[0]
        best = max if self.choice == "most_similar" else min
        return others[cosines.index(best(cosines))]

    def _source(self, concept: Concept, mention: str, rng: random.Random) -> str:
        if concept.definitions:
            count = min(_MAX_DEFINITIONS, len(concept.definitions))
            template = rng.choice(_DEFINITION_TEMPLATES)
            other = " ".join(rng.sample(concept.definitions, count))
        else:
            synonyms = [name for name in concept.names if name != mention]
            if synonyms:
                template = rng.choice(_SYNONYM_TEMPLATES)
                other = ", ".join(rng.sample(synonyms, min(_MAX_SYNONYMS, len(synonyms))))
            else:
                template, other = rng.choice(_SINGLE_TEMPLATES), mention
        before, after = template.split("{m}")
        before, after = before.replace("{o}", other), after.replace("{o}", other)
        text = before + mention + after
        return source_text(text, len(before), len(before) + len(mention), self.form)
