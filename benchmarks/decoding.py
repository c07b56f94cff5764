"""Compare constrained decoding with transformers' ``generate`` and a dict trie.

    python benchmarks/decoding.py [--quick] [--data ../shared/data] [--json FILE]

There are two models: the embedded default, and one of the size of bart-base with random weights,
whose output projection is scaled so that its choices are about as certain as those of a trained
model. Both decode the same mentions of the example abstracts, in a context of at most 64 tokens,
with a trie of a million real and made names, a beam of five, and torch's threads. ``generate`` is
measured at several batch sizes, and ratios are to its best. All sides are measured in turn, and the
spread of a ratio is over the repetitions.

*Fast* searches until the best name is decided, and *fast, five names* until the best five are, as
the linker does when it is asked for five. *Names first* searches only for mentions that are not
names themselves; for the others it returns the names that begin with the mention.

With ``--data`` it also measures the accuracy of the faster forms on development documents, for the
embedded default by generation alone and as it is, and the accuracy of alternatives.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import REPEATS, arguments, clocked, machine, ratios, record, spread
from names import recombined_rows
from torch import Tensor

import biolink
from biolink import KnowledgeBase
from biolink.documents import Document, Mention
from biolink.evaluation.baselines import by_names, exact
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.infer.network import backbone as backbones
from biolink.infer.network import encoder
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.precision import Int8Linear, PackedLinear, in_precision
from biolink.infer.rank import beam_search
from biolink.infer.rank.beam_search import EXACT, FAST, DecodingOptions, constrained_beam_search
from biolink.infer.rank.task import LinkerOptions, Task
from biolink.kb.names import normalise_name
from biolink.kb.prompt import source_text
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED

ABSTRACTS = Path(__file__).parents[1] / "examples" / "data" / "bc5cdr_20.PubTator"
BATCH = 32
SOURCE = 64  # The most tokens of a mention in its context.
SHARPNESS = 8.0  # The scale of the random model's output projection.


def source(model: LinkingModel, text: str, mention: Mention, written: str) -> str:
    """Return the mention with as many words of context as fit into :data:`SOURCE` tokens."""
    for window in range(model.form.window, 0, -1):
        form = replace(model.form, window=window)
        in_context = source_text(text, mention.start, mention.end, form, written)
        if len(model.tokenizer(in_context)["input_ids"]) <= SOURCE:
            break
    return in_context


def tasks(model: LinkingModel, count: int) -> list[Task]:
    """Return distinct mentions of the example abstracts, shortest source first."""
    distinct: dict[Task, None] = {}
    for document in biolink.read(ABSTRACTS):
        document = expand_document(document, find_abbreviations)
        for m in document.mentions:
            written = m.long_form or m.text
            distinct[Task(source(model, document.text, m, written), written, m.type)] = None
    return sorted(list(distinct)[:count], key=lambda task: len(task.source))


def nested_dict(trie: NameTrie) -> dict[int, Any]:
    root: dict[int, Any] = {}
    for sequence, _ in trie:
        node = root
        for token in sequence:
            node = node.setdefault(token, {})
    return root


@dataclass(frozen=True)
class Batch:
    ids: Tensor
    mask: Tensor
    prompts: list[list[int]]
    tasks: Sequence[Task]


#: A function that runs a batch, and the batches to run.
Side = tuple[Callable[[Batch], Any], list[Batch]]


def batches(model: LinkingModel, every: Sequence[Task], size: int) -> list[Batch]:
    """Return tokenised batches; tokenisation is the same for all sides and is not measured."""
    parts = [every[begin : begin + size] for begin in range(0, len(every), size)]
    return [
        Batch(
            *model.tokens([t.source for t in part], model.backbone.max_source),
            model.prompts([t.mention for t in part]),
            part,
        )
        for part in parts
    ]


def with_generate(backbone: Backbone, tree: dict[int, Any], batch: Batch) -> list[list[int]]:
    """Return the tokens of the best name of each mention, by transformers' ``generate``."""
    size = max(map(len, batch.prompts))
    # generate needs prompts that are padded on the left, and a mask for the padding.
    padded = torch.tensor([[backbone.pad_id] * (size - len(p)) + p for p in batch.prompts])
    eos = backbone.eos_id

    def allowed(_: int, sequence: Tensor) -> list[int]:
        node = tree
        for token in sequence.tolist()[size:]:
            node = node.get(token, {})
        return list(node) or [eos]

    output = backbone.model.generate(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        decoder_input_ids=padded,
        decoder_attention_mask=(padded != backbone.pad_id).long(),
        prefix_allowed_tokens_fn=allowed,
        num_beams=5,
        max_new_tokens=100,
        early_stopping=False,
        length_penalty=1.0,
    )
    names = output[:, size:].tolist()
    return [row[: row.index(eos) + 1] if eos in row else row for row in names]


