"""Where the time of a beam search goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from common import clocked
from decoding_sides import Batch
from torch import Tensor

from biolink.infer.network import backbone as backbones
from biolink.infer.network import encoder
from biolink.infer.network.backbone import Backbone, Memory
from biolink.infer.network.precision import Int8Linear, PackedLinear
from biolink.infer.rank import beam_search

__all__ = ["clocked_search", "profile"]


@contextmanager
def clocked_search() -> Iterator[dict[str, float]]:
    """Measure the seconds in the parts of a search and count the decoder's rows.

    Attention is part of encoder and decoder; matrix products are part of everything except the
    search itself.
    """
    parts = (
        (Backbone, "encode", "encoder"),
        (Backbone, "memory", "keys and values"),
        (Backbone, "decode", "decoder"),
        (beam_search, "log_softmax", "projection"),
        (beam_search, "reordered", "reordering"),
        (Memory, "select", "reordering"),
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
    """Return the shares of the time, and the decoder's rows for each mention."""
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
