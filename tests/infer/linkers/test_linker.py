"""The linker over a tiny random model: every method, policy and stream."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biolink import Document, KnowledgeBase, Linker, LinkerOptions, Mention, NoNil, Threshold
from biolink.errors import ConfigError, ModelError
from biolink.infer.decide.nil import AnyOf, Likelier, Margin, NilPolicy, PostPruning
from biolink.infer.decide.written import policy_from, policy_values
from biolink.infer.mentions.hints import Hint, acronyms, appositions, hints
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.network.backbone import Memory
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.rank.beam_search import DecodingOptions
from biolink.infer.rank.features import column_of
from biolink.infer.rank.rescore import score_names
from biolink.infer.rank.scope import Scope
from biolink.infer.rank.task import Task
from biolink.infer.retrieve.dense import STEP, DenseIndex
from biolink.infer.retrieve.highest import highest
from biolink.kb import Concept
from biolink.kb.prompt import source_text
from biolink.kb.types import type_agreement
from biolink.pipeline import load
from tests.tiny_models import CONCEPTS, bart, wordpiece

TEXT = "spinal and bulbar muscular atrophy (SBMA) is ill. "
TEXT += "SBMA and fever and breast tumors with aspirin"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> LinkingModel:
    return load_model(model_folder)


def document(*words: str, text: str = TEXT, **fields: str) -> Document:
    mentions = []
    for word in words:
        start = text.index(word)
        mentions.append(Mention(start, start + len(word), word, **fields))
    return Document("1", text, mentions=tuple(mentions))


@pytest.mark.parametrize("method", ["combined", "generate", "candidates"])
def test_links_know_preferred_name_and_curie(model: LinkingModel, method: str) -> None:
    kb = KnowledgeBase.from_concepts(CONCEPTS, prefix="mesh")
    linker = Linker(model, kb, LinkerOptions(method=method))  # type: ignore[arg-type]
    for link in linker(document("breast tumor")).mentions[0].links:
        assert link.preferred_name == kb[link.concept_id].name
        assert link.curie == f"mesh:{link.concept_id}"


def test_combined_ranks_by_the_weights(model: LinkingModel, kb: KnowledgeBase) -> None:
    linker = Linker(model, kb, LinkerOptions(method="combined"))
    linked = linker(document("breast tumor", "aspirin"))
    assert [m.best.concept_id for m in linked.mentions] == ["D3", "D2"]
    links = linked.mentions[0].links
    assert [link.rank for link in links] == list(range(1, len(links) + 1))
    assert sum(link.probability for link in links) <= 1 + 1e-9
    assert [link.probability for link in links] == sorted(
        (x.probability for x in links), reverse=True
    )
    assert links[0].name == "breast tumor"


def test_short_forms_are_linked_through_their_long_form(
    model: LinkingModel, kb: KnowledgeBase
) -> None:
    text = TEXT
    start = text.rindex("SBMA")
    given = Document("1", text, mentions=(Mention(start, start + 4, "SBMA"),))
    best = Linker(model, kb)(given).mentions[0].best
    assert (best.concept_id, best.long_form) == ("D6", "spinal and bulbar muscular atrophy")
    plain = Linker(model, kb, LinkerOptions(abbreviations="none"))(given).mentions[0]
    assert plain.long_form is None


def test_shared_names_are_recorded_and_ranked(model: LinkingModel, kb: KnowledgeBase) -> None:
    best = Linker(model, kb)(document("fever", type="Disease")).mentions[0].best
    assert (best.concept_id, best.shared, best.also) == ("D1", True, ("D7",))
    best = Linker(model, kb)(document("fever", type="Chemical")).mentions[0].best
    assert best.concept_id == "D7"


def test_homonym_policy_order(model: LinkingModel) -> None:
    base = KnowledgeBase.from_concepts(
        [
            Concept("D9", "a", ("shared",), types=("Disease",)),
            Concept("D4", "b", ("shared",), types=("Chemical",)),
            Concept("D2", "shared", types=("Chemical",)),
            Concept("D1", "c", ("shared",), types=("Chemical",)),
        ]
    )
    linker = Linker(model, base, LinkerOptions(method="generate"))
    name_id = base.name_id("shared")
    assert name_id is not None
    # The order is: preferred name, then prior (that of D4 is larger), then type, then id.
    order = [base.id_at(row) for row in linker.scope.owners(name_id, "Disease")]
    assert order == ["D2", "D4", "D9", "D1"]
    rank = linker(document("fever"))
    every = Linker(model, base, LinkerOptions(method="generate", homonyms="all", top_k=20))
    links = every(document("fever")).mentions[0].links
    # There are all four owners, except those that came earlier by another name.
    own = [link.name for link in links if link.name != "shared"]
    shared = [link.concept_id for link in links if link.name == "shared"]
    assert len(shared) + len(own) == 4
    assert shared == [concept_id for concept_id in order if concept_id in shared] and shared
    assert [link.name for link in rank.mentions[0].links].count("shared") == 1
    matching = Linker(model, base, LinkerOptions(method="generate", match_types=True))
    assert [base.id_at(r) for r in matching.scope.owners(name_id, "Disease")] == ["D9"]


@pytest.mark.parametrize("method", ["combined", "generate", "candidates"])
def test_results_do_not_depend_on_batch_or_order(
    model: LinkingModel, kb: KnowledgeBase, method: str
) -> None:
    words = ("fever", "breast tumor", "aspirin", "bulbar", "atrophy", "ill")
    documents = [document(word) for word in words] + [document(*words)]
    one = Linker(model, kb, LinkerOptions(method=method, batch_size=1))
    many = Linker(model, kb, LinkerOptions(method=method, batch_size=32))
    first = list(one.pipe(documents, batch_size=1))
    second = list(many.pipe(documents))
    third = list(many.pipe(documents[::-1]))[::-1]
    for other in (second, third):
        for a, b in zip(first, other, strict=True):
            for m, n in zip(a.mentions, b.mentions, strict=True):
                assert [x.concept_id for x in m.links] == [x.concept_id for x in n.links]
                scores = [x.score for x in n.links]
                assert [x.score for x in m.links] == pytest.approx(scores, abs=1e-4)


def test_generated_names_are_names_of_the_kb(model: LinkingModel, kb: KnowledgeBase) -> None:
    options = LinkerOptions(method="generate", decoding=DecodingOptions(beam=50), top_k=50)
    links = Linker(model, kb, options)(document("fever")).mentions[0].links
    assert {link.concept_id for link in links} == {c.id for c in kb} - {"D7"} | {"D7"}
    for link in links:
        assert link.concept_id in {c.id for c in kb.lookup(link.name)}
        assert 0 <= link.probability <= 1


def test_names_first_links_names_without_the_model(
    model: LinkingModel, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("fever", "aspirin", "ill")
    plain = Linker(model, kb, LinkerOptions(method="generate"))(document(*words))
    linker = Linker(model, kb, LinkerOptions(method="generate", names_first=True))
    read: list[str] = []

    def counted(self: LinkingModel, sources: list[str], spans: Any) -> tuple[Memory, np.ndarray]:
        read.extend(sources)
        return unwatched(self, sources, spans)

    unwatched = LinkingModel.read
    monkeypatch.setattr(LinkingModel, "read", counted)
    first, second, third = linker(document(*words, type="Disease")).mentions
    assert len(read) == 1  # "ill" is no name
    assert [(x.concept_id, x.name, x.score, x.probability) for x in first.links] == [
        ("D1", "Fever", 0.0, 1.0),
        ("D7", "fever", 0.0, 1.0),
    ]
    # After the owners come names that begin with the mention.
    longer = linker(document("cancer", text="cancer")).mentions[0].links
    assert [x.name for x in longer] == ["Cancer", "cancer", "cancer of the breast"]
    assert [x.concept_id for x in longer] == ["D5", "D4", "D3"]
    size = len(model.name_tokens(["cancer"])[0])
    share = size / len(model.name_tokens(["cancer of the breast"])[0])
    assert [x.probability for x in longer] == [1.0, 1.0, pytest.approx(share)]
    assert longer[2].score == pytest.approx(math.log(share))
    assert len(read) == 1
    alone = Linker(model, kb, LinkerOptions(method="generate", names_first=True, top_k=1))
    assert [x.concept_id for x in alone(document("fever")).mentions[0].links] == ["D1"]
    assert (first.best.also, second.best.concept_id) == (("D7",), "D2")
    assert [x.concept_id for x in third.links] == [x.concept_id for x in plain.mentions[2].links]
    # Case and punctuation do not matter.
    other = Document("1", "FEVER; is", mentions=(Mention(0, 6, "FEVER;"),))
    assert linker(other).mentions[0].best.score == 0.0
    # Only names of the part count; if the type of no owner matches, the model decides.
    part = linker.with_kb(kb.subset(types={"Chemical"}))
    assert [m.best.concept_id for m in part(document("fever", "aspirin")).mentions] == ["D7", "D2"]
    read.clear()
    diseases = kb.subset(types={"Disease"})
    assert linker.with_kb(diseases)(document("aspirin")).mentions[0].best.concept_id != "D2"
    matching = LinkerOptions(method="generate", names_first=True, match_types=True)
    strict = Linker(model, diseases, matching)(document("fever", type="Chemical"))
    assert len(read) == 2 and "D1" not in {x.concept_id for x in strict.mentions[0].links}
    nothing = linker.with_kb(kb.subset(ids=[]))(document("fever")).mentions[0]
    assert nothing.best is None and nothing.nil_reason
    with pytest.raises(ConfigError, match="names_first needs the method generate"):
        LinkerOptions(names_first=True)


def test_generation_equals_exhaustive_scoring_of_all_names(
    model: LinkingModel, kb: KnowledgeBase
) -> None:
    options = LinkerOptions(method="generate", decoding=DecodingOptions(beam=60), top_k=60)
    linker = Linker(model, kb, options)
    task_document = document("fever")
    links = linker(task_document).mentions[0].links
    exhaustive = Linker(model, kb, LinkerOptions(method="candidates", top_k=60))
    mention = task_document.mentions[0]
    source = source_text(task_document.text, mention.start, mention.end, model.form, "fever")
    ids = np.arange(kb.name_slots)
    memory, _ = model.read([source])
    ((sums, lengths),) = score_names(exhaustive.scope, [Task(source, "fever", "")], memory, [ids])
    means = sums / lengths
    best = int(means.argmax())
    assert links[0].score == pytest.approx(float(means[best]), abs=1e-4)
    assert kb.id_at(kb.owners(best)[0]) == links[0].concept_id
    assert links[0].probability == pytest.approx(math.exp(means[best]), abs=1e-4)


def test_subset_switches_without_building(model: LinkingModel, kb: KnowledgeBase) -> None:
    for method in ("combined", "generate", "candidates"):
        linker = Linker(model, kb, LinkerOptions(method=method, top_k=20))
        linker(document("fever"))
        part = linker.with_kb(kb.subset(types={"Chemical"}))
        assert part.indexes is linker.indexes
        mention = part(document("fever")).mentions[0]
        assert {link.concept_id for link in mention.links} == {"D2", "D7"} or (
            method == "candidates" and {x.concept_id for x in mention.links} == {"D7"}
        )
        assert all(not link.shared for link in mention.links)
        # The first linker is unchanged.
        assert len(linker(document("fever")).mentions[0].links) > 1
        nothing = linker.with_kb(kb.subset(ids=[]))
        assert nothing(document("fever")).mentions[0].nil_reason == "no candidate"


def test_another_kb_takes_over_known_embeddings(model: LinkingModel, kb: KnowledgeBase) -> None:
    linker = Linker(model, kb)
    other = kb.with_names([("D5", "malignant ill"), ("none", "x")])
    switched = linker.with_kb(other)
    best = switched(document("ill")).mentions[0].best
    assert best.concept_id == "D5"
    # A concept that the first knowledge base did not have is found now.
    assert other["none"].name == "x"
    fresh = Linker(model, other)
    a, b = switched.indexes.dense, fresh.indexes.dense
    every = np.arange(len(a.name_ids))
    for vector in model.embed(["fever", "cold"]):
        mine, other = (x.cosines(x.queries(vector[None])[0], every) for x in (a, b))
        assert np.abs(mine - other).max() < 0.05


def test_mentions_of_the_training_data_count(model: LinkingModel, kb: KnowledgeBase) -> None:
    linker = Linker(model, kb)
    seen = document("pulmonary growth", text="a pulmonary growth")
    links = linker(seen).mentions[0].links
    assert [link.concept_id for link in links[:2]] == ["D4", "D5"]
    # Concepts that the knowledge base lacks do not count.
    part = linker.with_kb(kb.subset(ids=["D1", "D5"]))
    assert part(seen).mentions[0].best.concept_id == "D5"


def test_an_apposition_gives_the_meaning_of_a_code(model: LinkingModel, kb: KnowledgeBase) -> None:
    text = "Kennedy disease (KX-77) is rare. We saw KX-77 here."
    spans = [(0, 15), (17, 22), (40, 45)]
    mentions = [Mention(a, b, text[a:b], "Disease") for a, b in spans]
    linked = Linker(model, kb)(Document("1", text, mentions=tuple(mentions)))
    assert [m.best.concept_id for m in linked.mentions] == ["D6"] * 3
    # With another type, or without brackets, there is no apposition.
    assert appositions(Document("1", text, mentions=tuple(mentions[1:]))) == {}
    chemical = replace(mentions[1], type="Chemical")
    assert appositions(Document("1", text, mentions=(mentions[0], chemical))) == {}


def test_a_short_mention_stands_for_one_with_its_letters(
    model: LinkingModel, kb: KnowledgeBase
) -> None:
    text = "SBMA is spinal and bulbar muscular atrophy, not fever. K or F?"
    spans = [(0, 4), (8, 42), (48, 53), (55, 56), (60, 61)]
    mentions = [Mention(a, b, text[a:b], "Disease") for a, b in spans]
    document = Document("1", text, mentions=tuple(mentions))
    # A single letter means the only mention that begins with it.
    assert acronyms(document) == {"SBMA": text[8:42], "F": "fever"}
    assert acronyms(document.with_mentions([mentions[0], replace(mentions[1], type="x")])) == {}
    linked = Linker(model, kb, LinkerOptions(abbreviations="none"))(document)
    assert linked.mentions[0].best.concept_id == "D6"


def test_other_documents_give_the_meaning_of_a_short_form(
    model: LinkingModel, kb: KnowledgeBase
) -> None:
    assert model.ranker is not None
    plural = document("BTs", text="two BTs here")
    assert hints(plural, model.ranker.abbreviations) == [
        (Hint("abbreviation", "breast tumor", 0.75),)
    ]
    assert Linker(model, kb)(plural).mentions[0].best.concept_id == "D3"
    # This does not apply if the document defines the short form.
    defined = document("BT", text="a breast thing (BT)")
    (mention,) = Linker(model, kb)(defined).mentions
    assert mention.long_form == "breast thing"


def test_a_mention_is_read_in_its_context(model: LinkingModel) -> None:
    form = model.form
    sources = [f"{form.start_marker} fever {form.end_marker} with cold", "fever with cold"]
    _, vectors = model.read(sources)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with torch.inference_mode():
        ids, mask = model.tokens(sources[:1], 64)
        states = model.backbone.encode(ids, mask)[0]
    place = ids[0].tolist().index(model.tokenizer.convert_tokens_to_ids(form.start_marker))
    mean = states[place : place + 3].mean(0)
    assert np.allclose(vectors[0], (mean / mean.norm()).numpy(), atol=1e-4)


def test_threshold_gives_nil_with_a_reason(model: LinkingModel, kb: KnowledgeBase) -> None:
    mention = Linker(model, kb, nil=Threshold(1.0))(document("ill")).mentions[0]
    assert mention.best is None
    assert "below threshold 1" in (mention.nil_reason or "")
    assert Linker(model, kb, nil=NoNil())(document("ill")).mentions[0].best is not None
    with pytest.raises(ConfigError, match="0 to 1"):
        Threshold(1.5)


def test_a_found_mention_is_nil_if_that_is_likelier(model: LinkingModel, kb: KnowledgeBase) -> None:
    def recogniser(document: Document) -> Document:
        return document.with_mentions([Mention(0, 3, "ill"), Mention(4, 11, "aspirin")])

    found, known = Linker(model, kb, recogniser=recogniser)("ill aspirin").mentions
    assert found.best is None
    assert "NIL has probability" in (found.nil_reason or "")
    assert known.best is not None
    # A given mention is linked, and so is a found one on request.
    given = recogniser(Document("1", "ill aspirin"))
    assert Linker(model, kb)(given).mentions[0].best is not None
    always = Linker(model, kb, nil=NoNil(), recogniser=recogniser)
    assert always("ill aspirin").mentions[0].best is not None


def test_links_to_a_part_are_pruned_by_the_whole(model: LinkingModel, kb: KnowledgeBase) -> None:
    part = kb.subset(ids=["D3", "D5"])
    given = document("breast tumor", "aspirin")

    def linked(nil: NilPolicy | None) -> list[Mention]:
        return list(Linker(model, part, nil=nil)(given).mentions)

    direct = linked(None)
    assert direct[0].best is not None and direct[0].best.concept_id == "D3"
    assert direct[1].best is not None and direct[1].best.concept_id in ("D3", "D5")
    pruned = linked(PostPruning())
    assert [m.best and m.best.concept_id for m in pruned] == ["D3", None]
    assert "D2" in (pruned[1].nil_reason or "") and "outside" in (pruned[1].nil_reason or "")
    # Probabilities refer to the whole knowledge base, and every link is in the part.
    whole = Linker(model, kb)(given).mentions[0]
    assert pruned[0].best.probability == pytest.approx(whole.best.probability)
    assert {link.concept_id for m in pruned for link in m.links} <= {"D3", "D5"}
    # With a wide margin, no mention with a candidate inside is pruned.
    wide = linked(Margin(1e9))[1]
    assert wide.best is not None or "nothing is inside" in (wide.nil_reason or "")
    both = linked(AnyOf((Threshold(1.0), PostPruning())))
    assert "threshold" in (both[0].nil_reason or "")
    # With the whole knowledge base nothing is pruned.
    assert Linker(model, kb, nil=PostPruning())(given).mentions[1].best.concept_id == "D2"


def test_policies_are_saved_and_checked() -> None:
    policy = AnyOf((Threshold(0.25), Margin(2.0), PostPruning(), Likelier(), NoNil()))
    assert policy_from(json.loads(json.dumps(policy_values(policy)))) == policy
    with pytest.raises(ConfigError, match="unknown NIL policy 'often'"):
        policy_from({"kind": "often"})
    with pytest.raises(ConfigError, match="threshold"):
        policy_from({"kind": "threshold", "level": 1})
    with pytest.raises(ConfigError, match="at least 0"):
        Margin(-1.0)


def test_pipe_streams_and_keeps_order(model: LinkingModel, kb: KnowledgeBase) -> None:
    linker = Linker(model, kb, recogniser=DictionaryRecogniser(kb))
    taken = []

    def source() -> object:
        for number in range(100):
            taken.append(number)
            yield Document(str(number), "a fever")

    stream = linker.pipe(source(), batch_size=4)  # type: ignore[arg-type]
    assert [next(stream).id for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) <= 8
    assert next(iter(linker.pipe(["a fever"]))).mentions[0].best is not None
    with pytest.raises(ConfigError, match="needs a recogniser"):
        list(Linker(model, kb).pipe(["x"], recognise=True))


def test_offsets_stay_the_same(model: LinkingModel, kb: KnowledgeBase) -> None:
    text = "𝛼\u0301 SBMA\r\n(fever\u00a0) 😀 breast-tumors"
    linked = Linker(model, kb, recogniser=DictionaryRecogniser(kb))(text)
    assert linked.text == text
    assert [m.text for m in linked.mentions] == ["fever", "breast-tumors"]
    for mention in linked.mentions:
        assert text[mention.start : mention.end] == mention.text


def test_genbioel_layout_loads(tmp_path: Path, kb: KnowledgeBase) -> None:
    """A checkpoint with a byte-level BPE tokeniser, text markers and no biolink.json."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import BartTokenizer

    corpus = [name for concept in kb for name in concept.names] * 3 + ["START END is"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        corpus, vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    )
    folder = tmp_path / "genbioel"
    folder.mkdir()
    trained.save_model(str(folder))
    tokenizer = BartTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    model = bart(
        len(tokenizer), pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
        forced_eos_token_id=2,
    )  # fmt: skip
    # Derivatives of BART have these settings, which must not reach the search.
    model.generation_config.update(
        no_repeat_ngram_size=3, num_beams=4, early_stopping=True, forced_bos_token_id=0
    )
    model.save_pretrained(folder)
    linker = load(model=folder, kb=kb, top_k=3)
    assert linker.options.method == "generate"
    assert linker.model.form.start_marker == "START"
    assert linker.model.form.window == 384
    mention = linker(document("fever")).mentions[0]
    assert len(mention.links) == 3
    assert all(kb.lookup(link.name) for link in mention.links)
    # The name follows the prompt, so it is tokenised with a leading space.
    (ids,) = linker.model.name_tokens(["fever"])
    assert linker.model.tokenizer.decode(ids[:-1]) == " fever"
    (prompt,) = linker.model.prompts(["Fever"])
    assert prompt[0] == 2
    assert linker.model.tokenizer.decode(prompt[1:]) == "fever is"


