"""Samples, losses, the training loop and the fit of the weights."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biolink import Document, KnowledgeBase, Mention
from biolink.errors import ConfigError
from biolink.finetune.fit import CANDIDATE_ORDER, fit_weights, hits
from biolink.finetune.samples import mention_samples
from biolink.finetune.targets import Target, choose_target
from biolink.finetune.train import Stage, Trainer
from biolink.infer.abbreviations import find_abbreviations
from biolink.infer.backbone import pooled
from biolink.infer.linker import Candidates
from biolink.infer.ranker import FEATURES
from biolink.kb.lexical import LexicalIndex, near_misses
from biolink.kb.prompt import PromptForm
from biolink.pretrain.losses import info_nce, listwise, smoothed_nll
from tests.infer.conftest import CONCEPTS, bart, wordpiece

FORM = PromptForm("[START]", "[END]", window=12, name_prefix="")


@pytest.fixture(scope="module")
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(CONCEPTS)


@pytest.fixture(scope="module")
def index(kb: KnowledgeBase) -> LexicalIndex:
    return LexicalIndex.build(kb)


def documents() -> list[Document]:
    text = "spinal and bulbar muscular atrophy (SBMA) and SBMA with fever"
    place = text.rindex("SBMA")
    mentions = (
        Mention(0, 34, text[:34], "Disease", ("D6",)),
        Mention(place, place + 4, "SBMA", "Disease", ("D6",)),
        Mention(len(text) - 5, len(text), "fever", "Disease", ("D1", "none")),
    )
    return [
        Document("1", text, mentions=mentions),
        Document("2", "x", mentions=(Mention(0, 1, "x"),)),
    ]


def test_mention_samples(kb: KnowledgeBase) -> None:
    samples = mention_samples(documents(), kb, FORM, find_abbreviations)
    assert [s.mention for s in samples] == [
        "spinal and bulbar muscular atrophy", "spinal and bulbar muscular atrophy", "fever",
    ]  # fmt: skip
    assert [kb.id_at(s.rows[0]) for s in samples] == ["D6", "D6", "D1"]
    assert "[START] fever [END]" in samples[2].source
    distinct = mention_samples(documents(), kb, FORM, find_abbreviations, distinct=True)
    assert len(distinct) == 2
    assert mention_samples(documents(), kb, FORM, None)[1].mention == "SBMA"


def test_target_choices(kb: KnowledgeBase, index: LexicalIndex) -> None:
    row = kb.row_of("D3")
    assert row is not None

    def chosen(kind: Target, mention: str, seed: int = 0) -> str:
        name, of = choose_target(kind, mention, [row], kb, index, random.Random(seed))
        assert of == row
        return name

    assert chosen("tfidf", "tumor of breast") == "breast tumor"
    assert chosen("tfidf", "cancer, breast") == "Breast cancer"
    assert chosen("shortest", "cancer of the breast") == "breast tumor"
    assert chosen("preferred", "breast tumor") == "Breast cancer"
    names = {"Breast cancer", "cancer of the breast", "breast tumor"}
    assert {chosen("random", "tumor", seed) for seed in range(40)} == names
    drawn = Counter(chosen("sampled", "breast tumor", seed) for seed in range(200))
    assert drawn["breast tumor"] > 80
    assert drawn.keys() == names


def test_near_misses_belong_to_others(kb: KnowledgeBase, index: LexicalIndex) -> None:
    row = kb.row_of("D3")
    assert row is not None
    (misses,) = near_misses(["breast cancer"], [[row]], kb, index, 4)
    assert misses
    assert all(row not in kb.owners(i) for i in misses)
    assert "cancer" in kb.name_at(misses[0])


def test_smoothed_nll_is_the_cross_entropy_of_a_smoothed_target() -> None:
    log_probs = torch.log_softmax(torch.randn(3, 5), -1)
    targets = torch.tensor([0, 2, 4])
    smooth = torch.full((3, 5), 0.1 / 5)
    smooth[range(3), targets] += 0.9
    expected = -(smooth * log_probs).sum(1).mean()
    assert smoothed_nll(log_probs, targets, 0.1) == pytest.approx(float(expected), abs=1e-6)


def test_listwise_ignores_absent_names() -> None:
    scores = torch.tensor([[1.0, 0.0, 99.0]])
    present = torch.tensor([[True, True, False]])
    assert listwise(scores, present) == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)


def test_contrast_skips_other_pairs_of_the_same_concept() -> None:
    vectors = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), dim=1
    )
    apart = info_nce(vectors, vectors, torch.tensor([0, 1, 2]), 0.1)
    same = info_nce(vectors, vectors, torch.tensor([0, 0, 2]), 0.1)
    assert same < apart


def test_pooling_ignores_padding() -> None:
    states = torch.randn(1, 3, 4)
    one = pooled(states, torch.tensor([[1, 1, 0]]))
    two = pooled(states[:, :2], torch.tensor([[1, 1]]))
    assert torch.allclose(one, two)


STAGE = Stage("both", steps=6, mentions=2, kb_samples=2, pairs=6, mention_pairs=2, negatives=3)


def trainer(kb: KnowledgeBase, index: LexicalIndex, folder: Path) -> Trainer:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = wordpiece(folder)
    model: Any = bart(len(tokenizer), dropout=0.1)
    samples = mention_samples(documents(), kb, FORM, find_abbreviations, distinct=True)
    return Trainer(model, tokenizer, FORM, kb, index, samples, folder)


def test_batches_hold_targets_and_near_misses(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    one = trainer(kb, index, tmp_path)
    sources, mentions, names = one.generation_batch(STAGE, random.Random(0))
    assert len(sources) == len(mentions) == len(names) == 4
    for of_mention in names:
        assert len(of_mention) > 1
        gold = {c.id for c in kb.lookup(of_mention[0])}
        assert all(
            gold.isdisjoint(c.id for c in kb.lookup(n)) for n in of_mention[1:] if len(gold) == 1
        )
    first, second, rows = one.pair_batch(STAGE, random.Random(0))
    assert len(first) == len(second) == len(rows) == 6
    for name, row in zip(second, rows, strict=True):
        assert name in (*kb.concept_at(row).names, *one.mentions_of.get(row, ()))


def test_an_interrupted_run_equals_an_uninterrupted_one(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    whole = trainer(kb, index, tmp_path / "whole")
    before = {n: p.detach().clone() for n, p in whole.model.named_parameters()}
    whole.run(STAGE, checkpoint_every=2)
    assert whole.finished(STAGE)

    class Killed(Exception):
        pass

    first = trainer(kb, index, tmp_path / "parts")
    original = first.losses

    def failing(stage: Stage, rng: random.Random) -> dict[str, torch.Tensor]:
        if (tmp_path / "parts" / "both.state.pt").exists():
            raise Killed
        return original(stage, rng)

    first.losses = failing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        first.run(STAGE, checkpoint_every=2)
    assert not first.finished(STAGE)
    second = trainer(kb, index, tmp_path / "parts")
    second.run(STAGE, checkpoint_every=2)
    after = dict(second.model.named_parameters())
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, after[name]), name
    assert any(not torch.equal(p, before[n]) for n, p in after.items())
    with pytest.raises(ConfigError, match="checkpoint of other settings"):
        second.run(Stage("both", steps=7, mentions=2))


def test_near_misses_by_the_models_own_embeddings(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    stage = Stage("mined", steps=2, pairs=6, mention_pairs=2, mining="dense")
    one = trainer(kb, index, tmp_path)
    one.run(stage)
    assert (tmp_path / "mined.names.npy").exists()
    assert one.names is not None
    # The nearest names of others, by the vectors that were kept.
    vectors = one.names.vectors
    for sample, misses in zip(one.mentions, one.misses, strict=True):
        assert all(not set(kb.owners(i)) & set(sample.rows) for i in misses)
    queries = one.names.queries(["breast tumor", "no such name"])
    assert torch.equal(queries[1], torch.zeros(vectors.shape[1]))
    (nearest,) = one.names.misses(queries[:1], [[-1]], 1)
    assert kb.name_at(nearest[0]) == "breast tumor"
    # A resumed stage reads them, and a lexical one forgets them.
    before = (tmp_path / "mined.names.npy").stat().st_mtime_ns
    again = trainer(kb, index, tmp_path)
    again.mine(stage)
    assert (tmp_path / "mined.names.npy").stat().st_mtime_ns == before
    again.mine(Stage("plain", steps=1))
    assert again.names is None
    assert again.misses == again.lexical_misses
    with pytest.raises(ConfigError, match="lexical or dense"):
        Stage.from_dict({"name": "x", "steps": 1, "mining": "deep"})


def test_training_lowers_the_losses(kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path) -> None:
    one = trainer(kb, index, tmp_path)
    stage = Stage("s", steps=40, mentions=2, negatives=3, pairs=4, lr=3e-3, encoder_lr=1e-3)

    def losses() -> dict[str, float]:
        one.model.eval()
        with torch.inference_mode():
            return {k: float(v) for k, v in one.losses(stage, random.Random(1)).items()}

    before = losses()
    one.run(stage)
    after = losses()
    assert after["generation"] < before["generation"]
    assert after["listwise"] < before["listwise"]
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2


def test_stage_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="unknown settings"):
        Stage.from_dict({"name": "x", "steps": 1, "speed": 2})
    with pytest.raises(ConfigError, match="at least one step"):
        Stage.from_dict({"name": "x"})


def made_up(count: int, seed: int, noise: float) -> tuple[list[Candidates], list[tuple[int, ...]]]:
    """Mentions whose right candidate shows in the dense column, blurred; n-grams are noise."""
    rng = np.random.default_rng(seed)
    candidates, gold = [], []
    for _ in range(count):
        features = np.zeros((5, len(FEATURES)))
        features[:, FEATURES.index("lexical")] = rng.random(5)
        right = int(rng.integers(0, 5))
        dense = noise * rng.random(5)
        dense[right] += 0.5
        features[:, FEATURES.index("dense")] = dense
        nil = rng.random() < 0.2
        candidates.append(Candidates(np.arange(5), np.arange(5), features))
        gold.append(() if nil else (right,))
    return candidates, gold


def test_fit_finds_what_tells_candidates_apart() -> None:
    candidates, gold = made_up(200, 0, 0.2)
    fit = fit_weights(candidates, gold, [i % 2 for i in range(200)], [1] * 200)
    assert fit.held_out > fit.candidate_order
    linked = [i for i, g in enumerate(gold) if g]
    right = hits([candidates[i] for i in linked], [gold[i] for i in linked], fit.weights)
    assert right.mean() > 0.95


def test_fit_is_never_worse_than_the_candidates_order() -> None:
    candidates, _ = made_up(40, 1, 0.0)
    # Gold agrees with the candidates' order in all but name: nothing to learn from few mentions.
    order = [(int((c.features @ CANDIDATE_ORDER).argmax()),) for c in candidates]
    fit = fit_weights(candidates, order, [i % 2 for i in range(40)], [1] * 40, used=["prior"])
    assert fit.candidate_order == 1.0
    assert fit.held_out < 1.0
    assert np.array_equal(fit.weights, CANDIDATE_ORDER)
