"""Constrained decoding beside transformers' ``generate`` with a dict trie.

    python benchmarks/decoding.py [--quick] [--data ../shared/data] [--json FILE]

Two models: the embedded default, and one of bart-base size with random weights whose output
projection is scaled so that its choices are about as sure as a trained model's. For both the same
mentions of the example abstracts in their context, a trie of a million real and made names, a beam
of five, and torch's threads. ``generate`` is measured at several batch sizes; ratios are to its
best. Repetitions go round all sides in turn, and a ratio's spread is over the repetitions.

With ``--data``: what the faster forms cost in accuracy on development documents, the embedded
default by generation alone and as it is, and what one would use instead.
"""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import REPEATS, arguments, machine, ratios, record, spread
from names import recombined_rows
from torch import Tensor

import biolink
from biolink import KnowledgeBase
from biolink.documents import Document
from biolink.infer import backbone as backbones
from biolink.infer import decode, encoder
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.backbone import Backbone
from biolink.infer.decode import EXACT, FAST, DecodingOptions, constrained_beam_search
from biolink.infer.linker import Linker, LinkerOptions, Task
from biolink.infer.model import LinkingModel, load_model
from biolink.infer.precision import in_precision
from biolink.kb.prompt import source_text
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED

ABSTRACTS = Path(__file__).parents[1] / "examples" / "data" / "bc5cdr_20.PubTator"
BATCH = 32
SHARPNESS = 8.0  # of the random model's output projection


def tasks(model: LinkingModel, count: int) -> list[Task]:
    """Distinct mentions of the example abstracts, shortest source first."""
    found: dict[Task, None] = {}
    for document in biolink.read(ABSTRACTS):
        document = expand_document(document, find_abbreviations)
        for m in document.mentions:
            written = m.long_form or m.text
            source = source_text(document.text, m.start, m.end, model.form, written)
            found[Task(source, written, m.type)] = None
    return sorted(list(found)[:count], key=lambda task: len(task.source))


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


#: What runs a batch, and its batches.
Side = tuple[Callable[[Batch], Any], list[Batch]]


def batches(model: LinkingModel, every: Sequence[Task], size: int) -> list[Batch]:
    """Tokenised beforehand: that is the same for all sides."""
    parts = [every[begin : begin + size] for begin in range(0, len(every), size)]
    return [
        Batch(
            *model.tokens([t.source for t in part], model.backbone.max_source),
            model.prompts([t.mention for t in part]),
        )
        for part in parts
    ]


def with_generate(backbone: Backbone, tree: dict[int, Any], batch: Batch) -> list[list[int]]:
    """Best name's tokens of each mention."""
    size = max(map(len, batch.prompts))
    # generate pads the decoder's prompt on the left; a mask says what is real.
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
    """Leaf of each mention's best name, as a list of one."""
    memory = backbone.memory(backbone.encode(batch.ids, batch.mask), batch.mask)
    found = constrained_beam_search(backbone, trie, memory, batch.prompts, options)
    return [[hypotheses[0].leaf] for hypotheses in found]


def of_base_size(model: LinkingModel) -> Backbone:
    """bart-base's size with random weights, for the embedded model's tokens."""
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
def clocked() -> Iterator[dict[str, float]]:
    """Seconds inside the parts of a search; attention is a part of the decoder and encoder."""
    seconds: dict[str, float] = {}
    rows = {"decoder rows": 0.0}
    patched: list[tuple[Any, str, Any]] = []

    def clock(owner: Any, name: str, label: str) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            result = original(*given, **named)
            seconds[label] = seconds.get(label, 0.0) + time.perf_counter() - began
            if label == "decoder":
                rows["decoder rows"] += given[1].shape[0]
            return result

        patched.append((owner, name, original))
        setattr(owner, name, timed)

    clock(Backbone, "encode", "encoder")
    clock(Backbone, "memory", "keys and values")
    clock(Backbone, "decode", "decoder")
    clock(decode._Search, "_log_softmax", "projection")
    clock(encoder, "attend", "attention")
    clock(backbones, "attend", "attention")
    try:
        yield seconds
    finally:
        for owner, name, original in patched:
            setattr(owner, name, original)
        seconds.update(rows)


