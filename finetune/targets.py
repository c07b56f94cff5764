"""The choice of the name of the gold concept that the model is taught to generate.

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

#: ``tfidf``: the name most similar to the mention. ``shortest``: the shortest name of the concept.
#: ``preferred``: its preferred name. ``random``: any name. ``sampled``: a name drawn in proportion
#: to its similarity to the mention.
Target = Literal["tfidf", "shortest", "preferred", "random", "sampled"]


def choose_target(
    kind: Target,
    mention: str,
    rows: Sequence[int],
    kb: KnowledgeBase,
    index: LexicalIndex | None,
    rng: random.Random,
) -> tuple[str, int]:
    """Return a name of the gold concepts, and the row of its concept.

    Parameters
    ----------
    kind
        How the name is chosen.
    mention
        The mention.
    rows
        Rows of the gold concepts.
    kb
        The knowledge base.
    index
        Index of the names, which only ``tfidf`` and ``sampled`` need.
    rng
        Random numbers for ``random`` and ``sampled``, and for the choice among several gold
        concepts with ``preferred``.
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
