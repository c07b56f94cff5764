"""Weights as inference wants them: laid out for the processor, in sixteen or in eight bits.

``fp32`` and ``bf16`` multiply on a CPU with oneDNN's kernels, whose weights are laid out once: the
BLAS behind ``torch.nn.Linear`` lays them out at every call, which is most of the time where there
are few rows. ``int8`` multiplies with oneDNN's, too. Weights have a scale for each output, as in
torch's dynamic quantisation. Activations have a scale for each *row*, where torch's has one
for the whole tensor: so what is computed for a mention does not depend on the mentions beside it.
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
    "projections",
    "whole_rows",
]

Precision = Literal["fp32", "bf16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
M = TypeVar("M", bound=nn.Module)

#: A layer with fewer outputs (a classifier's) stays as it is.
_FEWEST = 64
#: Activations are 7 bits wide: two products of 8 and 8 bits can overflow the 16 bits in which
#: processors without VNNI add them up, and results shall not depend on the processor.
_LEVELS = 63
#: Rows that oneDNN is told to expect: a step of the beam search.
_ROWS = 64
_X86 = ("x86_64", "AMD64")


class PackedLinear(nn.Module):
    """A linear layer with weights in oneDNN's layout, for inference on a CPU.

    Parameters
    ----------
    linear
        The layer; float32, or bfloat16 where the processor has it (:func:`_packs`).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        # transformers' T5 asks for it.
        self.weight = None

    # What oneDNN has laid out cannot be written: it goes as plain weights.
    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"packed": self.packed.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.packed = torch.ops.mkldnn._reorder_linear_weight(self.packed, _ROWS)

    def forward(self, states: Tensor, then: str = "none") -> Tensor:
        """[..., in_features] -> [..., out_features]; ``then`` may be ``gelu``."""
        flat = states.reshape(-1, self.in_features)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            _filled(flat), self.packed, self.bias, then, [], "none"
        )
        return out[: len(flat)].view(*states.shape[:-1], self.out_features)

    def plus(self, states: Tensor, others: Tensor) -> Tensor:
        """``others + self(states)``; others are [..., out_features]."""
        flat = others.reshape(-1, self.out_features)
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            _filled(states.reshape(-1, self.in_features)), _filled(flat), self.packed, self.bias,
            "add",
        )  # fmt: skip
        return out[: len(flat)].view(others.shape)


