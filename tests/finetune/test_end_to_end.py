"""End-to-end generation: training on PubTator, decoding, parts of the knowledge base."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from biolink import Document, Mention, PostPruning, read, write
from biolink.bench.scoring import Part
from biolink.errors import ConfigError
from biolink.finetune.end_to_end import EndToEnd, marked_chunks, run_end_to_end
from biolink.infer.linkers.end_to_end import EndToEndLinker, EndToEndOptions, generate
from biolink.infer.linkers.markup import DONE, Machine, Marks, State, source_of
from biolink.infer.network.model import load_model
from biolink.infer.seen_documents import SeenDocuments
from biolink.kb import KnowledgeBase
from biolink.kb.model_folder import is_sealed, verify_model
from biolink.pipeline import load
from biolink.pretrain.training.running import Optimisation
from tests.recording import check_evidence_of_benchmark
from tests.tiny_models import CONCEPTS, bart, wordpiece

TEXT = "cancer of the breast and fever. aspirin and fever."


def documents() -> list[Document]:
    mentions = (
        Mention(0, 20, "cancer of the breast", "Disease", ("D3",)),
        Mention(0, 6, "cancer", "Disease", ("D5",)),
        Mention(25, 30, "fever", "Disease", ("D1",)),
        Mention(32, 39, "aspirin", "Chemical", ("D2",)),
        Mention(44, 49, "fever", "Disease", ("D1",)),
    )
    return [Document("1", TEXT, mentions=mentions)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> EndToEnd:
    folder = tmp_path_factory.mktemp("e2e")
    tokenizer = wordpiece(folder / "model")
    bart(len(tokenizer), init_std=0.1).save_pretrained(folder / "model")
    (folder / "model" / "biolink.json").write_text('{"prompt": {"name_prefix": ""}}')
    KnowledgeBase.from_concepts(CONCEPTS).save(folder / "small.kb")
    write(documents(), folder / "train.PubTator")
    settings = EndToEnd(
        out=folder / "out",
        model=folder / "model",
        kb=folder / "small.kb",
        train=(folder / "train.PubTator",),
        target="tfidf",
        chunk_words=8,
        label_smoothing=0.0,
        dropout=0.0,
        training=Optimisation(steps=150, batch_size=2, lr=5e-3, clip=1.0, save_every=100),
    )
    run_end_to_end(settings, list(read(folder / "train.PubTator")))
    return settings


def test_the_model_generates_what_it_was_taught(trained: EndToEnd) -> None:
    linker = load(model=trained.out / "model", kb=trained.kb)
    assert isinstance(linker, EndToEndLinker)
    assert linker.options.chunk_words == 8
    found = linker(Document("1", TEXT))
    said = [(m.start, m.end, m.best.concept_id, m.best.name) for m in found.mentions if m.best]
    assert said == [
        (0, 20, "D3", "cancer of the breast"),
        (25, 30, "D1", "Fever"),
        (32, 39, "D2", "Aspirin"),
        (44, 49, "D1", "Fever"),
    ]
    fever = found.mentions[1]
    # The name has two owners, so there are two links; the owner that prefers it is first.
    assert [link.concept_id for link in fever.links] == ["D1", "D7"] and fever.links[0].shared
    assert fever.links[0].probability == pytest.approx(np.exp(fever.links[0].score))
    assert 0 < fever.links[0].probability <= 1 and fever.probability is not None


def test_a_beam_and_a_batch_change_nothing_for_a_sure_model(trained: EndToEnd) -> None:
    one = load(model=trained.out / "model", kb=trained.kb, beam=3, batch_size=1)
    many = load(model=trained.out / "model", kb=trained.kb)
    texts = [TEXT, "", "fever.", "  "]
    for a, b in zip(one.pipe(texts), many.pipe(texts), strict=True):
        assert [(m.start, m.end) for m in a.mentions] == [(m.start, m.end) for m in b.mentions]


def test_a_part_of_the_base(trained: EndToEnd) -> None:
    linker = load(model=trained.out / "model", kb=trained.kb)
    part = linker.with_kb(linker.kb.subset(types={"Chemical"}))
    ids = {link.concept_id for m in part(TEXT).mentions for link in m.links}
    assert ids <= {"D2", "D7"}
    assert check_evidence_of_benchmark(linker, Part("chemicals", part.kb), [Document("1", TEXT)])
    part = part.with_settings(nil=PostPruning())
    pruned = part(TEXT)
    cancer = pruned.mentions[0]
    assert cancer.text == "cancer of the breast" and not cancer.links
    assert cancer.nil_reason == "pruned: D3 is outside, nothing is inside"
    with pytest.raises(ConfigError, match="cannot link given ones"):
        list(linker.pipe([TEXT], recognise=False))


def test_training_continues_where_it_was(trained: EndToEnd) -> None:
    before = (trained.out / "model" / "model.safetensors").read_bytes()
    run_end_to_end(trained, documents())
    assert (trained.out / "model" / "model.safetensors").read_bytes() == before
    assert is_sealed(trained.out / "model")
    verify_model(trained.out / "model")


def test_the_model_knows_its_documents(trained: EndToEnd) -> None:
    seen = SeenDocuments(trained.out / "model")
    assert all(document in seen for document in documents())
    assert Document("2", "Gout and asthma.") not in seen


def test_only_the_longest_of_nested_mentions_is_kept(tmp_path: Path) -> None:
    kb = KnowledgeBase.from_concepts(CONCEPTS)
    tokenizer = wordpiece(tmp_path)
    (chunk,) = marked_chunks(documents(), kb, tokenizer, lambda m, rows: m, 50, 128)
    assert [name for *_, name in chunk.links] == [
        "cancer of the breast",
        "fever",
        "aspirin",
        "fever",
    ]
    first, behind, _ = chunk.links[0]
    span = (chunk.source.offsets[first][0], chunk.source.offsets[behind - 1][1])
    assert TEXT[slice(*span)] == "cancer of the breast"


def test_without_known_concepts_there_is_nothing_to_learn(trained: EndToEnd) -> None:
    with pytest.raises(ConfigError, match="ids of the knowledge base"):
        run_end_to_end(trained, [Document("1", TEXT)])


@torch.inference_mode()
def test_scores_are_those_of_the_model(trained: EndToEnd) -> None:
    """They are mean log-probabilities from the opening to the end mark, as in transformers."""
    model = load_model(trained.out / "model")
    kb = KnowledgeBase.open(trained.kb)
    linker = EndToEndLinker(model, kb, EndToEndOptions())
    source = source_of(TEXT, model.tokenizer)
    ((tokens, found),) = generate(model, linker.trie, [source], linker.marks)
    inner = model.backbone.model
    ids = torch.tensor([[2, *source.ids, 3]])
    logits = inner(input_ids=ids, decoder_input_ids=torch.tensor([[3, *tokens[:-1]]])).logits
    log_probs = torch.log_softmax(logits, -1)[0, range(len(tokens)), tokens]
    begin = tokens.index(linker.marks.open)
    end = tokens.index(linker.marks.end) + 1
    assert found[0].score == pytest.approx(float(log_probs[begin:end].mean()), abs=1e-4)
    # Decoding is greedy, so no allowed token is likelier than the one that was taken.
    machine = Machine(source, linker.trie, linker.marks, 3, 128)
    state = State()
    for used, token in enumerate(tokens):
        allowed = machine.allowed(state, used)
        values = torch.log_softmax(logits, -1)[0, used, allowed.tolist()]
        assert float(values.max()) == pytest.approx(float(log_probs[used]), abs=1e-4)
        state = machine.after(state, token)
    assert state.kind == DONE


def test_the_text_is_kept_with_random_weights(tmp_path: Path) -> None:
    """Positions, borders and names are always valid, whatever the model generates."""
    tokenizer = wordpiece(tmp_path)
    bart(len(tokenizer), max_position_embeddings=96).save_pretrained(tmp_path)
    kb = KnowledgeBase.from_concepts(CONCEPTS)
    linker = EndToEndLinker(load_model(tmp_path), kb, EndToEndOptions(chunk_words=20, beam=2))
    assert linker.marks == Marks.of(tokenizer)
    rng = random.Random(0)
    words = ["fever", "and", "lung", "[cold]", "xyz{", "cancer.", "Aspirin"]
    for _ in range(4):
        text = " ".join(rng.choice(words) for _ in range(60))
        document = linker(text)
        assert document.text == text
        last = 0
        for mention in document.mentions:
            assert mention.start >= last and mention.best is not None
            last = mention.end
