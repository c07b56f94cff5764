"""Samples, losses, the training loop and the fit of the weights."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biolink import Document, KnowledgeBase, Mention
from biolink.errors import ConfigError
from biolink.finetune.fit import CANDIDATE_ORDER, fit_weights, hits
from biolink.finetune.joint.batches import Batch
from biolink.finetune.joint.tables import Mentions, Ragged, families, mention_tables, name_tables
from biolink.finetune.joint.train import Stage, Trainer
from biolink.finetune.samples import mention_samples
from biolink.finetune.targets import Target, choose_target
from biolink.infer.mentions.abbreviations import find_abbreviations
from biolink.infer.network.pooling import pooled
from biolink.infer.rank.features import FEATURES, Candidates
from biolink.kb.lexical import LexicalIndex, near_misses
from biolink.kb.prompt import PromptForm
from biolink.pretrain.training.losses import info_nce, listwise, smoothed_nll
from tests.tiny_models import CONCEPTS, bart, wordpiece

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


def test_samples_of_a_model_that_reads_documents(kb: KnowledgeBase) -> None:
    form = replace(FORM, reading="document", lower=True)
    samples = mention_samples(documents(), kb, form, find_abbreviations)
    whole = "spinal and bulbar muscular atrophy"
    assert {s.source for s in samples} == {f"{whole} (sbma) and {whole} with fever"}


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


def test_near_misses_belong_to_other_concepts(kb: KnowledgeBase, index: LexicalIndex) -> None:
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


def test_listwise_ignores_absent_names_and_adds_up_right_ones() -> None:
    scores = torch.tensor([[1.0, 0.0, 99.0]])
    right, present = torch.tensor([[True, False, False]]), torch.tensor([[True, True, False]])
    assert listwise(scores, right, present) == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)
    assert listwise(scores, present, present) == pytest.approx(0.0, abs=1e-6)


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


STAGE = Stage(
    "both", steps=6, texts=1, mentions=2, kb_samples=2, pairs=6, mention_pairs=2, negatives=3,
    context=1.0,
)  # fmt: skip


def trainer(kb: KnowledgeBase, index: LexicalIndex, folder: Path, workers: int = 0) -> Trainer:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = wordpiece(folder)
    model: Any = bart(len(tokenizer), dropout=0.1)
    samples = mention_samples(documents(), kb, FORM, find_abbreviations, distinct=True)
    names = name_tables(kb, tokenizer, kb.normalised_names(), lambda types: len(types))
    mentions = mention_tables(samples, kb, index, kb, kb, names, tokenizer, FORM)
    words = tokenizer("fever and cold with body heat")["input_ids"]
    return Trainer(
        model, tokenizer, FORM, kb, names, mentions, Ragged.of([words] * 3), folder, 0, workers
    )


def test_tables_hold_what_they_were_made_of(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    one = trainer(kb, index, tmp_path)
    fever, cold = kb.row_of("D1"), kb.row_of("D7")
    # "Fever" is preferred by D1 and a synonym of D7: one family. "Cancer" is D5's and D4's.
    numbers = families(kb)
    assert numbers[fever] == numbers[cold] != numbers[kb.row_of("D2")]
    name = kb.name_id("breast tumor")
    assert one.tokenizer.decode(one.names.tokens[name]).replace(" ##", "") == "breast tumor"
    assert one.names.families[name] == [numbers[kb.row_of("D3")]]
    assert name in one.names.members[numbers[kb.row_of("D3")]]
    for number, row in enumerate(("D6", "D1")):
        begin, end = one.mentions.spans[number]
        marked = one.tokenizer.convert_ids_to_tokens(one.mentions.sources[number][begin:end])
        assert (marked[0], marked[-1]) == ("[START]", "[END]")
        assert all(kb.row_of(row) in kb.owners(i) for i in one.mentions.right[number])
        assert all(kb.row_of(row) not in kb.owners(i) for i in one.mentions.misses[number])
    one.mentions.save(tmp_path / "m.npz")
    again = Mentions.load(tmp_path / "m.npz")
    assert [again.right[i] for i in range(2)] == [one.mentions.right[i] for i in range(2)]
    assert np.array_equal(again.spans, one.mentions.spans)


def test_a_name_known_from_the_mention_alone_is_no_target(
    index: LexicalIndex, tmp_path: Path
) -> None:
    plain = KnowledgeBase.from_concepts(CONCEPTS)
    named = plain.with_names([("D1", "febrile state"), ("D1", "hot body")])
    text = "a febrile state"
    document = Document("1", text, mentions=(Mention(2, 15, text[2:], "Disease", ("D1",)),))
    tokenizer = wordpiece(tmp_path)
    names = name_tables(named, tokenizer, named.normalised_names(), len)
    samples = mention_samples([document], named, FORM, None)
    of_named = LexicalIndex.build(named)
    table = mention_tables(samples, named, of_named, plain, named, names, tokenizer, FORM)
    assert table.own[0] == named.name_id("febrile state")
    right = [named.name_at(i) for i in table.right[0]]
    assert "febrile state" not in right
    assert {"fever", "hot body"} <= set(right)


def test_batches_hold_targets_and_near_misses(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    one = trainer(kb, index, tmp_path)
    batch = one.batches(STAGE, one.mine(STAGE))[0]
    assert batch.ranking is not None and batch.pairs is not None and batch.texts is not None
    ranking = batch.ranking
    assert len(ranking.source) == len(ranking.right) == 4
    assert ranking.right[:, 0].all() and (ranking.present.sum(1) > 1).all()
    assert (ranking.right <= ranking.present).all()
    # The target is the first name.
    first = ranking.packed.targets[ranking.packed.slots == 0].tolist()
    assert first[-1] == one.special.end
    target = one.tokenizer.decode(first[:-1])
    assert kb.name_id(target) is not None
    ids, mask, of_pairs = batch.pairs
    assert len(ids) == len(mask) == 12 and len(of_pairs) == 6
    again = one.batches(STAGE, one.mine(STAGE))[0]
    assert again.ranking is not None
    assert torch.equal(again.ranking.packed.tokens, ranking.packed.tokens)
    # An unchanged token keeps its position; a mask is new.
    assert batch.texts["labels"][0].tolist() == one.texts[0]


def test_batches_made_by_processes_are_the_same(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    one, other = (trainer(kb, index, tmp_path / str(n), n) for n in (0, 2))
    for each in (one, other):
        each.run(STAGE)
    weights = dict(other.model.named_parameters())
    assert all(torch.equal(p, weights[name]) for name, p in one.model.named_parameters())


def test_an_interrupted_run_equals_an_uninterrupted_one(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    whole = trainer(kb, index, tmp_path / "whole")
    before = {n: p.detach().clone() for n, p in whole.model.named_parameters()}
    whole.run(STAGE, checkpoint_every=2)
    assert (tmp_path / "whole/both/checkpoint-6/whole.json").is_file()

    class Killed(Exception):
        pass

    first = trainer(kb, index, tmp_path / "parts")
    original = first.losses

    def failing(stage: Stage, batch: Batch) -> dict[str, torch.Tensor]:
        if list((tmp_path / "parts").glob("both/checkpoint-*/whole.json")):
            raise Killed
        return original(stage, batch)

    first.losses = failing  # type: ignore[method-assign]
    with pytest.raises(Killed):
        first.run(STAGE, checkpoint_every=2)
    assert not (tmp_path / "parts/both/checkpoint-6").exists()
    second = trainer(kb, index, tmp_path / "parts")
    second.run(STAGE, checkpoint_every=2)
    after = dict(second.model.named_parameters())
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, after[name]), name
    assert any(not torch.equal(p, before[n]) for n, p in after.items())
    with pytest.raises(ConfigError, match="checkpoints of other settings"):
        second.run(Stage("both", steps=7, mentions=2))


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing", "half written"])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt"])
def test_the_loop_continues_from_the_last_complete_checkpoint(
    kb: KnowledgeBase,
    index: LexicalIndex,
    tmp_path: Path,
    how: str,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    whole = trainer(kb, index, tmp_path / "whole")
    whole.run(STAGE, checkpoint_every=2)
    kept = sorted(file.name for file in (tmp_path / "whole/both").glob("checkpoint-*"))
    assert kept == ["checkpoint-4", "checkpoint-6"]
    newest = tmp_path / "whole/both/checkpoint-6"
    content = bytearray((newest / name).read_bytes())
    if how == "truncated":
        (newest / name).write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        content[len(content) // 2] ^= 1
        (newest / name).write_bytes(content)
    elif how == "missing":
        (newest / name).unlink()
    else:
        (newest / "whole.json").unlink()
    again = trainer(kb, index, tmp_path / "whole")
    again.run(STAGE, checkpoint_every=2)
    after = dict(again.model.named_parameters())
    assert all(torch.equal(p, after[n]) for n, p in whole.model.named_parameters())
    assert newest.name in caplog.text
    assert "continues from" in caplog.text
    # The damaged checkpoint is kept, but does not count.
    assert (tmp_path / "whole/both/damaged-1-checkpoint-6").is_dir()


def test_near_misses_by_the_models_own_embeddings(
    kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path
) -> None:
    stage = Stage("mined", steps=2, pairs=6, mention_pairs=2)
    one = trainer(kb, index, tmp_path)
    mined = one.mine(stage)
    assert mined is not None
    vectors = one.embed_fixed(one.names.tokens)
    for name_id, misses in enumerate(mined.names):
        own = set(one.names.families[name_id])
        found = [int(i) for i in misses if i >= 0]
        expected = [
            int(i)
            for i in (vectors @ vectors[name_id]).argsort(descending=True)
            if own.isdisjoint(one.names.families[int(i)])
        ]
        assert set(found) <= set(expected) and len(found) == min(16, len(expected))
        scores = [float(vectors[i] @ vectors[name_id]) for i in found]
        assert scores == sorted(scores, reverse=True)
    # A resumed stage reads them; a stage without negatives has none.
    before = (tmp_path / "mined.mined.npz").stat().st_mtime_ns
    again = trainer(kb, index, tmp_path).mine(stage)
    assert (tmp_path / "mined.mined.npz").stat().st_mtime_ns == before
    assert again is not None and np.array_equal(again.mentions, mined.mentions)
    assert one.mine(Stage("plain", steps=1, mentions=2)) is None


def test_training_lowers_the_losses(kb: KnowledgeBase, index: LexicalIndex, tmp_path: Path) -> None:
    one = trainer(kb, index, tmp_path)
    stage = Stage("s", steps=40, mentions=2, negatives=3, pairs=4, lr=3e-3, encoder_lr=1e-3)

    def losses() -> dict[str, float]:
        one.model.eval()
        batch = one.batches(stage, one.mine(stage))[0]
        with torch.inference_mode():
            return {k: float(v) for k, v in one.losses(stage, batch).items()}

    before = losses()
    one.run(stage)
    after = losses()
    assert after["generation"] < before["generation"]
    assert after["listwise"] < before["listwise"]
    lines = [json.loads(line) for line in (tmp_path / "s/log.jsonl").open()]
    assert lines[0]["step"] == 25 and lines[0]["generation"] > 0 and lines[0]["contrast"] > 0


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


def test_the_fit_finds_the_features_that_distinguish_candidates() -> None:
    candidates, gold = made_up(200, 0, 0.2)
    fit = fit_weights(candidates, gold, [i % 2 for i in range(200)], [1] * 200)
    assert fit.held_out > fit.candidate_order
    linked = [i for i, g in enumerate(gold) if g]
    right = hits([candidates[i] for i in linked], [gold[i] for i in linked], fit.weights)
    assert right.mean() > 0.95


def test_fit_is_never_worse_than_the_candidates_order() -> None:
    candidates, _ = made_up(40, 1, 0.0)
    # Gold nearly agrees with the candidates' order, so few mentions teach nothing.
    order = [(int((c.features @ CANDIDATE_ORDER).argmax()),) for c in candidates]
    fit = fit_weights(candidates, order, [i % 2 for i in range(40)], [1] * 40, used=["prior"])
    assert fit.candidate_order == 1.0
    assert fit.held_out < 1.0
    assert np.array_equal(fit.weights, CANDIDATE_ORDER)
