"""Weights in eight or sixteen bits.

``int8`` multiplies with torch's FBGEMM kernels. Weights have a scale for each output, as in
torch's dynamic quantisation. Activations have a scale for each *row*, where torch's has one for
the whole tensor: so what is computed for a mention does not depend on the mentions beside it.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from biolink.errors import ConfigError

__all__ = ["PRECISIONS", "Int8Linear", "Precision", "in_precision", "projections"]

Precision = Literal["fp32", "bf16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
M = TypeVar("M", bound=nn.Module)

#: A layer with fewer outputs (a classifier's) stays as it is.
_FEWEST = 64
#: Activations are 7 bits wide: two products of 8 and 8 bits can overflow the 16 bits in which
#: processors without VNNI add them up, and results shall not depend on the processor.
_LEVELS = 63


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, float32 in and out, for inference.

    Parameters
    ----------
    linear
        The layer whose weights are quantised (symmetric, a scale for each output).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scales = weight.abs().amax(1).clamp(min=1e-12).double() / 127
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with warnings.catch_warnings():
            # torch 2.13 announces that quantised tensors will go; the versions that biolink is
            # installed with have them.
            warnings.simplefilter("ignore", UserWarning)
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self.packed = torch.ops.quantized.linear_prepack(quantised, None)
        self.bias = None if linear.bias is None else linear.bias.detach().float()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        # transformers' T5 asks for it.
        self.weight = None

    def forward(self, states: Tensor) -> Tensor:
        """[..., in_features] -> [..., out_features]."""
        return self.of_scaled(*_scaled(states))

    def of_scaled(self, states: Tensor, largest: Tensor) -> Tensor:
        """The same for rows that are divided by their largest magnitude."""
        product: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            states, 1 / _LEVELS, _LEVELS + 1, self.packed
        )
        product *= largest
        return product if self.bias is None else product.add_(self.bias)


def _scaled(states: Tensor) -> tuple[Tensor, Tensor]:
    """Rows with 1 as their largest magnitude, which has a fixed scale, and that magnitude."""
    largest = states.abs().amax(-1, keepdim=True).clamp_(min=1e-12)
    return states / largest, largest


def projections(states: Tensor, *layers: Any) -> list[Tensor]:
    """What several linear layers make of the same states, which are scaled once."""
    if all(isinstance(layer, Int8Linear) for layer in layers):
        scaled = _scaled(states)
        return [layer.of_scaled(*scaled) for layer in layers]
    return [layer(states) for layer in layers]


def in_precision(module: M, precision: Precision) -> M:
    """A model in another precision; the given one stays as it is.

    Raises
    ------
    ConfigError
        For an unknown precision, and for int8 on a device other than the CPU.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
    if precision == "fp32":
        return module
    if precision == "bf16":
        return copy.deepcopy(module).to(torch.bfloat16)
    device = next(module.parameters()).device
    if device.type != "cpu":
        raise ConfigError(f"precision='int8' runs on the CPU, not on {device}: take bf16 there")
    other = copy.deepcopy(module)
    for parent in list(other.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and child.out_features >= _FEWEST:
                setattr(parent, name, Int8Linear(child))
    return other