@torch.inference_mode()
def with_biolink(
    backbone: Backbone, trie: NameTrie, options: DecodingOptions, batch: Batch
) -> list[list[int]]:
    """Return the leaf of each mention's best name, as a list of one."""
    memory = backbone.memory(backbone.encode(batch.ids, batch.mask), batch.mask)
    beams = constrained_beam_search(backbone, trie, memory, batch.prompts, options)
    return [[hypotheses[0].leaf] for hypotheses in beams]


def names_first(
    model: LinkingModel,
    backbone: Backbone,
    trie: NameTrie,
    options: DecodingOptions,
    batch: Batch,
) -> list[list[int]]:
    """Return the same as :func:`with_biolink`, which decodes only mentions that are not names.

    These are tokenised and decoded as in the linker, :data:`BATCH` at a time.
    """
    most = 1 if options.keep == 1 else 2 * options.keep
    named = model.named(trie, [task.mention for task in batch.tasks], most)
    left = [index for index, leaves in enumerate(named) if not leaves]
    decoded = [
        leaf
        for part in batches(model, [batch.tasks[index] for index in left], BATCH)
        for (leaf,) in with_biolink(backbone, trie, options, part)
    ]
    searched = dict(zip(left, decoded, strict=True))
    return [[leaves[0][0] if leaves else searched[index]] for index, leaves in enumerate(named)]


def of_base_size(model: LinkingModel) -> Backbone:
    """Return a model of the size of bart-base with random weights, for the embedded tokens."""
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    known = model.backbone.config
    config = BartConfig(
        vocab_size=50_265,
        d_model=768,
        encoder_layers=6,
        decoder_layers=6,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        tie_word_embeddings=False,
        **{
            name: getattr(known, name)
            for name in ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
        },
        forced_eos_token_id=None,
    )
    random = BartForConditionalGeneration(config).eval()
    with torch.no_grad():
        random.lm_head.weight.normal_(std=0.02 * SHARPNESS)
    return Backbone(random)


# ---------------------------------------------------------------------- profile


@contextmanager
def clocked_search() -> Iterator[dict[str, float]]:
    """Seconds inside the parts of a search, and rows of the decoder.

    Attention is a part of the decoder and the encoder; matrix products, of all but the search.
    """
    parts = (
        (Backbone, "encode", "encoder"),
        (Backbone, "memory", "keys and values"),
        (Backbone, "decode", "decoder"),
        (beam_search._Search, "_log_softmax", "projection"),
        (beam_search._Search, "_past_of", "reordering"),
        (beam_search._Search, "_shrink", "reordering"),
        (encoder, "attend", "attention"),
        (backbones, "attend", "attention"),
        (PackedLinear, "forward", "matrix products"),
        (PackedLinear, "plus", "matrix products"),
        (Int8Linear, "of_quantised", "matrix products"),
    )
    with clocked(*parts) as seconds:
        timed = Backbone.decode

        def counted(self: Backbone, tokens: Tensor, *given: Any) -> Any:
            seconds["rows"] = seconds.get("rows", 0) + tokens.shape[0]
            return timed(self, tokens, *given)

        Backbone.decode = counted
        yield seconds


def profile(run: Callable[[Batch], Any], given: Sequence[Batch]) -> dict[str, float]:
    """Shares of the time, and rows of the decoder for each mention."""
    with clocked_search() as seconds:
        began = time.perf_counter()
        for batch in given:
            run(batch)
        total = time.perf_counter() - began
    rows = seconds.pop("rows") / sum(len(batch.prompts) for batch in given)
    parts = ("encoder", "keys and values", "decoder", "projection", "reordering")
    shares = {part: seconds[part] / total for part in parts}
    shares["search"] = 1 - sum(shares.values())
    inner = {f"({part} in it)": seconds[part] / total for part in ("attention", "matrix products")}
    return {**shares, **inner, "rows": rows}


