"""Readers and writers of documents: round trips, corpora as they are, errors."""

from __future__ import annotations

import gzip
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biolink.documents import Document, Link, Mention, Passage
from biolink.errors import ConfigError, InputError
from biolink.formats import FORMATS, describe, format_of_name, load, read, sniff_format, write
from biolink.formats.align import align

DATA = Path(__file__).parents[2] / "data"
WRITABLE = [info.name for info in describe() if info.writes]

# Characters that often break offsets: astral planes, combining marks, CRLF, NBSP, tabs, BOM.
ALPHABET = st.sampled_from("abc XY.,|\\&<>\"'\t\n\r\u00a0é\u0301𝛼😀\u2028\ufeff\x0b\x85中")
texts = st.text(ALPHABET, min_size=1, max_size=60)
ids = st.lists(st.sampled_from(["D1", "MESH:D2", "123", "HP:0000118"]), max_size=3, unique=True)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(texts)
    passages: tuple[Passage, ...] = ()
    cut = draw(st.integers(0, len(text)))
    if draw(st.booleans()) and 0 < cut < len(text) - 1:
        passages = (Passage(0, cut, "title"), Passage(cut + 1, len(text), "abstract"))
    mentions = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        mentions.append(
            Mention(
                start,
                end,
                text[start:end],
                type=draw(st.sampled_from(["Disease", "Chemical", ""])),
                concept_ids=tuple(draw(ids)),
                id_joiner=draw(st.sampled_from("|+")),
            )
        )
    mentions.sort(key=lambda m: (m.start, m.end))
    return Document(
        draw(st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True)), text, passages, tuple(mentions)
    )


PAIRED = ["jsonl", "tsv", "bioc-json", "pubtator", "bioc-xml", "pubannotation", "brat"]


def through(document: Document, name: str, folder: Path) -> Document:
    file = folder / (f"{name}.brat" if name == "brat" else "x")
    write([document], file, name)
    (back,) = read(file, name)
    return back


def gold(document: Document) -> list[tuple[object, ...]]:
    return [(m.start, m.end, m.type, m.concept_ids) for m in document.mentions]


@settings(deadline=None)
@given(document=documents())
@pytest.mark.parametrize("name", ["jsonl", "tsv", "bioc-json", "pubannotation"])
def test_formats_that_keep_every_character(
    tmp_path_factory: pytest.TempPathFactory, name: str, document: Document
) -> None:
    back = through(document, name, tmp_path_factory.mktemp("f"))
    assert (back.id, back.text) == (document.id, document.text)
    assert gold(back) == gold(document)
    assert [m.text for m in back.mentions] == [m.text for m in document.mentions]
    if name == "jsonl":
        assert back == document


@settings(deadline=None)
@given(document=documents())
@pytest.mark.parametrize("name", ["pubtator", "bioc-xml"])
def test_formats_that_replace_one_character_by_one(
    tmp_path_factory: pytest.TempPathFactory, name: str, document: Document
) -> None:
    back = through(document, name, tmp_path_factory.mktemp("f"))
    blank = re.compile(r"[\s\x00-\x20\x85\u2028\ufeff]")
    kept = blank.sub(" ", document.text)
    assert blank.sub(" ", back.text) == kept
    # A mention of blanks alone cannot be found again; all others keep their offsets.
    expected = [row for row in gold(document) if kept[row[0] : row[1]].strip()]  # type: ignore[misc]
    found = [row for row in gold(back) if kept[row[0] : row[1]].strip()]  # type: ignore[misc]
    assert found == expected


