"""The packages that only training needs; the extra ``train`` installs them."""

from __future__ import annotations

from importlib.util import find_spec

from biolink.errors import MissingDependencyError

__all__ = ["check_training_packages"]

_PACKAGES = ("accelerate", "datasets")


def check_training_packages() -> None:
    """Check that the packages of the extra ``train`` are installed.

    Raises
    ------
    MissingDependencyError
        If one of them is missing. The message has the command that installs it.
    """
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingDependencyError(package, "training", "train")
