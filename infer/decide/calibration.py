"""Calibrated probabilities: from what a linker says to how often it is right.

Fitted on linked development documents by
:func:`biolink.evaluation.calibrating.fit_calibration` with scikit-learn; kept as a few numbers, so
that applying it needs nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from biolink.errors import ConfigError, ModelError, shown
from biolink.kb.arguments import need_number
from biolink.kb.files import replace_file
from biolink.kb.model_files import json_of
from biolink.kb.model_folder import renew_seal

__all__ = ["Calibration", "log_odds"]

_LEAST = 1e-6


def log_odds(probability: float) -> float:
    """Logarithm of p / (1 - p), p kept a millionth away from 0 and 1."""
    kept = min(1 - _LEAST, max(_LEAST, probability))
    return float(np.log(kept / (1 - kept)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone map of probabilities.

    Attributes
    ----------
    kind
        ``isotonic``: straight lines between points. ``platt``: a logistic function of the log odds.
    x, y
        The points, ascending; for ``platt`` slope and intercept are ``x[0]`` and ``y[0]``.
    """

    kind: Literal["isotonic", "platt"]
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in ("isotonic", "platt"):
            raise ConfigError(f"the calibration kind is {self.kind!r}; expected isotonic or platt")
        for values in (self.x, self.y):
            if not isinstance(values, tuple):
                raise ConfigError(f"a calibration has the points {shown(values)}; expected tuples")
            for value in values:
                need_number("a point of a calibration", value)
        if len(self.x) != len(self.y) or not self.x or (self.kind == "platt" and len(self.x) > 1):
            raise ConfigError("a calibration needs as many values of y as of x, platt one of each")
        if not np.isfinite([*self.x, *self.y]).all():
            raise ConfigError("the points of a calibration are finite numbers")
        if self.kind == "isotonic" and not all(0 <= p <= 1 for p in (*self.x, *self.y)):
            raise ConfigError("the points of an isotonic calibration are probabilities")
        if any(b < a for a, b in zip(self.x, self.x[1:], strict=False)):
            raise ConfigError("the points of a calibration ascend")

    def __call__(self, probability: float) -> float:
        """The calibrated probability."""
        if self.kind == "platt":
            value = self.x[0] * log_odds(probability) + self.y[0]
            return float(1 / (1 + np.exp(-value)))
        return float(np.interp(probability, self.x, self.y))

    def save(self, file: str | Path) -> None:
        """Write the calibration as JSON; into a model folder, with its entry in the seal."""
        values = {"kind": self.kind, "x": list(self.x), "y": list(self.y)}
        with replace_file(Path(file)) as stream:
            stream.write(json.dumps(values, indent=1) + "\n")
        renew_seal(Path(file))

    @classmethod
    def read(cls, file: str | Path) -> Calibration:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ModelError
            When the file is something else.
        """
        try:
            values = json_of(Path(file))
            return cls(
                values["kind"], tuple(map(float, values["x"])), tuple(map(float, values["y"]))
            )
        except (ValueError, KeyError, TypeError, OverflowError, ConfigError) as error:
            raise ModelError(
                f"{file} is not a calibration ({error}); expected what biolink calibrate writes"
            ) from None
