"""The command line, through the console script's entry point."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from biolink import KnowledgeBase, read
from biolink.cli import main
from biolink.cli.info import print_info
from biolink.kb.model_folder import seal_model
from tests.commands import DATA, run


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    file = folder / "kb.tsv"
    file.write_text(
        "id\tname\tsynonyms\ttypes\nD1\tFever\tBody heat\tDisease\nD2\tCold\tfever\tChemical\n"
    )
    done = run("kb", "build", file, "-o", folder / "x.kb")
    assert done.returncode == 0, done.stderr
    assert "2 concepts, 3 names" in done.stderr
    return folder / "x.kb"


def test_help_and_version() -> None:
    assert "link" in run("--help").stdout
    assert run("--version").stdout.startswith("biolink ")
    assert run("nonsense").returncode == 2


def test_formats_are_printed() -> None:
    out = run("formats").stdout
    assert "`pubtator`" in out
    assert "`umls-rrf`" in out


def test_kb_commands(table: Path, tmp_path: Path) -> None:
    out = run("kb", "info", table).stdout
    assert "concepts: 2" in out
    assert "names shared by several concepts: 1" in out
    assert "sha256=" in out
    assert "D2" in run("kb", "search", "fever", "--kb", table).stdout
    done = run("kb", "subset", table, "--types", "Disease", "-o", tmp_path / "part.kb")
    assert done.returncode == 0
    assert [c.id for c in KnowledgeBase.open(tmp_path / "part.kb")] == ["D1"]
    (tmp_path / "ids.txt.gz").write_bytes(gzip.compress(b"D2\nD7\n"))
    done = run("kb", "subset", table, "--ids", tmp_path / "ids.txt.gz", "-o", tmp_path / "ids.kb")
    assert "1 of 2 ids are not in the knowledge base: 'D7'" in done.stderr
    (tmp_path / "ids.txt").write_text("D1 D2\n")
    done = run("kb", "subset", table, "--ids", tmp_path / "ids.txt", "-o", tmp_path / "none.kb")
    assert done.returncode == 1
    assert "ids.txt:1: the line 'D1 D2'; expected one id in each line" in done.stderr
    out = run("kb", "diff", table, tmp_path / "part.kb").stdout
    assert "concepts only in the first: 1" in out
    assert "concepts that are equal: 1" in out
    out = run("kb", "validate", table).stdout
    assert "homonyms (names of several concepts): 1" in out
    assert "names longer than the decoder allows" in out


def test_the_embedded_bases_are_searched_and_listed() -> None:
    done = run("kb", "search", "NCBIGene:672")
    assert done.returncode == 0
    assert "BRCA1" in done.stdout and "similar" not in done.stdout
    assert "cellosaurus:CVCL_0030" in run("kb", "search", "HeLa", "--limit", "0").stdout
    out = run("kb", "search", "HeLa", "--types", "gene", "--limit", "0").stdout
    assert "Gene" in out and "CellLine" not in out
    done = run("kb", "search", "NCBITaxon:672000000")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing was found for 'NCBITaxon:672000000' in the embedded" in done.stderr
    assert "did you mean 'gene'?" in run("kb", "search", "HeLa", "--types", "genes").stderr
    assert "the types 'variant'; expected" in run("kb", "search", "x", "--types", "variant").stderr
    out = run("kb", "info").stdout
    for kinds in ("Chemical, Disease", "Species", "CellLine", "Gene"):
        assert f"knowledge base of {kinds}\n" in out


def test_branches_and_roll_up(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kb.tsv").write_text(
        "id\tname\tparents\nD1\tCancer\t\nD2\tLung cancer\tD1\nD3\tFever\tD9\n"
    )
    base = tmp_path / "x.kb"
    assert run("kb", "build", tmp_path / "kb.tsv", "-o", base).returncode == 0
    out = run("kb", "info", base).stdout
    assert "concepts with a parent: 2" in out
    assert "parents that are not in the knowledge base: 1" in out
    out = run("kb", "validate", base).stdout
    assert "parents that are not in the knowledge base: 1\n  D3: D9" in out
    done = run("kb", "subset", base, "--branch", "D1", "-o", tmp_path / "part.kb")
    assert done.returncode == 0, done.stderr
    assert [c.id for c in KnowledgeBase.open(tmp_path / "part.kb")] == ["D1", "D2"]
    given = ("link", "--kb", base, "--model", model_folder, "--text", "Fever in lung cancer.")

    def linked(*options: object) -> list[tuple[str, str]]:
        done = run(*given, *options)
        assert done.returncode == 0, done.stderr
        mentions = json.loads(done.stdout)["mentions"]
        return [(m["text"], link["concept_id"]) for m in mentions for link in m["links"][:1]]

    assert linked() == [("Fever", "D3"), ("lung cancer", "D2")]
    assert linked("--branch", "D2") == [("lung cancer", "D2")]
    assert linked("--roll-up", 0) == [("Fever", "D3"), ("lung cancer", "D1")]
    # The level is that of the whole base, also when mentions are linked to a part of it.
    assert linked("--roll-up", "D1", "--branch", "D2") == [("lung cancer", "D1")]
    for option, message in (
        (("--branch", "D7"), "branch has the id 'D7', which is not in the knowledge base"),
        (("--roll-up", "5"), "roll-up is to depth 5; expected a number from 0 to 1"),
    ):
        done = run(*given, *option)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr


def test_mistakes_are_one_line_and_leave_nothing(
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text("code\tname\nD1\tFever\n")
    cases = [
        (
            ("kb", "build", bad, "-o", tmp_path / "bad.kb"),
            f"{bad}:1: the columns are code, name; expected a column id ",
        ),
        (("kb", "build", tmp_path / "none", "-o", tmp_path / "bad.kb"), "no such file"),
        (("kb", "info", tmp_path), "the format of the knowledge base is not recognised"),
        (("kb", "build", bad, "-o", tmp_path / "b.kb", "--option", "x"), "expected name=value"),
        (("kb", "subset", table, "-o", tmp_path / "b.kb"), "--ids, --types, --sources or --branch"),
        (
            ("kb", "subset", table, "--types", "None", "-o", tmp_path / "b.kb"),
            "has no concept of the types",
        ),
        (
            ("convert", DATA / "bc5cdr.PubTator", "--to", "word"),
            "the format 'word' of documents is unknown",
        ),
        (("convert", DATA / "bc5cdr.PubTator"), "--to"),
        (("link", DATA / "bc5cdr.PubTator", "--model", tmp_path), "is not a model"),
        (("link", DATA / "bc5cdr.PubTator", "--threshold", "7"), "from 0 to 1"),
        (
            ("link", DATA / "bc5cdr.PubTator", "--mentions", "x"),
            "--mentions is 'x'; expected auto, given or find",
        ),
        (
            ("link", DATA / "bc5cdr.PubTator", "-o", tmp_path / "x"),
            "no format follows from the name",
        ),
        (
            ("link", DATA / "bc5cdr.PubTator", "--workers", "0"),
            "--workers is 0; expected a number from 1",
        ),
        (("link", DATA / "bc5cdr.PubTator", "--precision", "int4"), "fp32, bf16, int8"),
        (
            ("link", DATA / "bc5cdr.PubTator", "--engine", "x"),
            "--engine is 'x'; expected local or ray",
        ),
        (("link", DATA / "bc5cdr.PubTator", "--engine", "ray"), "expected a folder with -o"),
        (("link", "--engine", "ray", "-o", tmp_path / "x"), "cannot read standard input"),
        (("link", DATA / "bc5cdr.PubTator", "--names-first"), "needs the method generate"),
    ]
    before = sorted(p.name for p in tmp_path.iterdir())
    for arguments, message in cases:
        monkeypatch.setattr(sys, "argv", ["biolink", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1, arguments
        told = capfd.readouterr().err
        assert message in told
        assert told.startswith("biolink: error: ")
        assert told.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_convert(tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl.gz"
    assert run("convert", DATA / "bc5cdr.PubTator", "-o", out).returncode == 0
    assert [d.id for d in read(out)] == [d.id for d in read(DATA / "bc5cdr.PubTator")]
    done = run("convert", "-", "--format", "lines", "--to", "jsonl", stdin=b"one\ntwo\n")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["one", "two"]


def test_link_the_embedded_default(tmp_path: Path) -> None:
    done = run("link", "--to", "table", stdin=b"Naloxone reverses the effect of clonidine.")
    assert done.returncode == 0, done.stderr
    assert "D009270" in done.stdout
    assert "D003000" in done.stdout
    out = tmp_path / "linked.PubTator"
    done = run("link", DATA / "ncbi_disease.PubTator", "-o", out, "--top-k", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    documents = list(read(out))
    assert [d.text for d in documents] == [d.text for d in read(DATA / "ncbi_disease.PubTator")]
    assert sum(len(d.mentions) for d in documents) == 17


def test_nested_mentions(tmp_path: Path) -> None:
    file = tmp_path / "kb.tsv"
    file.write_text("id\tname\nD1\tUlcerative colitis\nD2\tColitis\n")
    options = ("link", "--text", "Ulcerative colitis.", "--kb", file)
    done = run(*options, "--nested")
    assert done.returncode == 0, done.stderr
    (document,) = map(json.loads, done.stdout.splitlines())
    assert [m["text"] for m in document["mentions"]] == ["Ulcerative colitis", "colitis"]
    assert run(*options, "--nested", "--to", "html").stdout.count("<mark ") == 2
    (document,) = map(json.loads, run(*options).stdout.splitlines())
    assert [m["text"] for m in document["mentions"]] == ["Ulcerative colitis"]
    done = run(*options, "--nested", "--recogniser", "spacy:blank:en")
    assert done.returncode == 1


def test_names_first() -> None:
    form = ("--method", "generate", "--names-first", "--top-k", 2)
    done = run("link", *form, stdin=b"Naloxone for asthma.")
    assert done.returncode == 0, done.stderr
    found = [m["links"] for m in json.loads(done.stdout)["mentions"]]
    assert [links[0]["concept_id"] for links in found] == ["D009270", "D001249"]
    assert [[link["score"] < 0 for link in links] for links in found] == [[False], [False, True]]


def test_a_bad_document_does_not_stop_the_run(tmp_path: Path) -> None:
    file = tmp_path / "x.PubTator"
    good = (DATA / "ncbi_disease.PubTator").read_text()
    file.write_text("1|t|Title\n2|a|wrong id\n\n" + good)
    out = tmp_path / "x.jsonl"
    done = run("link", file, tmp_path / "none.txt", "-o", out)
    assert done.returncode == 1
    assert f"{file}:2: the document id '2'; expected '1', as above" in done.stderr
    assert "none.txt: no such file" in done.stderr
    assert "2 problems" in done.stderr
    assert len(list(read(out))) == 4


def test_nil_and_types_and_warning(tmp_path: Path) -> None:
    done = run("link", "--threshold", "1", stdin=b"Naloxone and clonidine.")
    assert '"nil_reason": "probability' in done.stdout
    assert "no mention was linked" in done.stderr
    done = run("link", "--types", "Disease", stdin=b"Naloxone for asthma.")
    record = json.loads(done.stdout)
    assert [m["text"] for m in record["mentions"]] == ["asthma"]
    done = run("link", stdin=b"We thank the editor for his help with the manuscript.")
    assert "no mention was found" in done.stderr
    done = run("link", "--types", "None", stdin=b"x")
    assert "no concept of the types" in done.stderr


def test_evaluate_and_info() -> None:
    done = run("evaluate", DATA / "ncbi_disease.PubTator")
    assert done.returncode == 0, done.stderr
    assert "| biolink (combined) | strict | 17 |" in done.stdout
    report = json.loads(run("evaluate", DATA / "ncbi_disease.PubTator", "--json").stdout)
    assert report["strict"]["recall_at_1"] > 0.5
    info = run("info").stdout
    assert '"prompt"' in info and "dense: cosine of embeddings" in info
    weights, early = info.split("Weights of early rankings")
    assert "final if its best concept leads by at least 2.0 nats:" in early
    # Early rankings have no weights of features that need the context or generation.
    named = {line.split()[-1] for line in early.splitlines()[2:]}
    assert named >= {"dense", "acronym", "unmarked"}
    assert not named & {"context", "generation_sum", "generation_mean"}
    assert "context: " in weights and "generation_sum: " in weights


def test_info_prints_a_margin_that_is_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "biolink.json").write_text('{"ranker": {"early": {"margin": "wide"}}}')
    print_info(tmp_path)
    assert "leads by at least wide nats:" in capsys.readouterr().out


def test_a_damaged_model_is_one_line_that_names_the_file(
    model_folder: Path, table: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "model"))
    seal_model(folder)
    assert run("info", folder).returncode == 0
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-9] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    for command in (
        ("info", folder),
        ("link", "--text", "Fever.", "--model", folder, "--kb", table),
    ):
        done = run(*command)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "model.safetensors is not what was written" in line and "seal.json" in line


def test_evaluation_with_everything(tmp_path: Path) -> None:
    corpus = DATA / "ncbi_disease.PubTator"
    outputs = [f"-o{tmp_path / name}" for name in ("a.json", "a.md", "a.html")]
    done = run(
        "evaluate", corpus, "--train", corpus, "--protocol", "biosyn", "--baselines",
        "--predictions", corpus, *outputs,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "a.md").read_text()
    for row in ("biolink (combined)", "exact match", "TF-IDF", "ncbi_disease.PubTator"):
        assert f"| {row} | biosyn | 17 |" in text
    # The predictions are the gold itself.
    assert "| ncbi_disease.PubTator | biosyn | 17 | 17 | 100.0% |" in text
    assert "mention in training | seen | 17" in text
    assert "<svg" in (tmp_path / "a.html").read_text()
    again = run("compare", tmp_path / "a.json", tmp_path / "a.json")
    assert "+0.0% strict Recall@1" in again.stdout
    for arguments, error in (
        (["--protocol", "biosyn"], "needs --train"),
        (["--protocol", "other"], "strict or biosyn"),
        (["-o", "x.pdf"], "ends in .json, .md or .html"),
    ):
        done = run("evaluate", corpus, *arguments)
        assert done.returncode == 1
        assert error in done.stderr
        assert "Traceback" not in done.stderr
    done = run("compare", tmp_path / "a.md", tmp_path / "a.json")
    assert "expected a report of biolink evaluate" in done.stderr


def test_partial_files_are_removed_when_the_command_is_ended(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    command = [
        sys.executable, "-c", "from biolink.cli import main; main()",
        "convert", "-", "--format", "jsonl", "-o", str(target),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b'{"id": "1", "text": "Fever."}\n')
    process.stdin.flush()
    while not any(tmp_path.iterdir()):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 143
    assert not any(tmp_path.iterdir())
