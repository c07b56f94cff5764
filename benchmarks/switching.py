"""Compare switching the knowledge base of a loaded linker with building indexes for the new one.

    python benchmarks/switching.py --data ../shared/data [--quick]

The knowledge base is the largest that the shared data allow, or the embedded one with ``--quick``.
Parts of a half, a tenth and a hundredth of its concepts are drawn at random. There are five
repetitions of each, and the program prints medians and ranges; names are tokenised once. Both sides
end when the name trie of the part is there, so the first mention could be decoded.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, machine, record, spread, timed
from kb_store import concepts

from biolink import KnowledgeBase, Linker, LinkerOptions
from biolink.evaluation.report import markdown_table
from biolink.infer.network.model import load_model
from biolink.kb.trie import NameTrie
from biolink.pipeline import EMBEDDED

_COLUMNS = (
    "part", "concepts", "choose, ms", "switch, ms", "again, ms", "tokenise, ms", "build, ms",
    "(tokenise + build) / switch",
)  # fmt: skip


def measured(linker: Linker, chosen: list[str], tokens: np.ndarray, offsets: np.ndarray) -> Any:
    """Return the seconds of everything for the part of these concepts."""
    kb, model = linker.kb, linker.model
    choose = timed(lambda: kb.subset(ids=chosen))
    part = kb.subset(ids=chosen)
    mask = part.name_mask
    switch = timed(lambda: linker.with_kb(part).trie)
    switched = linker.with_kb(part)
    assert len(switched.trie) == int(mask.sum())
    again = timed(lambda: switched.trie)
    lengths = np.diff(offsets)
    kept = np.repeat(mask, lengths)
    rows = np.concatenate([[0], np.cumsum(lengths[mask])])
    names = kb.normalised_names()
    own = [names[i] for i in np.flatnonzero(mask)]
    (tokenise,) = timed(
        lambda: model.form.name_rows(model.tokenizer, own, model.backbone.eos_id), 1
    )
    build = timed(lambda: NameTrie.build(tokens[kept], rows))
    return {
        "concepts": len(part), "choose": choose, "switch": switch, "again": again,
        "tokenise": tokenise, "build": build,
    }  # fmt: skip


def tables(results: dict[str, Any]) -> str:
    """Return what the command prints, from the values of its record."""
    rows = []
    for share, of_part in results["parts"].items():
        anew = of_part["tokenise"] + statistics.median(of_part["build"])
        rows.append(
            [
                share,
                f"{of_part['concepts']:,}",
                *(spread(of_part[step], 1e3) for step in ("choose", "switch", "again")),
                f"{of_part['tokenise'] * 1e3:.0f}",
                spread(of_part["build"], 1e3),
                f"{anew / statistics.median(of_part['switch']):.0f}",
            ]
        )
    return f"{results['base']}\n\n{markdown_table(_COLUMNS, rows)}"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    if given.quick:
        kb = KnowledgeBase.open(EMBEDDED / "kb")
    else:
        kb = KnowledgeBase.from_concepts(concepts(given.data))
    model = load_model(EMBEDDED / "model")
    linker = Linker(model, kb, LinkerOptions(method="generate"))
    base = (
        f"{len(kb):,} concepts, {kb.name_count:,} names and a trie of {linker.trie.nodes:,} nodes"
    )
    rng = np.random.default_rng(0)
    ids = [concept.id for concept in kb]
    tokens, offsets = model.form.name_rows(
        model.tokenizer, kb.normalised_names(), model.backbone.eos_id
    )
    parts = {}
    for share in (0.5, 0.1, 0.01):
        chosen = [ids[i] for i in np.flatnonzero(rng.random(len(ids)) < share)]
        parts[f"{share:.0%}"] = measured(linker, chosen, tokens, offsets)
    results = {"base": base, "parts": parts}
    record(given.json, results)
    print(f"{machine()}\n\n{tables(results)}")


if __name__ == "__main__":
    main()