@settings(deadline=None)
@given(text=texts)
def test_plain_text_round_trip(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    back = through(Document("x", text), "text", tmp_path_factory.mktemp("f"))
    assert back.text == text.removeprefix("\ufeff")


@settings(deadline=None, max_examples=30)
@given(document=documents())
@pytest.mark.parametrize("first", PAIRED)
@pytest.mark.parametrize("second", PAIRED)
def test_every_pair_keeps_offsets(
    tmp_path_factory: pytest.TempPathFactory, first: str, second: str, document: Document
) -> None:
    folder = tmp_path_factory.mktemp("f")
    once = through(document, first, folder)
    twice = through(once, second, folder)
    # BRAT reads files line by line, so its mentions neither begin nor end with a line break.
    breaks = "\r\n" if "brat" in (first, second) else ""

    def spans(of: Document) -> set[tuple[int, int]]:
        words = [(m, m.text.strip(breaks)) for m in of.mentions if m.text.strip()]
        starts = [m.start + (m.text.index(w) if breaks else 0) for m, w in words]
        return {
            (start, start + len(w) if breaks else m.end)
            for start, (m, w) in zip(starts, words, strict=True)
        }

    assert spans(twice) == spans(once)
    assert len(twice.text) == len(once.text)


def linked_document() -> Document:
    text = "SBMA and fever\nabout𝛼"
    link = Link("D055534", "Kennedy's Disease", -0.1, 0.9, 1, True, ("313200",), "spinal atrophy")
    mentions = (
        Mention(0, 4, "SBMA", "Disease", links=(link,), long_form="spinal atrophy"),
        Mention(9, 14, "fever", "Disease", nil_reason="no candidate"),
    )
    return Document("7", text, (Passage(0, 14, "title"), Passage(15, 21, "abstract")), mentions)


def test_links_are_written(tmp_path: Path) -> None:
    document = linked_document()
    assert through(document, "jsonl", tmp_path) == document
    (link,) = through(document, "tsv", tmp_path).mentions[0].links
    assert (link.concept_id, link.probability, link.shared) == ("D055534", 0.9, True)
    rows = {
        name: through(document, name, tmp_path).mentions
        for name in ("pubtator", "bioc-xml", "bioc-json")
    }
    for mentions in rows.values():
        assert [m.concept_ids for m in mentions] == [("D055534",), ()]
    write([document], tmp_path / "x", "bioc-json")
    infons = json.loads((tmp_path / "x").read_text())["documents"][0]["passages"][0]["annotations"]
    assert infons[0]["infons"]["name"] == "Kennedy's Disease"
    assert infons[1]["infons"]["nil_reason"] == "no candidate"


@pytest.mark.parametrize("name", ["ncbi_disease.PubTator", "bc5cdr.PubTator"])
def test_pubtator_files_are_written_as_they_were_read(name: str, tmp_path: Path) -> None:
    write(read(DATA / name), tmp_path / "x.PubTator")
    assert (tmp_path / "x.PubTator").read_text() == (DATA / name).read_text()


def test_ids_as_corpora_write_them() -> None:
    mentions = [m for d in read(DATA / "bc5cdr.PubTator") for m in d.mentions]
    composite = next(m for m in mentions if m.parts)
    assert composite.concept_ids == ("D014786", "D006311")
    assert composite.parts == ("Ocular toxicity", "auditory toxicity")
    assert any(not m.concept_ids for m in mentions)
    assert next(read(DATA / "bc5cdr.PubTator")).metadata["relations"]


def test_pubtator_moves_and_drops_what_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(
        "1|t|The fever is bad\n1|a|\n1\t5\t10\tfever\tDisease\tD1\n1\t0\t3\tnowhere\tDisease\tD1\n"
    )
    problems: list[InputError] = []
    (document,) = read(file, on_problem=problems.append)
    assert [(m.start, m.end) for m in document.mentions] == [(4, 9)]
    assert [p.line for p in problems] == [3, 4]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1|t|Title\n1|a|Text\n1\tx\ty\tz\tq\tr\n", 3),
        ("1|t|Title\n2|a|Text\n", 2),
        ("1|t|Title\n1|a|Text\n2\t0\t5\tTitle\tDisease\tD1\n", 3),
        ("1|a|Text\n", 1),
    ],
)
def test_a_bad_document_is_reported_and_the_next_is_read(
    tmp_path: Path, content: str, line: int
) -> None:
    file = tmp_path / "x.PubTator"
    file.write_text(content + "\n9|t|Good\n9|a|one\n")
    problems: list[InputError] = []
    documents = list(read(file, "pubtator", problems.append))
    assert [d.id for d in documents] == ["9"]
    assert [p.line for p in problems] == [line]
    assert str(file) in str(problems[0])
    with pytest.raises(InputError):
        list(read(file, "pubtator"))


def test_pubmed_xml_and_medline() -> None:
    problems: list[InputError] = []
    one, three = read(DATA / "pubmed.xml", on_problem=problems.append)
    assert one.text == "A made-up title & more.\nBACKGROUND: Fever (β) is bad. Second part."
    assert [p.kind for p in one.passages] == ["title", "abstract"]
    assert (three.id, three.text) == ("3", "Title only.")
    assert len(problems) == 1
    one, three = read(DATA / "pubmed.nbib", on_problem=problems.append)
    assert (
        one.text
        == "A made-up title that goes on in the next line.\nFever is bad. It lasts for days."
    )
    assert (one.id, three.id) == ("1", "3")
    assert len(problems) == 2


def test_pubtator3_json_with_a_discontinuous_mention(tmp_path: Path) -> None:
    (document,) = read(DATA / "pubtator3.json")
    first, second, third = document.mentions
    assert first.spans == ((0, 6), (20, 28))
    assert first.text == "Ocular and auditory toxicity"
    assert second.concept_ids == ()
    assert third.text == "𝛼-blockers"
    for name in ("bioc-json", "bioc-xml", "jsonl", "tsv"):
        assert through(document, name, tmp_path).mentions[0].spans == first.spans


