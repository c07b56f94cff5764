"""Every training refuses an output folder of something else before it starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from biolink.errors import InputError
from biolink.finetune.end_to_end import EndToEnd, run_end_to_end
from biolink.finetune.reading.stage import SharedReading, run_shared_reading
from biolink.finetune.retrieve_read import RetrieveRead, run_retrieve_read
from biolink.finetune.tagging import Recognising, run_recognising
from biolink.finetune.tune import FineTuning, run_fine_tuning, run_negatives
from biolink.pretrain.stages import Denoising, KBGuided, run_denoising, run_kb_guided
from biolink.pretrain.training.running import Optimisation

ONE = Optimisation(steps=1)
NOWHERE = Path("nowhere")
TUNED: dict[str, Any] = {"model": NOWHERE, "kb": NOWHERE, "train": (NOWHERE,)}


def nothing(*given: Any) -> Any:
    raise AssertionError("it began to work")


RUNS: dict[str, Callable[[Path], Any]] = {
    "denoise": lambda out: run_denoising(Denoising(out, (NOWHERE,), ONE, NOWHERE), nothing),
    "kb-guided": lambda out: run_kb_guided(KBGuided(out, NOWHERE, ONE, NOWHERE)),
    "finetune": lambda out: run_fine_tuning(
        FineTuning(out, training=ONE, **TUNED), [], [], nothing
    ),
    "negatives": lambda out: run_negatives(FineTuning(out, training=ONE, **TUNED), [], [], nothing),
    "end-to-end": lambda out: run_end_to_end(EndToEnd(out, training=ONE, **TUNED), []),
    "retrieve-read": lambda out: run_retrieve_read(
        RetrieveRead(out, retriever=ONE, reader=ONE, **TUNED), []
    ),
    "reading": lambda out: run_shared_reading(SharedReading(out, **TUNED), []),
    "recogniser": lambda out: run_recognising(Recognising(out, **TUNED), []),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_folder_that_is_not_a_model_is_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / "out" / "model").mkdir(parents=True)
    thesis = tmp_path / "out" / "model" / "thesis.tex"
    thesis.write_text("x")
    # There is no model to start from, so the target must have been checked first.
    with pytest.raises(InputError, match="expected"):
        RUNS[name](tmp_path / "out")
    assert thesis.read_text() == "x"
    assert [child.name for child in (tmp_path / "out").iterdir()] == ["model"]
