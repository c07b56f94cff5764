"""KB-guided samples and the pretrained start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biolink.errors import ModelError
from biolink.kb import Concept, KnowledgeBase, normalise_name
from biolink.kb.prompt import PromptForm
from biolink.pretrain.convert.minilm import bart_from_bert, count_pieces, prune_wordpiece
from biolink.pretrain.kb_guided import KBGuidedSamples

FORM = PromptForm(window=30)
CONCEPTS = [
    Concept("D1", "Fever", ("Body heat", "pyrexia"), ("Hot.", "Ill.", "Third.")),
    Concept("D2", "Aspirin", ("acetyl salicylic acid", "ASA", "third", "fourth")),
    Concept("D3", "Alone"),
]


@given(st.integers(0, 50))
def test_samples_follow_the_templates(seed: int) -> None:
    kb = KnowledgeBase.from_concepts(CONCEPTS)
    samples = KBGuidedSamples(kb, FORM, seed)
    assert len(samples) == 9
    targets = set()
    for number in range(len(samples)):
        sample = samples[number]
        assert sample == samples[number]
        concept = kb.concept_at(sample.row)
        targets.add((concept.id, normalise_name(sample.target)))
        assert sample.target in concept.names
        assert f"START {sample.mention.lower()} END" in sample.source
        if len(concept.names) > 1:
            assert sample.mention in concept.names
            assert normalise_name(sample.mention) != normalise_name(sample.target)
        else:
            assert sample.mention == sample.target == "Alone"
            assert sample.source in (
                "START alone END is alone",
                "START alone END is the same as alone",
            )
        if concept.definitions:
            used = [d for d in concept.definitions if d.lower() in sample.source]
            assert len(used) == 2
        elif len(concept.names) > 1:
            context = sample.source.replace(f"START {sample.mention.lower()} END", "")
            assert 1 <= context.count(",") <= 3
    assert len(targets) == 9
    with pytest.raises(IndexError):
        samples[9]


def test_a_subset_gives_the_samples_of_its_concepts() -> None:
    kb = KnowledgeBase.from_concepts(CONCEPTS).subset(ids=["D2"])
    samples = KBGuidedSamples(kb, FORM)
    assert {samples[i].target for i in range(len(samples))} == set(CONCEPTS[1].names)


def test_another_seed_gives_other_samples() -> None:
    kb = KnowledgeBase.from_concepts(CONCEPTS)
    one, two = (KBGuidedSamples(kb, FORM, seed) for seed in (0, 1))
    assert [one[i].source for i in range(9)] != [two[i].source for i in range(9)]


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A small BERT with a WordPiece tokeniser, saved as transformers saves it."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    pieces = ["[PAD]", "[UNK]", *(f"[unused{i}]" for i in range(98)), *"X" * 0]
    pieces += [f"filler{i}" for i in range(101 - len(pieces))]
    pieces += ["[CLS]", "[SEP]", "[MASK]"]
    pieces += [*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
    pieces += ["fever", "start", "end", "rare", "##ly"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    assert vocabulary["[CLS]"] == 101
    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=True)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).eval().save_pretrained(tmp_path)
    return tmp_path


def test_bert_maps_onto_bart(bert: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import BertModel

    spec, old = prune_wordpiece(bert / "tokenizer.json", [], markers=("[START]", "[END]"))
    vocabulary = spec["model"]["vocab"]
    # Unused pieces are removed; special tokens and single characters stay.
    assert "fever" not in vocabulary
    assert {"[PAD]", "[CLS]", "[SEP]", "a", "##a", "[START]", "[END]"} <= set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    model = bart_from_bert(bert, old, {"[START]": 157, "[END]": 158}, (1, 3)).eval()
    assert model.config.decoder_layers == 2
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    ids = tokenizer.encode("fever [START] x [END]").ids
    assert ids[0] == vocabulary["[CLS]"]
    assert tokenizer.decode(ids, skip_special_tokens=False) == "[CLS] fever [START] x [END] [SEP]"
    original = BertModel.from_pretrained(bert).eval()
    old_ids = [old[i] for i in ids if i < len(old)]
    new_ids = [i for i in ids if i < len(old)]
    with torch.inference_mode():
        one = original(input_ids=torch.tensor([old_ids]))[0]
        two = model.get_encoder()(input_ids=torch.tensor([new_ids]))[0]
        logits = model(
            input_ids=torch.tensor([new_ids]), decoder_input_ids=torch.tensor([[2]])
        ).logits
    assert (one - two).abs().max() < 5e-3
    assert logits.shape[-1] == len(vocabulary)
    assert model.model.decoder.embed_tokens.weight is model.model.shared.weight
    with pytest.raises(ModelError, match="not a BERT model folder"):
        bart_from_bert(bert / "none", old, {}, (0,))


def test_counting_pieces(bert: Path) -> None:
    counts = count_pieces(bert / "tokenizer.json", ["fever fever", "rarely"])
    pieces = json.loads((bert / "tokenizer.json").read_text())["model"]["vocab"]
    assert counts == {pieces["fever"]: 2, pieces["rare"]: 1, pieces["##ly"]: 1}