def test_broken_xml_and_json_are_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "x.xml"
    file.write_text("<collection><document><id>1</id>")
    with pytest.raises(InputError, match=r"x\.xml:1: .*expected well-formed BioC XML"):
        list(read(file))
    file.write_text(
        "<collection><document><id>1</id><passage><offset>x</offset></passage></document></collection>"
    )
    problems: list[InputError] = []
    assert list(read(file, on_problem=problems.append)) == []
    assert "cannot be read" in str(problems[0])
    file = tmp_path / "x.json"
    file.write_text('{"documents": [{"id": "1"')
    with pytest.raises(InputError, match=r"x\.json:1: .*expected BioC JSON"):
        list(read(file, "bioc-json"))


def test_jsonl_reports_bad_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(
        '{"pmid": "5", "title": "T", "abstract": "A b"}\nnot json\n{"id": "6"}\n'
        '{"id": "7", "text": "fever", "mentions": [{"start": 0, "end": 3, "text": "cold"}]}\n'
    )
    problems: list[InputError] = []
    (document,) = read(file, on_problem=problems.append)
    assert (document.id, document.text) == ("5", "T\nA b")
    assert [p.line for p in problems] == [2, 3, 4]


def test_bytes_that_are_not_utf8_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "x.PubTator"
    file.write_bytes(b"1|t|Title\n1|a|\xff\n")
    with pytest.raises(InputError, match=r"x\.PubTator:2: bytes that are not UTF-8"):
        list(read(file, "pubtator"))


def test_compression_and_names(tmp_path: Path) -> None:
    documents = list(read(DATA / "bc5cdr.PubTator"))
    for name in ("a.jsonl.gz", "a.PubTator.xz", "a.tsv", "a.json.gz", "a.xml"):
        write(documents, tmp_path / name)
        assert [d.text for d in read(tmp_path / name)] == [d.text for d in documents]
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).startswith(b"{")
    assert format_of_name("CDR.PubTator.txt.gz") == "pubtator"
    assert format_of_name("x") is None
    with pytest.raises(ConfigError, match="no format follows from the name"):
        write(documents, tmp_path / "x")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(documents, tmp_path / "x", "medline")
    with pytest.raises(ConfigError, match="is unknown; expected one of"):
        write(documents, tmp_path / "x", "word")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> object:
        yield Document("1", "text")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        write(failing(), tmp_path / "x.jsonl")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_stdin_and_stdout(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    class Input:
        buffer = io.BufferedReader(io.BytesIO(gzip.compress(b"fever\r\nhere")))

    monkeypatch.setattr("sys.stdin", Input)
    (document,) = read("-")
    assert (document.id, document.text) == ("stdin", "fever\r\nhere")
    write([document], "-", "jsonl")
    assert json.loads(capfdbinary.readouterr().out)["text"] == "fever\r\nhere"


def test_sniffing() -> None:
    assert sniff_format(DATA / "bc5cdr.PubTator") == "pubtator"
    assert sniff_format(DATA / "pubmed.xml") == "pubmed-xml"
    assert sniff_format(DATA / "pubmed.nbib") == "medline"
    assert sniff_format(DATA / "pubtator3.json") == "bioc-json"
    assert sniff_format(DATA / "README.md") == "text"
    with pytest.raises(InputError, match="a folder"):
        sniff_format(DATA)


def test_align() -> None:
    assert align("the fever", 4, 9, "fever") == (4, 9)
    assert align("the fever ", 4, 10, "fever") == (4, 9)
    assert align("the fever", 3, 8, "fever") == (4, 9)
    assert align("the Fever", 4, 9, "fever") == (4, 9)
    assert align("the fever", 0, 3, "cold") is None
    assert align("x", 5, 9, "  ") is None


def test_documents_reject_wrong_offsets() -> None:
    with pytest.raises(ValueError, match="says 'cold' but the text there is 'feve'"):
        Document("1", "fever", mentions=(Mention(0, 4, "cold"),))
    with pytest.raises(ValueError, match="outside the text"):
        Document("1", "fever", mentions=(Mention(3, 9, "er"),))
    with pytest.raises(ValueError, match="outside the text"):
        Document("1", "fever", passages=(Passage(0, 9),))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_label(name: str) -> None:
    assert load(name).LABEL


@pytest.mark.corpus
def test_shared_corpora_round_trip(corpora: Path, tmp_path: Path) -> None:
    """In real corpora every mention's words are at its offsets, and both formats keep them."""
    for name in ("ncbi_disease/NCBItestset_corpus.txt.gz", "bc5cdr/CDR_TestSet.PubTator.txt.gz"):
        documents = list(read(corpora / name))
        for way in ("x.jsonl", "x.tsv", "x.json", "x.xml", "x.PubTator"):
            write(documents, tmp_path / way)
            back = list(read(tmp_path / way))
            assert [gold(d) for d in back] == [
                [row for row in sorted(gold(d), key=lambda r: r[:2])]
                if way[2:] in ("json", "xml")
                else gold(d)
                for d in documents
            ]
    problems: list[InputError] = []
    chem = list(
        read(corpora / "nlm_chem/nlm_chem_traindev.bioc.xml.gz", on_problem=problems.append)
    )
    assert (len(chem), sum(len(d.mentions) for d in chem), len(problems)) == (98, 23_263, 1)
