"""Calibration: a map from a linker's probabilities to how often its links are right.

A calibration is fitted with scikit-learn on linked development documents, by
:func:`biolink.evaluation.calibrating.fit_calibration`. It consists of a few numbers, so applying it
does not need scikit-learn.
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

#: Probabilities are kept at least this far from 0 and 1.
_LEAST = 1e-6


def log_odds(probability: float) -> float:
    """The logarithm of p / (1 - p), where p is first moved a millionth away from 0 and 1.

    >>> log_odds(0.5), round(log_odds(1.0), 2)
    (0.0, 13.82)
    """
    kept = min(1 - _LEAST, max(_LEAST, probability))
    return float(np.log(kept / (1 - kept)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from probabilities to calibrated probabilities.

    Attributes
    ----------
    kind
        ``isotonic``: straight lines between points. ``platt``: a logistic function of the log odds
        (Platt, 1999).
    x, y
        The coordinates of the points; those of ``x`` are in ascending order. For ``platt``,
        ``x[0]`` is the slope and ``y[0]`` the intercept.

    Raises
    ------
    ConfigError
        If the values do not describe such a map.

    Examples
    --------
    >>> Calibration("isotonic", (0.0, 1.0), (0.0, 0.8))(0.5)
    0.4
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
            raise ConfigError(
                "a calibration needs as many values of y as of x, and platt needs one of each"
            )
        if not np.isfinite([*self.x, *self.y]).all():
            raise ConfigError("the points of a calibration must be finite numbers")
        if self.kind == "isotonic" and not all(0 <= p <= 1 for p in (*self.x, *self.y)):
            raise ConfigError("the points of an isotonic calibration must be probabilities")
        if any(b < a for a, b in zip(self.x, self.x[1:], strict=False)):
            raise ConfigError("the points of a calibration must be in ascending order of x")

    def __call__(self, probability: float) -> float:
        """The calibrated probability."""
        if self.kind == "platt":
            value = self.x[0] * log_odds(probability) + self.y[0]
            return float(1 / (1 + np.exp(-value)))
        return float(np.interp(probability, self.x, self.y))

    def save(self, file: str | Path) -> None:
        """Write the calibration as JSON. In a model folder, the seal is renewed as well."""
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
            If the file is not a calibration.
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