def test_bad_models_are_one_clear_error(tmp_path: Path, kb: KnowledgeBase) -> None:
    with pytest.raises(ModelError, match="is not a folder; expected a model folder"):
        load_model(tmp_path / "none")
    (tmp_path / "biolink.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path)
    folder = tmp_path / "plain"
    folder.mkdir()
    tokenizer = wordpiece(folder)
    bart(len(tokenizer)).save_pretrained(folder)
    with pytest.raises(ConfigError, match="no weights for method='combined'"):
        load(model=folder, kb=kb, method="combined")
    with pytest.raises(ConfigError, match="unknown options"):
        load(model=folder, kb=kb, speed="high")


def test_indexes_are_cached_beside_a_stored_kb(
    model: LinkingModel, kb: KnowledgeBase, tmp_path: Path
) -> None:
    kb.save(tmp_path / "x.kb")
    stored = KnowledgeBase.open(tmp_path / "x.kb")
    first = Linker(model, stored)
    expected = first(document("fever"))
    assert first.trie.nodes > 1
    kinds = sorted(p.name.split("-")[0] for p in (tmp_path / "x.kb" / "index").iterdir())
    assert kinds == ["dense", "lexical", "trie"]
    again = Linker(model, KnowledgeBase.open(tmp_path / "x.kb"))
    linked = again(document("fever"))
    assert [x.concept_id for x in linked.mentions[0].links] == [
        x.concept_id for x in expected.mentions[0].links
    ]
    # A damaged cache is built again.
    for file in (tmp_path / "x.kb" / "index").glob("*/codes.npy"):
        file.write_bytes(b"")
    assert Linker(model, KnowledgeBase.open(tmp_path / "x.kb"))(document("fever")).mentions[0].best


def test_dense_index_orders_as_the_full_vectors() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = DenseIndex.compress(vectors, np.arange(200))
    queries = index.queries(vectors[:10])
    similar = np.stack([index.cosines(query, np.arange(200)) for query in queries])
    errors = similar - vectors[:10] @ vectors.T
    assert np.sqrt((errors**2).mean()) == pytest.approx(STEP / np.sqrt(12), rel=0.1)
    assert np.abs(errors).max() < 0.06
    assert similar.argmax(1).tolist() == list(range(10))
    odd = np.arange(200) % 2 == 1
    every, of_odd = index.search(queries, 10, [None, odd])
    for cosines, near, near_odd in zip(similar, every, of_odd, strict=True):
        # Queries are rounded, so only the last of the nearest may differ.
        best = set(np.argsort(-cosines)[:10].tolist())
        assert len(best & set(near.tolist())) >= 8
        assert near_odd.tolist() == sorted(near_odd) and odd[near_odd].all()
        best = set(np.argsort(-np.where(odd, cosines, -2))[:10].tolist())
        assert len(best & set(near_odd.tolist())) >= 8
    assert [found.tolist() for found in index.search(queries[3:4], 10)[0]] == [every[3].tolist()]


def test_type_agreement() -> None:
    known = {"disease", "chemical"}
    assert type_agreement("SpecificDisease", ("Disease",), known) == 1
    assert type_agreement("Chemical", ("Disease",), known) == -1
    assert type_agreement("Gene", ("Disease",), known) == 0
    assert type_agreement("", ("Disease",), known) == 0


def test_padding_does_not_change_embeddings(model: LinkingModel) -> None:
    both = model.embed(["fever", "spinal and bulbar muscular atrophy of the breast"])
    alone = model.embed(["fever"])
    assert both[0].tobytes() == alone[0].tobytes()
    assert np.linalg.norm(both, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert torch.is_inference_mode_enabled() is False


def test_generation_scores_candidates_it_can_bring_to_the_top(
    model: LinkingModel, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    linker = Linker(model, kb, LinkerOptions(method="combined"))
    scored: list[int] = []

    def counted(scope: Scope, tasks, memory, name_ids):  # type: ignore[no-untyped-def]
        scored.append(sum(map(len, name_ids)))
        return score_names(scope, tasks, memory, name_ids)

    monkeypatch.setattr("biolink.infer.rank.combined.score_names", counted)
    text = document("breast tumor", "aspirin")
    some = linker(text)
    tasks = linker.tasks(text)
    every = linker.candidates(tasks)
    assert 0 < scored[0] < scored[1]
    assert all((c.features[:, column_of("generation_sum")] < 0).all() for c in every)
    monkeypatch.setattr("biolink.infer.rank.combined.GENERATION_MARGIN", math.inf)
    for one, other in zip(some.mentions, linker(text).mentions, strict=True):
        assert one.best is not None and other.best is not None
        assert one.best.concept_id == other.best.concept_id
        # This model's weights of generation are 0, so nothing may change.
        assert one.best.probability == pytest.approx(other.best.probability)


@pytest.mark.parametrize("size", [5, 70, 5000, 5001])
def test_the_best_scores_are_selected(size: int) -> None:
    rng = np.random.default_rng(size)
    for scores in (rng.random(size), rng.integers(0, 3, size), np.zeros(size), np.arange(size)):
        found = highest(scores.astype(np.float32), 7)
        wanted = np.lexsort((np.arange(size), -scores))[:7]
        assert sorted(found.tolist()) == sorted(wanted.tolist())