# ---------------------------------------------------------------------- speed


def rate(run: Callable[[Batch], Any], given: Sequence[Batch]) -> float:
    gc.collect()
    began = time.perf_counter()
    for batch in given:
        run(batch)
    return sum(len(batch.prompts) for batch in given) / (time.perf_counter() - began)


def speed(
    label: str,
    model: LinkingModel,
    backbone: Backbone,
    trie: NameTrie,
    tree: dict[int, Any],
    every: Sequence[Task],
    quick: bool,
) -> dict[str, Any]:
    fp32, int8 = (Backbone(in_precision(backbone.model, kind)) for kind in ("fp32", "int8"))
    # generate gets fewer mentions, spread over all lengths: it takes its time.
    some = every[:: 4 if label != "embedded" else 2]
    sides: dict[str, Side] = {}
    for size in (8,) if quick else (4, 8, 16, 32):
        sides[f"generate + dict trie, batch {size}"] = (
            lambda batch: with_generate(backbone, tree, batch),
            batches(model, some, size),
        )
    ours = batches(model, every, BATCH)
    whole = batches(model, every, len(every))
    five = replace(FAST, keep=5)
    for kind, weights in (("fp32", fp32), ("int8", int8)):
        for name, options in (("exact rule", EXACT), ("fast", FAST), ("fast, five names", five)):
            sides[f"{name}, {kind}"] = (
                lambda batch, weights=weights, options=options: with_biolink(
                    weights, trie, options, batch
                ),
                ours,
            )
        for name, options in (("names first", FAST), ("names first, five names", five)):
            sides[f"{name}, {kind}"] = (
                lambda batch, weights=weights, options=options: names_first(
                    model, weights, trie, options, batch
                ),
                whole,
            )
    for run, given in sides.values():
        run(given[0])  # warm
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 if quick else REPEATS):
        for name, (run, given) in sides.items():
            rates[name].append(rate(run, given))
    best = max((n for n in rates if n.startswith("generate")), key=lambda n: sum(rates[n]))
    tokens = sum(int(b.mask.sum()) for b in ours) / len(every)
    print(
        f"\n{label}: {len(every)} mentions of {tokens:.0f} source tokens ({len(some)} for generate)"
    )
    named = sum(map(bool, model.named(trie, [task.mention for task in every])))
    print(f"\nnames themselves: {named} of {len(every)} mentions")
    print("\n| side | mentions/s | ratio to generate's best |\n| --- | --- | --- |")
    for name, values in rates.items():
        print(f"| {name} | {spread(values, 1, 2)} | {spread(ratios(values, rates[best]), 1, 2)} |")
    agreement(sides, batches(model, some, 1), trie)
    profiles = {n: profile(*side) for n, side in sides.items() if not n.startswith("generate")}
    columns = list(next(iter(profiles.values())))
    print("\n| side | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    for name, shares in profiles.items():
        cells = [f"{v:.1f}" if c == "rows" else f"{v:.1%}" for c, v in shares.items()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return {"rates": rates, "best": best, "profiles": profiles}


def agreement(
    sides: dict[str, tuple[Callable[[Batch], Any], list[Batch]]],
    given: Sequence[Batch],
    trie: NameTrie,
) -> None:
    """Print how often the best name of each side is that of ``generate``."""
    first = next(iter(sides))
    theirs = [trie.walk(name) for batch in given for name in sides[first][0](batch)]
    for name, (run, _) in sides.items():
        if not name.startswith("generate"):
            ours = [leaf for batch in given for (leaf,) in run(batch)]
            same = sum(a == b for a, b in zip(theirs, ours, strict=True))
            print(f"\nsame best name as generate, {name}: {same} of {len(ours)}")


# ---------------------------------------------------------------------- accuracy


def documents_of(data: Path, mentions: int) -> dict[str, list[Document]]:
    """Development documents of both corpora, in turn until they have so many mentions."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
    from corpora import development_documents

    chosen: dict[str, list[Document]] = {"NCBI disease": [], "BC5CDR": []}
    count = 0
    for pair in zip(*development_documents(data), strict=False):
        for of_corpus, document in zip(chosen.values(), pair, strict=True):
            if count < mentions:
                of_corpus.append(document)
                count += len(document.mentions)
    return chosen


def recall(linked: Sequence[Document], kb: KnowledgeBase, k: int) -> float:
    """Share of the mentions whose gold is among the first k, in percent."""
    hits = total = 0
    for document in linked:
        for mention in document.mentions:
            gold = {kb.resolve(i) or i for i in mention.concept_ids}
            hits += any(link.concept_id in gold for link in mention.links[:k])
            total += 1
    return 100 * hits / total


def compared(together: Sequence[Document], alone: Sequence[Document]) -> str:
    """Return how far links in a batch are the same as links one by one."""
    pairs = [
        (a.links, b.links)
        for one, other in zip(together, alone, strict=True)
        for a, b in zip(one.mentions, other.mentions, strict=True)
    ]
    first = sum([x.concept_id for x in a[:1]] == [x.concept_id for x in b[:1]] for a, b in pairs)
    every = sum([x.concept_id for x in a] == [x.concept_id for x in b] for a, b in pairs)
    apart = max(
        abs(x.score - y.score)
        for a, b in pairs
        for x, y in zip(a, b, strict=False)
        if x.concept_id == y.concept_id
    )
    return (
        f"{first} of {len(pairs)} have the same best as among others, {every} the same concepts in "
        f"the same order, whose scores differ by {apart:.2g} at most"
    )


def accuracy(data: Path, mentions: int) -> dict[str, Any]:
    corpora = documents_of(data, mentions)
    documents = [document for of_corpus in corpora.values() for document in of_corpus]
    count = sum(len(d.mentions) for d in documents)
    model = load_model(EMBEDDED / "model", light=True)
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    weights = {kind: model.in_precision(kind) for kind in ("fp32", "int8")}
    generation = {
        "exact rule, fp32": ("fp32", LinkerOptions("generate", decoding=EXACT)),
        "fast, fp32": ("fp32", LinkerOptions("generate")),
        "fast, int8": ("int8", LinkerOptions("generate")),
        "fast, int8, one by one": ("int8", LinkerOptions("generate", batch_size=1)),
        "fast, the best alone, fp32": ("fp32", LinkerOptions("generate", top_k=1)),
        "fast, the best alone, int8": ("int8", LinkerOptions("generate", top_k=1)),
        "names first, fp32": ("fp32", LinkerOptions("generate", names_first=True)),
        "names first, int8": ("int8", LinkerOptions("generate", names_first=True)),
    }
    default = {
        "fp32": ("fp32", LinkerOptions()),
        "int8": ("int8", LinkerOptions()),
        "int8, one by one": ("int8", LinkerOptions(batch_size=1)),
    }
    print(f"\n{count} mentions of {len(documents)} development documents, embedded base")
    columns = [f"{c}, Recall@{k}" for c in (*corpora, "both") for k in (1, 5)]
    print(f"\n| linker | {' | '.join(columns)} | same best as the first of its kind |")
    print("|" + " --- |" * (len(columns) + 2))
    results: dict[str, Any] = {}
    for method, plans in (("generation", generation), ("combined (default)", default)):
        first: list[str | None] | None = None
        together: list[Document] = []
        for name, (kind, options) in plans.items():
            linker = Linker(weights[kind], kb, options)
            linked = list(linker.pipe(documents, recognise=False))
            best = [m.best.concept_id if m.best else None for d in linked for m in d.mentions]
            first = first or best
            same = sum(a == b for a, b in zip(first, best, strict=True))
            ncbi = len(corpora["NCBI disease"])
            # A linker that gives one concept has no Recall@5.
            row = [
                recall(part, kb, k) if k <= options.top_k else None
                for part in (linked[:ncbi], linked[ncbi:], linked)
                for k in (1, 5)
            ]
            results[f"{method}, {name}"] = {"recall": row, "same": same, "of": len(best)}
            cells = " | ".join("" if value is None else f"{value:.2f}" for value in row)
            print(
                f"| {method}, {name} | {cells} | {same} of {len(best)} ({same / len(best):.2%}) |",
                flush=True,
            )
            if options.names_first:
                named = sum(m.links[0].score == 0 for d in linked for m in d.mentions if m.links)
                print(f"\nlinked as names themselves: {named} of {len(best)}\n")
            if options.batch_size == 1:
                alone = compared(together, linked)
                print(f"\n{method}, {name}, mention by mention: {alone}\n")
                results[f"{method}, {name}"]["compared"] = alone
            together = linked
    return results


def alternatives(data: Path, every: Sequence[Task], count: int) -> dict[str, Any]:
    """Measure alternatives over the embedded names: speed, memory, accuracy."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from transformers import BertConfig, BertModel

    kb = KnowledgeBase.open(EMBEDDED / "kb")
    model = load_model(EMBEDDED / "model", light=True)
    linker = Linker(model, kb)
    texts = [task.mention for task in every]
    names = kb.normalised_names()
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    matrix = vectorizer.fit_transform(names)
    across = matrix.T.tocsr()
    torch.manual_seed(0)
    bert = BertModel(BertConfig()).eval()
    vectors = torch.nn.functional.normalize(torch.randn(len(names), 768), dim=1)

    def dictionary(mentions: Sequence[str], _: Linker) -> list[list[int]]:
        return exact(mentions, linker)

    def ngrams(mentions: Sequence[str], _: Linker) -> list[list[int]]:
        scores = vectorizer.transform([normalise_name(m) for m in mentions]) @ across
        found = []
        for begin, end in pairwise(scores.indptr):
            order = np.argsort(-scores.data[begin:end], kind="stable")[:20]
            found.append(scores.indices[begin:end][order].tolist())
        return found

    @torch.inference_mode()
    def encoded(mentions: Sequence[str], _: Linker) -> list[list[int]]:
        ids, mask = model.tokens(mentions, 25)
        states = bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        unit = torch.nn.functional.normalize(states, dim=1)
        found: list[list[int]] = (unit @ vectors.T).topk(5).indices.tolist()
        return found

    corpora = documents_of(data, count)
    documents = [document for of_corpus in corpora.values() for document in of_corpus]
    size = sum(f.stat().st_size for f in (EMBEDDED / "kb").glob("names.marisa"))
    parts = (matrix.data, matrix.indices, matrix.indptr)
    results: dict[str, Any] = {}
    print("\n| instead | mentions/s | index, MB | Recall@1 | Recall@5 |\n" + "|" + " --- |" * 5)
    for name, choose, bytes_, trained in (
        ("exact match (marisa-trie)", dictionary, size, True),
        ("scikit-learn's TF-IDF, trigrams", ngrams, 2 * sum(p.nbytes for p in parts), True),
        ("encoder of SapBERT's size, exact search", encoded, vectors.nbytes, False),
    ):
        values = []
        for _ in range(REPEATS + 1):
            began = time.perf_counter()
            choose(texts, linker)
            values.append(len(texts) / (time.perf_counter() - began))
        cells = "random weights | random weights"
        if trained:
            linked = by_names(documents, linker, choose)
            cells = f"{recall(linked, kb, 1):.2f} | {recall(linked, kb, 5):.2f}"
        results[name] = {"rates": values[1:], "index": bytes_, "recall": cells}
        print(f"| {name} | {spread(values[1:], 1, 0)} | {bytes_ / 1e6:.0f} | {cells} |", flush=True)
    return results


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--data", type=Path, help="folder of corpora; if given, measure accuracy, too"
    )
    parser.add_argument("--mentions", type=int, default=2000)
    parser.add_argument("--models", default="embedded,base")
    given = parser.parse_args()
    model = load_model(EMBEDDED / "model")
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    every = tasks(model, 32 if given.quick else 96)
    size = 100_000 if given.quick else 1_000_000
    rows = recombined_rows(
        model.tokenizer, model.form, kb.normalised_names(), model.backbone.eos_id, size
    )
    trie = NameTrie.build(*rows)
    _ = trie.height
    print(f"{machine()}; {size:,} names, {trie.nodes:,} trie nodes")
    results: dict[str, Any] = {}
    chosen = given.models.split(",")
    if given.quick:
        chosen = chosen[:1]
    if any(chosen):
        tree = nested_dict(trie)
    if "embedded" in chosen:
        results["embedded"] = speed(
            "embedded", model, model.backbone, trie, tree, every, given.quick
        )
    if "base" in chosen:
        results["base"] = speed(
            "bart-base size", model, of_base_size(model), trie, tree, every, given.quick
        )
    if given.data is not None:
        tree = {}
        results["accuracy"] = accuracy(given.data, given.mentions)
        results["alternatives"] = alternatives(given.data, every, given.mentions)
    record(given.json, results)


if __name__ == "__main__":
    main()
