"""Recognisers of other packages, and given mentions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from biolink import (
    Document,
    GivenMentions,
    GlinerRecogniser,
    HuggingFaceRecogniser,
    Link,
    Mention,
    SpacyRecogniser,
)
from biolink.errors import ConfigError, MissingDependencyError, ModelError
from biolink.infer.mentions.adapters import recogniser_written
from tests.tiny_models import wordpiece

TEXT = "Fever and aspirin, then fevers."


def slices_hold(document: Document) -> bool:
    return all(document.text[m.start : m.end] == m.text for m in document.mentions)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT that labels the word fever as B-Disease and all other words as O."""
    from transformers import BertConfig, BertForTokenClassification

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = wordpiece(folder)
    labels = ["O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical"]
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    torch.manual_seed(0)
    model = BertForTokenClassification(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Attention and feed-forward add nothing, so a state is the embedding of its word.
            if "output.dense" in name or "position" in name or "token_type" in name:
                parameter.zero_()
        words = model.bert.embeddings.word_embeddings.weight
        words.zero_()
        words[:, 0] = 1
        for word, label in (("fever", 1), ("aspirin", 3)):
            words[tokenizer.get_vocab()[word]] = 0
            words[tokenizer.get_vocab()[word], label] = 1
        model.classifier.weight.zero_()
        for label in range(5):
            model.classifier.weight[label, label] = 5
        model.classifier.bias.zero_()
    model.save_pretrained(folder)
    return folder


def test_hugging_face(classifier: Path) -> None:
    recogniser = HuggingFaceRecogniser(classifier)
    # The text is longer than the model's window, so it is read in pieces, and nothing is lost.
    long = Document("2", "and with " * 30 + TEXT)
    short, found, empty = recogniser.recognise_batch(
        [Document("1", TEXT), long, Document("3", " ")]
    )
    assert [(m.text, m.type) for m in short.mentions] == [
        ("Fever", "Disease"), ("aspirin", "Chemical"), ("fevers", "Disease"),
    ]  # fmt: skip
    assert [m.text for m in found.mentions] == ["Fever", "aspirin", "fevers"]
    assert slices_hold(short) and slices_hold(found) and empty.mentions == ()
    assert all(0 < (m.probability or 0) <= 1 for m in short.mentions)
    only = HuggingFaceRecogniser(classifier, labels=["Chemical"])
    assert [m.text for m in only(Document("1", TEXT)).mentions] == ["aspirin"]
    with pytest.raises(ModelError, match="token-classification"):
        HuggingFaceRecogniser(classifier / "nowhere")


class Gliner:
    """A model like ``gliner.GLiNER``, which returns entities with offsets."""

    def predict_entities(
        self, text: str, labels: list[str], threshold: float
    ) -> list[dict[str, Any]]:
        assert len(text.split()) <= 384
        place = text.find("aspirin")
        found = [{"start": place, "end": place + 8, "text": text[place : place + 8]}]
        scored = [{**e, "label": labels[0], "score": 0.75} for e in found if place >= 0]
        return [e for e in scored if e["score"] >= threshold]


def test_gliner() -> None:
    text = "One sentence is here. " * 150 + "Then aspirin came."
    document = GlinerRecogniser(Gliner(), ["drug"])(Document("1", text))
    (mention,) = document.mentions
    assert (mention.text, mention.type, mention.probability) == ("aspirin", "drug", 0.75)
    assert slices_hold(document)
    assert not GlinerRecogniser(Gliner(), ["drug"], threshold=0.9)(Document("1", text)).mentions
    with pytest.raises(ConfigError, match="labels"):
        GlinerRecogniser(Gliner(), [])
    with pytest.raises((MissingDependencyError, ModelError)):
        GlinerRecogniser("no/such/model", ["drug"])


def test_spacy_in_batches() -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": "Disease", "pattern": "Fever"}, {"label": "X", "pattern": "aspirin"}]
    )
    documents = [Document("1", TEXT), Document("2", "Fever")]
    found = SpacyRecogniser(nlp, labels=["Disease"]).recognise_batch(documents)
    assert [[m.text for m in d.mentions] for d in found] == [["Fever"], ["Fever"]]


def test_given_mentions() -> None:
    link = Link("D1", "fever", 0.0, 1.0, 1)
    gold = Document("1", TEXT, mentions=(Mention(0, 5, "Fever", links=(link,)),))
    given = GivenMentions([gold])
    (mention,) = given(Document("1", TEXT)).mentions
    assert mention.text == "Fever" and mention.links == ()
    with pytest.raises(ConfigError, match="no mentions are known"):
        given(Document("1", "another text"))


def test_recognisers_written_as_on_the_command_line(classifier: Path) -> None:
    found = recogniser_written(f"hf:{classifier}=Chemical")
    assert [m.text for m in found(Document("1", TEXT)).mentions] == ["aspirin"]
    for wrong in ("spacy", "spacy:", "bert:x", f"gliner:{classifier}"):
        with pytest.raises(ConfigError):
            recogniser_written(wrong)
    with pytest.raises(ModelError, match="spaCy cannot load"):
        recogniser_written("spacy:no_such_pipeline")
