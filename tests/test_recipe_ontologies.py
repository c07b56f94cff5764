"""The concepts of all knowledge bases among the data, as the recipe reads them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from biolink.errors import InputError

ONTOLOGIES = Path(__file__).parents[1] / "examples" / "default_model" / "ontologies.py"


def test_a_bad_row_is_an_error(tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location("ontologies", ONTOLOGIES)
    assert specification is not None and specification.loader is not None
    ontologies = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(ontologies)
    file = tmp_path / "kb" / "fevers" / "terms.tsv"
    file.parent.mkdir(parents=True)
    file.write_text("id\tname\nA:1\tfever\n\tcough\nA:3\tpain\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"terms\.tsv:3: "):
        list(ontologies.other_concepts(tmp_path))
