"""The documented name of :mod:`biolink.finetune.joint.train`."""

from __future__ import annotations

from biolink.finetune.joint.train import Stage, Trainer

__all__ = ["Stage", "Trainer"]
