"""Which name of the gold concept the model is taught to say.

Source: GenBioEL (NAACL 2022), section 3.2, and its ablation.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np

from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex

__all__ = ["Target", "choose_target"]

#: ``tfidf``: most similar to the mention. ``shortest``, ``preferred``: of the concept.
#: ``random``. ``sampled``: in proportion to the similarity.
Target = Literal["tfidf", "shortest", "preferred", "random", "sampled"]


def choose_target(
    kind: Target,
    mention: str,
    rows: Sequence[int],
    kb: KnowledgeBase,
    index: LexicalIndex | None,
    rng: random.Random,
) -> tuple[str, int]:
    """A name of the gold concepts, and its concept's row.

    Parameters
    ----------
    rows
        Of the gold concepts.
    index
        Of the names; only ``tfidf`` and ``sampled`` look at it.
    rng
        Decides ``random`` and ``sampled``, and which of several gold concepts counts for
        ``preferred``.
    """
    if kind == "preferred":
        row = rng.choice(list(rows))
        return kb.concept_at(row).name, row
    names = [(name, row) for row in rows for name in kb.concept_at(row).names]
    names = [(name, row) for name, row in names if normalise_name(name)] or names
    if kind == "shortest":
        return min(names, key=lambda item: (len(item[0]), item[0]))
    if kind == "random":
        return rng.choice(names)
    assert index is not None
    vectors = index.vectors([mention, *(name for name, _ in names)])
    cosines = (vectors[1:] @ vectors[0].T).toarray()[:, 0]
    if kind == "sampled":
        # A name without a common n-gram keeps a small chance.
        return rng.choices(names, (cosines + 0.01).tolist())[0]
    return names[int(np.argmax(cosines))]
