"""Count the tokens and the arithmetic of finding and linking, for each part of the work.

    python benchmarks/work.py --data ../shared/data [--abstracts 48]

The abstracts are those of ``benchmarks/pipeline.py``, read in fp32 by one linker. Operations are
those of matrix products and of attention, as torch's counter has them: a multiplication and an
addition are two. The encoder computes nothing but attention for padding.
"""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from commands import abstracts
from common import arguments, machine, record
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import biolink
from biolink import read
from biolink.infer.mentions.recognise import TrainedRecogniser
from biolink.infer.network.backbone import Backbone
from biolink.infer.network.encoder import BartEncoder
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank import combined
from biolink.kinds import MAIN_KINDS

PARTS = (
    (TrainedRecogniser, "recognise_batch", "recognition"),
    (LinkingModel, "embed", "embedding mentions"),
    (LinkingModel, "read", "encoding mentions in context"),
    (combined, "score_names", "generation"),
)


def _of_packed(states: Any, weight: Any, *rest: Any, **named: Any) -> int:
    """The operations of a product with weights in oneDNN's layout."""
    outputs, inputs = weight
    rows = 1
    for size in states[:-1]:
        rows *= size
    return int(2 * rows * inputs * outputs)


_PACKED = {
    torch.ops.mkldnn._linear_pointwise: _of_packed,
    torch.ops.mkldnn._linear_pointwise.binary: lambda states, other, weight, *rest, **named: (
        _of_packed(states, weight)
    ),
}


def counted(run: Callable[[], Any]) -> dict[str, Counter[str]]:
    """Call a function, and return the tokens and operations of each part."""
    counts = {label: Counter[str]() for _, _, label in PARTS}
    part: list[str] = []

    def within(original: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def wrapped(*given: Any, **named: Any) -> Any:
            part.append(label)
            with FlopCounterMode(display=False, custom_mapping=_PACKED) as operations:
                result = original(*given, **named)
            part.pop()
            counts[label]["operations"] += operations.get_total_flops()
            return result

        return wrapped

    def encoded(self: BartEncoder, embedded: Tensor, mask: Tensor, *given: Tensor) -> Tensor:
        counts[part[-1]]["tokens"] += int(mask.sum())
        counts[part[-1]]["padding"] += int((~mask).sum())
        return encode(self, embedded, mask, *given)

    def decoded(self: Backbone, tokens: Tensor, *given: Any) -> Any:
        counts[part[-1]]["tokens"] += int((tokens != self.pad_id).sum())
        counts[part[-1]]["padding"] += int((tokens == self.pad_id).sum())
        return decode(self, tokens, *given)

    encode, decode = BartEncoder.run, Backbone.decode
    changes: list[tuple[Any, str, Any]] = [
        (owner, name, within(getattr(owner, name), label)) for owner, name, label in PARTS
    ]
    changes += [
        (BartEncoder, "run", encoded),
        (Backbone, "decode", decoded),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, changed in changes:
            setattr(owner, name, changed)
        run()
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)
    return counts


def main() -> None:
    parser = arguments(__doc__, quick=False)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--abstracts", type=int, default=48)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "abstracts.jsonl"
        abstracts(given.data, given.abstracts, file)
        documents = list(read(file))
    linker = biolink.load(types=MAIN_KINDS)
    list(linker.pipe(documents[:1]))
    counts = counted(lambda: list(linker.pipe(documents)))
    print(machine())
    print("\n| part | tokens a document | padding | GFLOP a document |\n| --- | --- | --- | --- |")
    count = len(documents)
    total: Counter[str] = sum(counts.values(), Counter())
    for label, of_part in (*counts.items(), ("all", total)):
        tokens, padding = of_part["tokens"], of_part["padding"]
        print(
            f"| {label} | {tokens / count:.0f} | {padding / max(1, tokens + padding):.0%} | "
            f"{of_part['operations'] / count / 1e9:.1f} |"
        )
    record(given.json, counts)


if __name__ == "__main__":
    main()
