"""The documented name of :mod:`biolink.pretrain.convert.minilm`."""

from __future__ import annotations

from biolink.pretrain.convert.minilm import (
    END_MARKER,
    START_MARKER,
    bart_from_bert,
    count_pieces,
    prune_wordpiece,
)

__all__ = ["END_MARKER", "START_MARKER", "bart_from_bert", "count_pieces", "prune_wordpiece"]
