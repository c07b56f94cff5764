"""HyPe: noise on the hidden states between layers during fine-tuning.

Source: HyPe (ACL 2023), section 3.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from biolink.errors import ModelError

__all__ = ["add_hidden_noise"]


def add_hidden_noise(model: Any, kind: Literal["normal", "uniform"], scale: float) -> list[Any]:
    """Add noise to the input of every layer of encoder and decoder, in training mode only.

    Parameters
    ----------
    model
        A BART or T5 model.
    kind
        ``normal`` with standard deviation ``scale``, or ``uniform`` from -scale to scale.

    Returns
    -------
    Handles of the hooks, which ``remove()`` removes.
    """

    def noisy(states: torch.Tensor) -> torch.Tensor:
        if kind == "normal":
            return states + torch.randn_like(states) * scale
        return states + (torch.rand_like(states) * 2 - 1) * scale

    def hook(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not layer.training:
            return None
        if args:
            return (noisy(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": noisy(kwargs["hidden_states"])}

    layers = [
        layer
        for side in (model.get_encoder(), model.get_decoder())
        for layer in getattr(side, "layers", getattr(side, "block", ()))
    ]
    if not layers:
        raise ModelError("hidden noise needs a BART or T5 model")
    return [layer.register_forward_pre_hook(hook, with_kwargs=True) for layer in layers]
