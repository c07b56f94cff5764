"""The settings in examples/ are valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from biolink.finetune.end_to_end import EndToEnd
from biolink.finetune.retrieve_read import RetrieveRead
from biolink.finetune.tagging import Recognising
from biolink.finetune.tune import FineTuning
from biolink.pretrain.stages import Denoising, KBGuided
from biolink.pretrain.training.settings import read_settings

FOLDER = Path(__file__).parents[1] / "examples" / "training"
KINDS = {"denoise": Denoising, "kb_guided": KBGuided, "finetune": FineTuning}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.toml")), ids=lambda file: file.stem)
def test_settings_are_valid(file: Path) -> None:
    kind = next(kind for name, kind in KINDS.items() if name in file.stem)
    settings = read_settings(kind, file)
    assert settings.training.steps > 0
    if "deepspeed" in settings.trainer:
        assert (FOLDER / settings.trainer["deepspeed"]).is_file()


PARTIAL = {"end_to_end": EndToEnd, "retrieve_read": RetrieveRead, "recogniser": Recognising}


@pytest.mark.parametrize("name", PARTIAL)
def test_settings_of_the_benchmark_are_valid(name: str) -> None:
    settings = read_settings(PARTIAL[name], FOLDER.parent / "partial_kb" / f"{name}.toml")
    assert all(file.is_file() for file in settings.train)
    assert settings.model.is_dir() and settings.kb.is_dir()
