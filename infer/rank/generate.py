"""``method="generate"``: beam search over all names, or a look-up of mentions that are names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from biolink.infer.network.finite import check_scores
from biolink.infer.rank.beam_search import constrained_beam_search
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import Task

__all__ = ["exactly_named", "ranked_by_generation"]


def exactly_named(scope: Scope, tasks: Sequence[Task]) -> dict[Task, list[RankedConcept]]:
    """The ranked concepts of those tasks whose mention is a name.

    First come the owners of the name, then the owners of names that begin with it.
    """
    if not len(scope.trie):
        return {}
    top_k = scope.options.top_k
    # Several names may belong to the same concept, so more names are needed.
    most = 1 if top_k == 1 else 2 * top_k
    leaves_of_tasks = scope.model.named(scope.trie, [task.mention for task in tasks], most)
    named: dict[Task, list[RankedConcept]] = {}
    for task, leaves in zip(tasks, leaves_of_tasks, strict=True):
        ranked: dict[int, RankedConcept] = {}
        for leaf, share in leaves:
            score = math.log(share)
            if share == 1:
                for name_id in scope.names_at(leaf):
                    for row in scope.owners(name_id, task.type):
                        ranked.setdefault(row, RankedConcept(row, name_id, score, share))
                # If the type of no owner matches, the model decides.
                if not ranked:
                    break
            else:
                names = ((name_id, score, share) for name_id in scope.names_at(leaf))
                for concept in scope.concepts(names, task):
                    ranked.setdefault(concept.row, concept)
        if ranked:
            named[task] = list(ranked.values())
    return named


def ranked_by_generation(scope: Scope, tasks: Sequence[Task]) -> list[list[RankedConcept]]:
    """The concepts of each task, ranked by constrained beam search, best first."""
    if not len(scope.trie):
        return [[] for _ in tasks]
    model, top_k = scope.model, scope.options.top_k
    options = scope.options.decoding
    options = replace(options, beam=max(options.beam, top_k), keep=max(options.keep, top_k))
    memory = scope.memory(tasks)
    prompts = model.prompts([task.mention for task in tasks])
    ranked = constrained_beam_search(model.backbone, scope.trie, memory, prompts, options)
    check_scores(np.array([h.score for of_task in ranked for h in of_task]), "scores of names")
    return [
        scope.concepts(
            (
                (name_id, h.score, math.exp(h.log_prob / h.length))
                for h in hypotheses
                for name_id in scope.names_at(h.leaf)
            ),
            task,
        )
        for task, hypotheses in zip(tasks, ranked, strict=True)
    ]
