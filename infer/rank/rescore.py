"""Scoring given names by generation, and ``method="candidates"``, which ranks by this score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from biolink.infer.network.backbone import Memory
from biolink.infer.network.encoder import of_equal_size, padded_size
from biolink.infer.network.finite import check_scores
from biolink.infer.rank.candidates import RankedConcept
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.score import NameTree, name_sums, pack_trees
from biolink.infer.rank.task import Task

__all__ = ["ranked_among_candidates", "score_names"]

#: The most tokens of names, padding included, that are scored together.
_PADDED_TOKENS = 4096
#: The least number of names that are retrieved by n-grams.
_LEAST_CANDIDATES = 64


@torch.inference_mode()
def score_names(
    scope: Scope, tasks: Sequence[Task], memory: Memory, name_ids: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Score the names of each task by generation.

    Parameters
    ----------
    scope
        The model and the knowledge base.
    tasks
        The mentions.
    memory
        The memory of the encoded tasks.
    name_ids
        For each task, the ids of the names.

    Returns
    -------
    For each task, the log-probabilities of its names and their numbers of tokens, float64 [names]
    each.

    Raises
    ------
    ModelError
        If a score is not finite.
    """
    results = [(np.zeros(0), np.zeros(0)) for _ in tasks]
    with_names = [i for i, ids in enumerate(name_ids) if len(ids)]
    if not with_names:
        return results
    model = scope.model
    prompts = model.prompts([tasks[i].mention for i in with_names])
    names = [model.name_tokens([scope.kb.name_at(int(n)) for n in name_ids[i]]) for i in with_names]
    trees = [NameTree(*pair) for pair in zip(prompts, names, strict=True)]
    backbone = model.backbone
    # Sources and trees are filled up to sizes that depend on nothing but themselves, so that no
    # score depends on the other mentions.
    sizes_of_sources = memory.sizes
    sources = [padded_size(sizes_of_sources[i]) for i in with_names]
    for source in sorted(set(sources)):
        alike = [i for i, size in enumerate(sources) if size == source]
        sizes = [padded_size(len(trees[i])) for i in alike]
        for size, indices in of_equal_size(sizes, _PADDED_TOKENS):
            batch = [alike[i] for i in indices]
            chosen = torch.tensor([with_names[i] for i in batch], device=backbone.device)
            packed = pack_trees([trees[i] for i in batch], size, backbone.pad_id)
            of_batch = memory.select(chosen, source)
            sums, lengths = name_sums(backbone, of_batch, packed.to(backbone.device))
            for row, i in enumerate(batch):
                count = len(names[i])
                results[with_names[i]] = (
                    check_scores(sums[row, :count].double().cpu().numpy(), "scores of names"),
                    lengths[row, :count].double().cpu().numpy(),
                )
    return results


def ranked_among_candidates(scope: Scope, tasks: Sequence[Task]) -> list[list[RankedConcept]]:
    """The concepts of the names that are most similar by n-grams, ranked by generation."""
    hits = scope.indexes.lexical.search(
        [task.mention for task in tasks],
        max(_LEAST_CANDIDATES, scope.options.candidates),
        None if scope.kb.row_mask is None else scope.kb.name_mask,
    )
    name_ids = [ids for ids, _ in hits]
    penalty = scope.options.decoding.length_penalty
    memory = scope.memory(tasks)
    results = []
    for task, ids, (sums, lengths) in zip(
        tasks, name_ids, score_names(scope, tasks, memory, name_ids), strict=True
    ):
        scores = sums / np.maximum(lengths, 1) ** penalty
        means = sums / np.maximum(lengths, 1)
        order = np.lexsort((ids, -scores))
        names = ((int(ids[i]), float(scores[i]), math.exp(means[i])) for i in order)
        results.append(scope.concepts(names, task))
    return results