def whole_rows(rows: int) -> int:
    """The number of rows that oneDNN multiplies in place of these.

    It compiles a kernel for each number, which takes milliseconds and half a megabyte that stays;
    so there are few numbers.
    """
    for most, step in ((64, 8), (256, 16), (1024, 64), (4096, 256)):
        if rows <= most:
            return -(-rows // step) * step
    return -(-rows // 1024) * 1024


def _packs(kind: torch.dtype) -> bool:
    """Whether :class:`PackedLinear` works for weights of this kind here."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or platform.machine() not in _X86:
        return False
    if kind == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return kind == torch.float32


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, float32 in and out, for inference on a CPU.

    Parameters
    ----------
    linear
        The layer whose weights are quantised (symmetric, a scale for each output).
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
        # transformers' T5 asks for it.
        self.weight = None
        with warnings.catch_warnings():
            # Once in a process, torch 2.13 announces that quantised tensors will go; the versions
            # that biolink is installed with have them.
            warnings.simplefilter("ignore", UserWarning)
            _quantised(torch.zeros(1, 1))

    @staticmethod
    def _laid_out(levels: Tensor) -> Tensor:
        packed: Tensor = torch.ops.onednn.qlinear_prepack(levels, [_ROWS, levels.shape[1]])
        return packed

    def __getstate__(self) -> dict[str, Any]:
        # oneDNN keeps the inputs in rows.
        return self.__dict__ | {"packed": self.packed.to_dense().T.contiguous()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.packed = self._laid_out(self.packed)

    def forward(self, states: Tensor) -> Tensor:
        """[..., in_features] -> [..., out_features]."""
        return self.of_quantised(*_quantised(states)).view(*states.shape[:-1], self.out_features)

    def of_quantised(self, levels: Tensor, largest: Tensor) -> Tensor:
        """[rows, out_features] of what :func:`_quantised` gives."""
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            levels, 1 / _LEVELS, _LEVELS + 1, self.packed, self.scales, self.zeros,
            None, 1.0, 0, torch.float32, "none", [], "",
        )[: len(largest)]  # fmt: skip
        if self.bias is None:
            return product.mul_(largest)
        return torch.addcmul(self.bias, product, largest)


def _quantised(states: Tensor) -> tuple[Tensor, Tensor]:
    """uint8 levels [whole rows, in] of rows divided by their largest magnitude, and that [rows, 1].

    So the scale of the levels is the same for all rows.
    """
    flat = states.reshape(-1, states.shape[-1])
    largest = flat.abs().amax(-1, keepdim=True).clamp_(min=1e-12)
    quantised = torch.quantize_per_tensor(flat / largest, 1 / _LEVELS, _LEVELS + 1, torch.quint8)
    # Its bytes as they are: int_repr() would take ten times as long as the quantisation.
    levels = torch.empty(0, dtype=torch.uint8).set_(
        quantised.untyped_storage(), 0, quantised.shape, quantised.stride()
    )
    return _filled(levels), largest


def _filled(rows: Tensor) -> Tensor:
    """With rows of zeros up to :func:`whole_rows`, of which there is one at least."""
    more = whole_rows(max(1, len(rows))) - len(rows)
    return torch.cat([rows, rows.new_zeros(more, rows.shape[1])]) if more else rows


def projections(states: Tensor, *layers: Any) -> list[Tensor]:
    """What several linear layers make of the same states, which are quantised once."""
    if all(isinstance(layer, Int8Linear) for layer in layers):
        quantised = _quantised(states)
        return [
            layer.of_quantised(*quantised).view(*states.shape[:-1], layer.out_features)
            for layer in layers
        ]
    return [layer(states) for layer in layers]


def activated(linear: Any, activation: Any, states: Tensor) -> Tensor:
    """An activation function of what a linear layer makes of states, in one pass if it can be."""
    if isinstance(linear, PackedLinear) and _is_gelu(activation):
        return linear(states, "gelu")
    out: Tensor = activation(linear(states))
    return out


def added(states: Tensor, linear: Any, inner: Tensor) -> Tensor:
    """``states + linear(inner)``, in one pass if it can be."""
    if isinstance(linear, PackedLinear):
        return linear.plus(inner, states)
    out: Tensor = states + linear(inner)
    return out


def _is_gelu(activation: Any) -> bool:
    # torch's class, and transformers' around torch's function.
    exact = getattr(activation, "approximate", None) == "none"
    return exact or getattr(activation, "act", None) is F.gelu


def is_packed(module: nn.Module) -> bool:
    """Whether :func:`in_precision` has laid out a model's weights."""
    return any(isinstance(child, PackedLinear | Int8Linear) for child in module.modules())


def in_precision(module: M, precision: Precision) -> M:
    """A model for inference in a precision; the given one stays as it is.

    Its linear layers cannot be trained. Where nothing is to be done (fp32 on a GPU), it is the
    given one.

    Raises
    ------
    ConfigError
        For an unknown precision, for int8 on a device other than the CPU or without oneDNN, and for
        a model that is in a precision already.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
    if is_packed(module):
        raise ConfigError("the model is in a precision already: load it anew for another")
    device = next(module.parameters()).device
    if precision == "int8":
        if device.type != "cpu":
            raise ConfigError(f"precision='int8' runs on the CPU, not on {device}: take bf16 there")
        if not torch.backends.mkldnn.is_available():
            raise ConfigError("precision='int8' needs a build of torch with oneDNN: take fp32")
        return _with_layers(module, Int8Linear)
    if precision == "bf16":
        module = copy.deepcopy(module).to(torch.bfloat16)
    if device.type == "cpu" and _packs(next(module.parameters()).dtype):
        return _with_layers(module, PackedLinear)
    return module


def _with_layers(module: M, kind: Callable[[nn.Linear], nn.Module]) -> M:
    """A copy whose linear layers are of another kind; it shares all other weights."""
    memo: dict[int, Any] = {
        id(tensor): tensor for tensor in module.state_dict(keep_vars=True).values()
    }
    for child in module.modules():
        if isinstance(child, nn.Linear) and child.out_features >= _FEWEST:
            memo[id(child)] = kind(child)
    return copy.deepcopy(module, memo)
