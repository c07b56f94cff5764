"""SSSOM mapping sets: what is in them, and that the format's own validator accepts them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from biolink.documents import Document, Link, Mention
from biolink.errors import InputError
from biolink.formats import format_of_name, read, write
from biolink.formats.sssom import TermMapping, write_mappings
from biolink.kb.files import replace_file

ASTHMA = Link("D001249", "asthmas", -0.1, 0.8, 1, preferred_name="Asthma", curie="mesh:D001249")
BETTER = Link("D001249", "asthmas", -0.1, 0.6, 1, preferred_name="Asthma", curie="mesh:D001249")
BARE = Link("17", "odd one", -0.1, 0.5, 1)


def documents() -> list[Document]:
    text = 'asthma, asthma, a\t"b", gout, x'
    mentions = (
        Mention(0, 6, "asthma", "Disease", links=(ASTHMA,)),
        Mention(8, 14, "asthma", "Disease", links=(BETTER,)),
        Mention(16, 21, text[16:21], links=(BARE,)),
        Mention(23, 27, "gout", "Disease", nil_reason="no candidate", nil_probability=0.7),
        Mention(29, 30, "x", "Gene", ("NCBIGene:672",)),
    )
    return [Document("1", text, mentions=mentions)]


def rows(file: Path) -> list[dict[str, str]]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


def test_each_pair_of_words_and_concept_is_one_mapping(tmp_path: Path) -> None:
    file = tmp_path / "x.sssom.tsv"
    assert format_of_name(file) == "sssom"
    write(documents(), file)
    asthma, odd, gout, gene = rows(file)
    assert (asthma["subject_label"], asthma["object_id"]) == ("asthma", "mesh:D001249")
    assert (asthma["confidence"], asthma["comment"]) == ("0.7", "2 mentions")
    assert (asthma["object_label"], asthma["match_string"]) == ("Asthma", "asthmas")
    assert (odd["subject_label"], odd["object_id"]) == ("a 'b'", "local:17")
    assert (gout["object_id"], gout["confidence"]) == ("sssom:NoTermFound", "0.7")
    assert gout["comment"] == "NIL: no candidate; 1 mention"
    assert gene["mapping_justification"] == "semapv:UnspecifiedMatching"
    with pytest.raises(InputError, match="an unknown format of documents"):
        list(read(file))


def test_the_same_mappings_have_the_same_id(tmp_path: Path) -> None:
    for name in "ab":
        with replace_file(tmp_path / name) as stream:
            write_mappings([TermMapping("gout", "mesh:D006073")], stream)
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


def test_the_validator_of_sssom_accepts_a_mapping_set(tmp_path: Path) -> None:
    """The validator has many dependencies, so it is no part of what tests install."""
    sssom = pytest.importorskip("sssom.io")
    from sssom.constants import SchemaValidationType

    file = tmp_path / "x.sssom.tsv"
    write(documents(), file)
    kinds = [SchemaValidationType.JsonSchema, SchemaValidationType.PrefixMapCompleteness]
    kinds += [SchemaValidationType.StrictCurieFormat]
    sssom.validate_file(str(file), kinds)
    file.write_text(file.read_text().replace("CompositeMatching", "Guessing"))
    with pytest.raises(Exception, match="validation errors"):
        sssom.validate_file(str(file), kinds)
