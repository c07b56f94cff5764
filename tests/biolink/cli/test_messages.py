"""Messages of the command line: empty values, options without effect, no results, counts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from biolink.cli import main
from biolink.errors import ConfigError
from biolink.infer.network.devices import check_device
from biolink.kb import Concept, KnowledgeBase

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: Captured, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Run a command in an empty folder, and return exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["biolink", *arguments])
        status = 0
        try:
            main()
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        told = capfd.readouterr()
        return status, told.out, told.err

    return command


def error(said: tuple[int, str, str]) -> str:
    """The one line of an error."""
    status, _, err = said
    assert status == 1, said
    assert err.startswith("biolink: error: ") and err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.removeprefix("biolink: error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("link", "--text", "x", "--kb", ""), "--kb"),
        (("link", "--text", "x", "-o", ""), "--output"),
        (("link", "--text", "x", "--to", ""), "--to"),
        (("link", "--text", "x", "--model", " "), "--model"),
        (("link", "--text", "x", "--types", ""), "--types"),
        (("link", "--text", "x", "--nil", ""), "--nil"),
        (("link", ""), "files"),
        (("convert", "x.txt", "--format", ""), "--format"),
        (("convert", "x.csv", "--text-column", ""), "--text-column"),
        (("evaluate", "x.PubTator", "--train", ""), "--train"),
        (("evaluate", "x.PubTator", "-o", ""), "--output"),
        (("kb", "build", "x.csv", "-o", ""), "--output"),
        (("kb", "build", "", "-o", "x.kb"), "sources"),
        (("kb", "info", ""), "source"),
        (("kb", "search", "", "--kb", "x.kb"), "query"),
        (("kb", "search", "fever", "--kb", ""), "--kb"),
        (("kb", "subset", "x.kb", "--ids", "", "-o", "y.kb"), "--ids"),
        (("export-pairs", "x.toml", "-o", ""), "--output"),
        (("bench", "split", "x.jsonl", "--ids", "i", "-o", "", "--kb", "x"), "--output"),
        (("convert-checkpoint", "model.pt", "-o", ""), "--output"),
        (("pretrain", "tokenizer", "x.txt", "-o", ""), "--output"),
    ],
)
def test_empty_values_are_refused_by_name(run, arguments, named) -> None:  # type: ignore[no-untyped-def]
    assert error(run(*arguments)).startswith(f"the value of {named} is empty")


def test_kinds_that_are_not_linked_are_no_wrong_base(run) -> None:  # type: ignore[no-untyped-def]
    text = ("link", "--text", "The V600E mutation.", "--to", "csv", "--types")
    status, out, err = run(*text, "variant")
    assert status == 0 and "V600E" in out
    assert "no mention was linked; none is of a kind that is linked here" in err
    assert "is this the right knowledge base" not in err


def test_taxa_that_are_no_ids_are_refused_by_name(run) -> None:  # type: ignore[no-untyped-def]
    said = error(run("link", "--text", "x", "--taxa", "9606,mouse"))
    assert said == "--taxa has 'mouse'; expected ids of NCBI Taxonomy such as 9606,10090"


@pytest.mark.parametrize(
    "arguments",
    [
        ("kb", "build", "x.csv", "-o"),
        ("bench", "split", "x.jsonl", "--ids", "i", "-o"),
        ("convert-checkpoint", "model.pt", "-o"),
        ("pretrain", "tokenizer", "x.txt", "-o"),
        ("export-pairs", "x.toml", "-o"),
        ("link", "x.txt", "--engine", "ray", "-o"),
    ],
)
def test_no_folder_is_written_into_the_current_one(run, arguments) -> None:  # type: ignore[no-untyped-def]
    assert "the current or the home folder" in error(run(*arguments, "."))


def test_options_without_effect_are_refused(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = ("link", "--text", "Asthma.")
    assert "--format goes with files" in error(run(*text, "--format", "csv"))
    assert "--text-column goes with files" in error(run(*text, "--text-column", "x"))
    for command in ("link", "convert"):
        said = error(
            run(command, "x", "--format", "pubtator", "--text-column", "x", "--to", "jsonl")
        )
        assert "--text-column goes with a table, and --format is pubtator" in said
        assert "tsv or csv or parquet" in said
    Path("x.jsonl").write_text('{"text": "Asthma."}\n')
    status, _, err = run("convert", "x.jsonl", "--text-column", "text", "--to", "tsv")
    assert status == 1
    assert "x.jsonl: the format jsonl; expected a table (tsv, csv, parquet)" in err
    KnowledgeBase.from_concepts([Concept("1", "asthma")]).save("a.kb")
    assert "takes no options" in error(run("kb", "build", "a.kb", "--option", "id=x", "-o", "b.kb"))


def test_a_search_that_finds_nothing_says_so(run) -> None:  # type: ignore[no-untyped-def]
    Path("a.csv").write_text("id,name,obsolete\nT:1,asthma,\nT:9,old wheeze,true\n")
    assert run("kb", "build", "a.csv", "-o", "a.kb")[0] == 0
    for query in ("xqxq", "T:9"):
        status, out, err = run("kb", "search", query, "--kb", "a.kb")
        assert (status, out) == (1, "")
        assert err == f"biolink: nothing was found for {query!r} in a.kb\n"
    status, out, err = run("kb", "search", "asthma", "--kb", "a.kb")
    assert status == 0 and "T:1" in out and not err


def test_a_bad_row_of_a_base_is_reported_and_the_rest_is_built(run) -> None:  # type: ignore[no-untyped-def]
    Path("a.csv").write_text("id,name\n1,asthma\n2\n3,gout\n")
    status, _, err = run("kb", "build", "a.csv", "-o", "a.kb")
    assert status == 1
    assert "biolink: a.csv:3: 1 column; expected 2, as in the header\n" in err
    assert "a.kb: 2 concepts, 2 names\n" in err
    assert err.endswith("biolink: 1 problem; everything else was done\n")
    assert len(KnowledgeBase.open("a.kb")) == 2
    status, out, err = run("kb", "info", "a.csv")
    assert status == 1 and "concepts: 2" in out and "a.csv:3: " in err
    Path("b.csv").write_text("id,name\n1\n2\n")
    status, _, err = run("kb", "build", "b.csv", "-o", "b.kb")
    assert status == 1
    assert err.splitlines()[2:] == [
        "biolink: 2 problems",
        "biolink: error: b.csv: no concept (rows that cannot be read: 2); expected concepts with "
        "names, read as table",
    ]
    assert not Path("b.kb").exists()


def test_messages_do_not_say_that_the_rest_was_done_when_it_was_not(run) -> None:  # type: ignore[no-untyped-def]
    Path("k.json").write_text('{"a": 1}')
    Path("x.jsonl").write_text('broken\n{"text": "Asthma."}\n')
    for arguments in (
        ("evaluate", "k.json"),
        ("evaluate", "x.jsonl"),
        ("link", "k.json", "--to", "jsonl"),
        ("convert", "k.json", "--to", "jsonl"),
        ("convert", "x.jsonl", "--to", "jsonl", "-o", "/dev/full"),
    ):
        status, _, err = run(*arguments)
        first, count, last = err.splitlines()
        assert status == 1 and first.startswith(f"biolink: {arguments[1]}")
        assert count == "biolink: 1 problem"
        assert last.startswith("biolink: error: ")
    assert run("convert", "x.jsonl", "--to", "jsonl")[2].endswith("; everything else was done\n")


@pytest.mark.parametrize("name", ["x.txt", "x"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "utf-16"])
def test_text_in_another_encoding_is_reported_as_such(run, name: str, encoding: str) -> None:  # type: ignore[no-untyped-def]
    words = "лист ожидания" if encoding == "cp1251" else "naïve café"
    Path(name).write_bytes(words.encode(encoding))
    status, _, err = run("convert", name, "--to", "jsonl")
    assert status == 1
    assert re.match(
        rf"biolink: {name}: bytes that are not UTF-8 \([a-z ]+\); expected UTF-8 text\n", err
    )


def test_a_count_of_one_has_a_singular_noun(run) -> None:  # type: ignore[no-untyped-def]
    Path("a.csv").write_text("id,name\n1,asthma\n")
    assert run("kb", "build", "a.csv", "-o", "a.kb")[2] == "a.kb: 1 concept, 1 name\n"


@pytest.mark.parametrize("types", [[], "", [" "]])
def test_an_empty_choice_of_types_is_refused_with_those_that_exist(types: object) -> None:
    kb = KnowledgeBase.from_concepts([Concept("1", "asthma", types=("Disease",))])
    with pytest.raises(ConfigError, match="the list of types is empty; expected types among Dis"):
        kb.subset(types=types)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU has the device")
def test_a_missing_device_is_reported_without_contradiction() -> None:
    for device in ("cuda", "cuda:7", "mps", "nonsense"):
        with pytest.raises(ConfigError) as raised:
            check_device(device)
        said = str(raised.value)
        assert said.startswith(f"the device {device!r} is not available on this machine")
        assert said.endswith("; expected cpu") and said.count("xpected") == 1


GENES = "id,name,synonyms,taxon,types\n1,TP53,p53,9606,Gene\n2,Trp53,p53,10090,Gene\n"


def test_disambiguating_says_what_it_did_and_spares_its_source(run) -> None:  # type: ignore[no-untyped-def]
    Path("g.csv").write_text(GENES)
    Path("s.csv").write_text("id,name,types\n10090,Mus musculus,Species\n")
    assert run("kb", "build", "g.csv", "-o", "g.kb")[0] == 0
    status, _, err = run("kb", "disambiguate", "g.kb", "--species", "s.csv", "-o", "d.kb")
    assert (status, err.splitlines()[-1]) == (
        0,
        "  rewritten, because several concepts shared them: 1 name",
    )
    assert KnowledgeBase.open("d.kb")["2"].synonyms == ("p53 (Mus musculus)",)
    before = KnowledgeBase.open("g.kb").fingerprint
    for command in (("disambiguate",), ("subset", "--types", "Gene")):
        said = error(run("kb", *command, "g.kb", "-o", "g.kb"))
        assert said == "-o g.kb is also an input; expected another name"
    assert KnowledgeBase.open("g.kb").fingerprint == before


def test_another_base_than_one_of_species_is_refused(run) -> None:  # type: ignore[no-untyped-def]
    Path("g.csv").write_text(GENES)
    Path("none.csv").write_text("id,name\n1,fever\n")
    Path("far.csv").write_text("id,name,types\n4932,yeast,Species\n")
    for genes, species, message in (
        ("g.csv", "g.csv", "species is a knowledge base of Gene; expected one of species"),
        ("g.csv", "far.csv", "none of the taxa of the concepts; expected .* such as '10090'"),
        ("none.csv", "far.csv", "no concept has a taxon"),
    ):
        said = run("kb", "disambiguate", genes, "--species", species, "-o", "d.kb")
        assert said[0] == 1 and re.search(message, said[2]), said
        assert not Path("d.kb").exists()


@pytest.mark.parametrize("name", ["out.txt", "out.obo.gz", "out.tsv", "out.JSON"])
def test_a_base_is_not_written_under_the_name_of_a_file(run, name: str) -> None:  # type: ignore[no-untyped-def]
    Path("g.csv").write_text(GENES)
    for command in (("build",), ("disambiguate",), ("subset", "--types", "Gene")):
        said = error(run("kb", *command, "g.csv", "-o", name))
        assert re.fullmatch(
            r"out.*: the name of a file \(.*\); expected .*, such as out.*\.kb", said
        )
    assert not Path(name).exists()
    assert run("kb", "build", "g.csv", "-o", "genes.2026")[0] == 0
