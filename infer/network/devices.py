"""The devices on which a model can run."""

from __future__ import annotations

import torch

from biolink.errors import ConfigError

__all__ = ["check_device"]


def check_device(device: str) -> None:
    """Check that this machine, and this build of torch, have a device.

    >>> check_device("cpu")

    Raises
    ------
    ConfigError
        If they do not; the message names the devices that there are.
    """
    kind = str(device).partition(":")[0]
    known = ["cpu"]
    if torch.cuda.is_available():
        known += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        known.append("mps")
    try:
        if kind == "meta":
            raise RuntimeError("it computes nothing")
        torch.empty(1, device=torch.device(device))
    except (RuntimeError, AssertionError, TypeError):
        # The message of torch is not used, because it names devices that are not there either.
        built = "" if torch.backends.cuda.is_built() else ", whose torch was built without CUDA"
        where = built if kind == "cuda" else ""
        raise ConfigError(
            f"the device {device!r} is not available on this machine{where}; expected "
            f"{' or '.join(known)}"
        ) from None
