"""Weights in the form that inference needs: in the processor's layout, in 32, 16 or 8 bits.

On a CPU, ``fp32`` and ``bf16`` multiply with oneDNN's kernels, which lay out the weights once. The
BLAS behind ``torch.nn.Linear`` lays them out at every call, which takes most of the time if there
are few rows. ``int8`` multiplies with oneDNN's kernels, too. Weights have a scale for each output,
as in torch's dynamic quantisation. Activations have a scale for each *row*, whereas torch has one
scale for the whole tensor, so the result for a mention does not depend on the other mentions.
"""

from __future__ import annotations

import copy
import platform
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from biolink.errors import ConfigError

__all__ = [
    "PRECISIONS",
    "Int8Linear",
    "PackedLinear",
    "Precision",
    "activated",
    "added",
    "in_precision",
    "is_packed",
    "precision_of",
    "projections",
    "whole_rows",
]

Precision = Literal["fp32", "bf16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
M = TypeVar("M", bound=nn.Module)

#: A layer with fewer outputs, such as a classifier, is not converted.
_FEWEST = 64
#: Activations have 7 bits. Processors without VNNI add up products in 16 bits, which two products
#: of 8-bit numbers can overflow; and results must not depend on the processor.
_LEVELS = 63
#: The number of rows that oneDNN is told to expect: that of a step of the beam search.
_ROWS = 64
_X86 = ("x86_64", "AMD64")


class PackedLinear(nn.Module):
    """A linear layer with weights in oneDNN's layout, for inference on a CPU.

    Parameters
    ----------
    linear
        The layer, in float32, or in bfloat16 if the processor has it (see :func:`_packs`).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        # The T5 of transformers reads this attribute.
        self.weight = None

    # Weights in oneDNN's layout cannot be pickled, so they are pickled as plain weights.
    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"packed": self.packed.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.packed = torch.ops.mkldnn._reorder_linear_weight(self.packed, _ROWS)

    def forward(self, states: Tensor, then: str = "none") -> Tensor:
        """Map [..., in_features] to [..., out_features]; ``then`` is ``none`` or ``gelu``."""
        flat = states.reshape(-1, self.in_features)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            _filled(flat), self.packed, self.bias, then, [], "none"
        )
        return out[: len(flat)].view(*states.shape[:-1], self.out_features)

    def plus(self, states: Tensor, others: Tensor) -> Tensor:
        """``others + self(states)``, where ``others`` is [..., out_features]."""
        flat = others.reshape(-1, self.out_features)
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            _filled(states.reshape(-1, self.in_features)), _filled(flat), self.packed, self.bias,
            "add",
        )  # fmt: skip
        return out[: len(flat)].view(others.shape)


def whole_rows(rows: int) -> int:
    """The number of rows to which a matrix is filled up before oneDNN multiplies it.

    oneDNN compiles a kernel for each number of rows, which takes milliseconds and half a megabyte
    for good. Therefore only a few numbers are used.

    >>> [whole_rows(rows) for rows in (1, 8, 65, 5000)]
    [8, 8, 80, 5120]
    """
    for most, step in ((64, 8), (256, 16), (1024, 64), (4096, 256)):
        if rows <= most:
            return -(-rows // step) * step
    return -(-rows // 1024) * 1024


def _packs(dtype: torch.dtype) -> bool:
    """Whether :class:`PackedLinear` works for weights of this type on this machine."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or platform.machine() not in _X86:
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


class Int8Linear(nn.Module):
    """A linear layer with int8 weights and float32 inputs and outputs, for inference on a CPU.

    Parameters
    ----------
    linear
        The layer whose weights are quantised, symmetrically, with a scale for each output.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        self.scales = weight.abs().amax(1).clamp(min=1e-12) / 127
        levels = (weight / self.scales[:, None]).round().to(torch.int8)
        self.packed = self._laid_out(levels)
        self.zeros = torch.zeros(len(levels), dtype=torch.int32)
        self.bias = None if linear.bias is None else linear.bias.detach().float()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        # The T5 of transformers reads this attribute.
        self.weight = None
        with warnings.catch_warnings():
            # torch 2.13 warns once in a process that quantised tensors will be removed. The
            # versions that biolink allows have them.
            warnings.simplefilter("ignore", UserWarning)
            _quantised(torch.zeros(1, 1))

    @staticmethod
    def _laid_out(levels: Tensor) -> Tensor:
        packed: Tensor = torch.ops.onednn.qlinear_prepack(levels, [_ROWS, levels.shape[1]])
        return packed

    def __getstate__(self) -> dict[str, Any]:
        # oneDNN stores one input per row, hence the transposition.
        return self.__dict__ | {"packed": self.packed.to_dense().T.contiguous()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.packed = self._laid_out(self.packed)

    def forward(self, states: Tensor) -> Tensor:
        """Map [..., in_features] to [..., out_features]."""
        return self.of_quantised(*_quantised(states)).view(*states.shape[:-1], self.out_features)

    def of_quantised(self, levels: Tensor, largest: Tensor) -> Tensor:
        """[rows, out_features] of inputs that :func:`_quantised` has quantised."""
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            levels, 1 / _LEVELS, _LEVELS + 1, self.packed, self.scales, self.zeros,
            None, 1.0, 0, torch.float32, "none", [], "",
        )[: len(largest)]  # fmt: skip
        if self.bias is None:
            return product.mul_(largest)
        return torch.addcmul(self.bias, product, largest)


def _quantised(states: Tensor) -> tuple[Tensor, Tensor]:
    """Quantise rows of numbers, each divided by its largest magnitude.

    Because of the division, the levels of all rows have the same scale.

    Returns
    -------
    The uint8 levels [:func:`whole_rows`, in_features], and the largest magnitudes [rows, 1].
    """
    flat = states.reshape(-1, states.shape[-1])
    largest = flat.abs().amax(-1, keepdim=True).clamp_(min=1e-12)
    quantised = torch.quantize_per_tensor(flat / largest, 1 / _LEVELS, _LEVELS + 1, torch.quint8)
    # This views the bytes; int_repr() would take ten times as long as the quantisation.
    levels = torch.empty(0, dtype=torch.uint8).set_(
        quantised.untyped_storage(), 0, quantised.shape, quantised.stride()
    )
    return _filled(levels), largest


def _filled(rows: Tensor) -> Tensor:
    """The rows, filled up with rows of zeros to :func:`whole_rows`; at least one row."""
    missing = whole_rows(max(1, len(rows))) - len(rows)
    return torch.cat([rows, rows.new_zeros(missing, rows.shape[1])]) if missing else rows


def projections(states: Tensor, *layers: Any) -> list[Tensor]:
    """The outputs of several linear layers for the same states, which are quantised only once."""
    if all(isinstance(layer, Int8Linear) for layer in layers):
        quantised = _quantised(states)
        return [
            layer.of_quantised(*quantised).view(*states.shape[:-1], layer.out_features)
            for layer in layers
        ]
    return [layer(states) for layer in layers]


def activated(linear: Any, activation: Any, states: Tensor) -> Tensor:
    """``activation(linear(states))``, in one pass if possible."""
    if isinstance(linear, PackedLinear) and _is_gelu(activation):
        return linear(states, "gelu")
    out: Tensor = activation(linear(states))
    return out


def added(states: Tensor, linear: Any, inner: Tensor) -> Tensor:
    """``states + linear(inner)``, in one pass if possible."""
    if isinstance(linear, PackedLinear):
        return linear.plus(inner, states)
    out: Tensor = states + linear(inner)
    return out


def _is_gelu(activation: Any) -> bool:
    # The first is torch's class; the second is transformers' class around torch's function.
    exact = getattr(activation, "approximate", None) == "none"
    return exact or getattr(activation, "act", None) is F.gelu


def is_packed(module: nn.Module) -> bool:
    """Whether :func:`in_precision` has converted the weights of a model."""
    return any(isinstance(child, PackedLinear | Int8Linear) for child in module.modules())


def precision_of(module: nn.Module) -> Precision:
    """The precision of a model's weights."""
    if any(isinstance(child, Int8Linear) for child in module.modules()):
        return "int8"
    return "bf16" if next(module.parameters()).dtype == torch.bfloat16 else "fp32"


def in_precision(module: M, precision: Precision) -> M:
    """A copy of a model for inference in a precision.

    The linear layers of the copy cannot be trained. The given model does not change; if there is
    nothing to convert (fp32 on a GPU), it is returned itself.

    Parameters
    ----------
    module
        The model, as it was loaded or trained.
    precision
        ``fp32``, ``bf16`` or ``int8``.

    Raises
    ------
    ConfigError
        If the precision is unknown, if int8 is asked for on a device other than the CPU or without
        oneDNN, or if the model was converted before.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
    if is_packed(module):
        raise ConfigError(
            "the model has already been converted: load it again to choose another precision"
        )
    device = next(module.parameters()).device
    if precision == "int8":
        if device.type != "cpu":
            raise ConfigError(f"precision='int8' runs on the CPU, not on {device}: use bf16 there")
        if not torch.backends.mkldnn.is_available():
            raise ConfigError("precision='int8' needs a build of torch with oneDNN: use fp32")
        return _with_layers(module, Int8Linear)
    if precision == "bf16":
        module = copy.deepcopy(module).to(torch.bfloat16)
    if device.type == "cpu" and _packs(next(module.parameters()).dtype):
        return _with_layers(module, PackedLinear)
    return module


def _with_layers(module: M, convert: Callable[[nn.Linear], nn.Module]) -> M:
    """A copy of a model with its linear layers converted; all other weights are shared."""
    memo: dict[int, Any] = {
        id(tensor): tensor for tensor in module.state_dict(keep_vars=True).values()
    }
    for child in module.modules():
        if isinstance(child, nn.Linear) and child.out_features >= _FEWEST:
            memo[id(child)] = convert(child)
    return copy.deepcopy(module, memo)