def profile(run: Callable[[Batch], Any], given: Sequence[Batch]) -> dict[str, float]:
    """Shares of the time, and rows of the decoder for each mention."""
    with clocked() as seconds:
        began = time.perf_counter()
        for batch in given:
            run(batch)
        total = time.perf_counter() - began
    rows = seconds.pop("decoder rows") / sum(len(batch.prompts) for batch in given)
    parts = ("encoder", "keys and values", "decoder", "projection")
    shares = {part: seconds[part] / total for part in parts}
    shares["search"] = 1 - sum(shares.values())
    return {**shares, "(attention in it)": seconds["attention"] / total, "rows": rows}


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
    for size in (8,) if quick else (4, 8, 16):
        sides[f"generate + dict trie, batch {size}"] = (
            lambda batch: with_generate(backbone, tree, batch),
            batches(model, some, size),
        )
    ours = batches(model, every, BATCH)
    for name, weights, options in (
        ("exact rule, fp32", fp32, EXACT),
        ("fast, fp32", fp32, FAST),
        ("exact rule, int8", int8, EXACT),
        ("fast, int8", int8, FAST),
    ):
        sides[name] = (
            lambda batch, weights=weights, options=options: with_biolink(
                weights, trie, options, batch
            ),
            ours,
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
    """How often each side's best name is that of ``generate``."""
    first = next(iter(sides))
    theirs = [trie.walk(name) for batch in given for name in sides[first][0](batch)]
    for name, (run, _) in sides.items():
        if not name.startswith("generate"):
            ours = [leaf for batch in given for (leaf,) in run(batch)]
            same = sum(a == b for a, b in zip(theirs, ours, strict=True))
            print(f"\nsame best name as generate, {name}: {same} of {len(ours)}")


# ---------------------------------------------------------------------- accuracy


def documents_of(data: Path, mentions: int) -> list[Document]:
    """Development documents of both corpora in turn, until they have so many mentions."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "default_model"))
    from corpora import development_documents

    ncbi, cdr = development_documents(data)
    chosen, count = [], 0
    for pair in zip(ncbi, cdr, strict=False):
        for document in pair:
            if count < mentions:
                chosen.append(document)
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


def accuracy(data: Path, mentions: int) -> dict[str, Any]:
    documents = documents_of(data, mentions)
    count = sum(len(d.mentions) for d in documents)
    model = load_model(EMBEDDED / "model", light=True)
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    exact = LinkerOptions("generate", decoding=EXACT)
    plans = {
        "generation, exact rule, fp32": (model, exact),
        "generation, fast, fp32": (model, LinkerOptions("generate")),
        "generation, fast, int8": (model.in_precision("int8"), LinkerOptions("generate")),
        "combined (default), fp32": (model, LinkerOptions()),
        "combined (default), int8": (model.in_precision("int8"), LinkerOptions()),
    }
    print(f"\n{count} mentions of {len(documents)} development documents, embedded base")
    print("\n| linker | Recall@1 | Recall@5 | same best as the first of its kind |")
    print("| --- | --- | --- | --- |")
    results: dict[str, Any] = {}
    firsts: dict[str, list[str | None]] = {}
    for name, (weights, options) in plans.items():
        linker = Linker(weights, kb, options)
        linked = list(linker.pipe(documents, recognise=False))
        best = [m.best.concept_id if m.best else None for d in linked for m in d.mentions]
        first = firsts.setdefault(options.method, best)
        same = 100 * sum(a == b for a, b in zip(first, best, strict=True)) / len(best)
        row = (recall(linked, kb, 1), recall(linked, kb, 5), same)
        results[name] = row
        print(f"| {name} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.2f} % |", flush=True)
    return results


def alternatives(every: Sequence[Task]) -> dict[str, Any]:
    """Speed of what one would use instead, over the embedded base's names."""
    from transformers import BertConfig, BertModel

    kb = KnowledgeBase.open(EMBEDDED / "kb")
    model = load_model(EMBEDDED / "model", light=True)
    linker = Linker(model, kb)
    lexical = linker.indexes.lexical
    mentions = [task.mention for task in every]
    torch.manual_seed(0)
    bert = BertModel(BertConfig()).eval()
    vectors = torch.nn.functional.normalize(torch.randn(len(lexical.name_ids), 768), dim=1)

    def dictionary() -> None:
        for mention in mentions * 100:
            name_id = kb.name_id(mention)
            if name_id is not None:
                kb.owners(name_id)

    @torch.inference_mode()
    def encoded() -> None:
        ids, mask = model.tokens(mentions, 25)
        states = bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        (torch.nn.functional.normalize(states, dim=1) @ vectors.T).topk(5)

    results: dict[str, Any] = {}
    print("\n| instead | mentions/s | index, MB |\n| --- | --- | --- |")
    size = sum(f.stat().st_size for f in (EMBEDDED / "kb").glob("names.marisa")) / 1e6
    for name, run, count, megabytes in (
        ("exact match (marisa-trie)", dictionary, 100 * len(mentions), size),
        (
            "TF-IDF of character trigrams",
            lambda: lexical.search(mentions, 5),
            len(mentions),
            lexical.nbytes / 1e6,
        ),
        (
            "encoder of SapBERT's size, exact search (random weights: speed alone)",
            encoded,
            len(mentions),
            vectors.nbytes / 1e6,
        ),
    ):
        run()
        values = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            run()
            values.append(count / (time.perf_counter() - began))
        results[name] = values
        print(f"| {name} | {spread(values, 1, 0)} | {megabytes:.0f} |", flush=True)
    return results


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, help="measure accuracy, too")
    parser.add_argument("--mentions", type=int, default=2000)
    parser.add_argument("--models", default="embedded,base")
    given = parser.parse_args()
    model = load_model(EMBEDDED / "model")
    kb = KnowledgeBase.open(EMBEDDED / "kb")
    every = tasks(model, 32 if given.quick else 96)
    size = 200_000 if given.quick else 1_000_000
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
        results["alternatives"] = alternatives(every)
    record(given.json, results)


if __name__ == "__main__":
    main()
