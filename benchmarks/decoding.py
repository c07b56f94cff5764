"""Mentions per second: this project's decoding against transformers' ``generate``.

    python benchmarks/decoding.py [--quick] [--json FILE]

Both sides use the embedded model, the trie of the embedded knowledge base, the same sources and
prompts, and the same threads. ``generate`` gets a nested-dict trie through
``prefix_allowed_tokens_fn`` and is run at several batch sizes; its best counts.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import biolink
from biolink.infer.abbreviations import expand_document, find_abbreviations
from biolink.infer.decode import EXACT, FAST, DecodingOptions, constrained_beam_search
from biolink.infer.linker import Task
from biolink.kb.prompt import source_text

ABSTRACTS = Path(__file__).parents[1] / "examples" / "data" / "bc5cdr_20.PubTator"


def tasks(linker: biolink.Linker, count: int) -> list[Task]:
    """Distinct mentions of the example abstracts, shortest source first."""
    found: dict[Task, None] = {}
    for document in biolink.read(ABSTRACTS):
        document = expand_document(document, find_abbreviations)
        for m in document.mentions:
            written = m.long_form or m.text
            source = source_text(document.text, m.start, m.end, linker.model.form, written)
            found[Task(source, written, m.type)] = None
    chosen = list(found)[:count]
    return sorted(chosen, key=lambda task: len(task.source))


def nested_dict(trie: Any) -> dict[int, Any]:
    root: dict[int, Any] = {}
    for sequence, _ in trie:
        node = root
        for token in sequence:
            node = node.setdefault(token, {})
    return root


def with_generate(
    linker: biolink.Linker, tree: dict[int, Any], part: list[Task]
) -> list[list[int]]:
    """Best name's tokens of each mention by ``generate``."""
    model = linker.model
    ids, mask = model.tokens([t.source for t in part], model.backbone.max_source)
    prompts = model.prompts([t.mention for t in part])
    size = max(map(len, prompts))
    # generate pads the decoder's prompt on the left; a mask says what is real.
    padded = torch.tensor([[model.backbone.pad_id] * (size - len(p)) + p for p in prompts])
    real = (padded != model.backbone.pad_id).long()
    eos = model.backbone.eos_id

    def allowed(_: int, sequence: torch.Tensor) -> list[int]:
        node = tree
        for token in sequence.tolist()[size:]:
            node = node.get(token, {})
        return list(node) or [eos]

    output = model.backbone.model.generate(
        input_ids=ids,
        attention_mask=mask,
        decoder_input_ids=padded,
        decoder_attention_mask=real,
        prefix_allowed_tokens_fn=allowed,
        num_beams=5,
        max_new_tokens=100,
        early_stopping=False,
        length_penalty=1.0,
    )
    names = []
    for row in output[:, size:].tolist():
        names.append(row[: row.index(eos) + 1] if eos in row else row)
    return names


def with_biolink(
    linker: biolink.Linker, options: DecodingOptions, part: list[Task]
) -> list[list[int]]:
    """The same by this project's search."""
    model = linker.model
    memory, _ = model.read([t.source for t in part])
    prompts = model.prompts([t.mention for t in part])
    found = constrained_beam_search(model.backbone, linker.trie, memory, prompts, options)
    names = []
    for hypotheses in found:
        name_id = int(linker.trie.names_at(hypotheses[0].leaf)[0])
        names.append(model.name_tokens([linker.kb.name_at(name_id)])[0])
    return names


def rate(run: Callable[[list[Task]], Any], every: list[Task], batch: int) -> float:
    gc.collect()
    began = time.perf_counter()
    for begin in range(0, len(every), batch):
        run(every[begin : begin + batch])
    return len(every) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    count, repeats = (24, 2) if arguments.quick else (96, 5)
    linker = biolink.load(method="generate")
    every = tasks(linker, count)
    tree = nested_dict(linker.trie)
    batches = (8,) if arguments.quick else (1, 8, 16)
    sides: dict[str, tuple[Callable[[list[Task]], Any], int]] = {
        f"generate + dict trie, batch {batch}": (lambda p: with_generate(linker, tree, p), batch)
        for batch in batches
    }
    sides["exact rule, batch 32"] = (lambda p: with_biolink(linker, EXACT, p), 32)
    sides["fast, batch 32"] = (lambda p: with_biolink(linker, FAST, p), 32)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for run, batch in sides.values():
        rate(run, every[: min(8, count)], batch)  # warm
    for _ in range(repeats):
        for name, (run, batch) in sides.items():
            rates[name].append(rate(run, every, batch))
    best = max((statistics.median(v), n) for n, v in rates.items() if n.startswith("generate"))
    print(
        f"{count} mentions, {linker.trie.nodes:,} trie nodes, {torch.get_num_threads()} threads, "
        f"{repeats} repetitions, {platform.machine()}"
    )
    print("| side | mentions/s, median | range | ratio |")
    print("| --- | --- | --- | --- |")
    for name, values in rates.items():
        median = statistics.median(values)
        print(
            f"| {name} | {median:.2f} | {min(values):.2f} to {max(values):.2f} | "
            f"{median / best[0]:.2f} |"
        )
    one_by_one = [with_generate(linker, tree, [task])[0] for task in every]
    for name, options in (("exact rule", EXACT), ("fast", FAST)):
        ours = [
            n for i in range(0, count, 32) for n in with_biolink(linker, options, every[i : i + 32])
        ]
        same = sum(a == b for a, b in zip(one_by_one, ours, strict=True))
        print(f"same best name as generate, {name}: {same} of {count}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rates, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
