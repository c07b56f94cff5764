"""The page in a browser: Chromium without a window. Without one, these tests are skipped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from biolink.answers.concepts import search
from biolink.corrections.files import Journal, read_corrections
from biolink.documents import Document, Mention
from biolink.formats.jsonl import document_to_dict
from biolink.serve.reviewing import Review
from tests.biolink.serve.serving import served

webdriver = pytest.importorskip("selenium.webdriver", reason="the page's tests need selenium")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None,
    reason="the page's tests need Chromium: apt-get install chromium chromium-driver",
)
TEXT = (
    "The patient had zorblax disease 💊 and took aspirin. He has SBMA (spinal and bulbar muscular "
    "atrophy)."
)
LONG = "spinal and bulbar muscular atrophy"
MOST = 20
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


class Page:
    """A page in the browser, and what tests do with it."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address
        driver.get_log("browser")
        driver.get(address)
        self.until(lambda: self.one("body").get_attribute("data-ready"))

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        return list(self.driver.execute_script(script, selector))

    def until(self, true: Callable[[], Any]) -> Any:
        # The page may be drawn anew between finding an element and reading it.
        waiting = WebDriverWait(self.driver, MOST, 0.05, (StaleElementReferenceException,))
        return waiting.until(lambda _: true())

    def click(self, selector: str, number: int = 0) -> None:
        """Click an element, whatever covers it and however often the page is drawn."""
        script = "document.querySelectorAll(arguments[0])[arguments[1]].click()"
        self.driver.execute_script(script, selector, number)

    def press(self, *keys: str, **modifiers: str) -> None:
        """Press keys where the focus is, one after the other."""
        chain = ActionChains(self.driver)
        for held in modifiers.values():
            chain.key_down(held)
        for key in keys:
            chain.send_keys(key)
        for held in modifiers.values():
            chain.key_up(held)
        chain.perform()

    def says(self, words: str) -> None:
        self.until(lambda: words in self.one("#status").text)

    def link(self, text: str) -> None:
        """Put a text into the field, as pasting does, and link it by keyboard."""
        source = self.one("#source")
        self.driver.execute_script("arguments[0].value = arguments[1]", source, text)
        source.send_keys(Keys.CONTROL, Keys.ENTER)
        self.until(lambda: "".join(self.texts("#text > *")) and "mentions in" in self.status)
        self.driver.execute_script("document.activeElement.blur()")

    @property
    def status(self) -> str:
        return str(self.one("#status").text)

    def problems(self) -> list[str]:
        """The errors of the console: of scripts, and of what the policy of the page forbids."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "status of 4" not in entry["message"]
        ]


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(downloads: Path) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    for argument in OPTIONS:
        options.add_argument(argument)
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(linker: Any) -> Iterator[str]:
    search(linker.linked_bases, "ready", 1)  # as the command does, before it listens
    with served(linker) as address:
        yield address


@pytest.fixture
def page(driver: Any, address: str) -> Iterator[Page]:
    look(driver, 1280, dark=False)
    page = Page(driver, address)
    yield page
    assert page.problems() == []


def look(driver: Any, width: int, dark: bool) -> None:
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def marks(page: Page, selector: str = "") -> list[str]:
    return page.texts(f"#text mark{selector}")


def set_range(page: Page, value: float) -> None:
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    page.driver.execute_script(script, page.one("#threshold"), value)


def test_text_to_candidates(page: Page) -> None:
    page.link(TEXT)
    assert "".join(page.texts("#text > *")) == TEXT
    assert marks(page, ".k-disease.nil") == ["zorblax disease"]
    assert marks(page, ".k-chemical") == ["aspirin"]
    next(mark for mark in page.all("#text mark") if mark.text == "SBMA").click()
    page.until(lambda: f"Short for {LONG}" in page.one("#details").text)
    page.until(lambda: page.all("#details .more a"))
    said = page.one("#details").text
    assert "Bulbo-Spinal Atrophy, X-Linked" in said
    assert "mesh:D055534, found as “Spinal and Bulbar Muscular Atrophy”" in said
    assert page.all("#details .definition")[0].text
    assert "Directly below" in said
    link = page.one("#details .more a")
    assert link.get_attribute("href") == "https://meshb.nlm.nih.gov/record/ui?ui=D055534"
    assert link.get_attribute("rel") == "noopener noreferrer"
    page.press("k", "k")
    page.until(lambda: page.one("#details h2").text == "zorblax disease")
    assert "NIL: NIL has probability" in page.one("#verdict").text
    assert page.all("#details .candidates li"), "a mention that is NIL shows its candidates"


def test_threshold_kinds_branch_filter_and_table(page: Page) -> None:
    page.link(TEXT)
    everything = marks(page)
    set_range(page, 1)
    assert "aspirin" in marks(page, ".nil")
    page.click("#own")
    set_range(page, 0)
    assert marks(page, ".nil") == []
    page.click("#own")
    page.click("#kind-Species")
    assert marks(page) == [mark for mark in everything if mark != "patient"]
    page.click("#kind-Species")
    branch = next(o for o in page.all("#branch option") if o.text.startswith("Salicylates"))
    Select(page.one("#branch")).select_by_value(branch.get_attribute("value"))
    assert marks(page) == ["aspirin"]
    Select(page.one("#branch")).select_by_value("")
    page.one("#filter").send_keys("d055534")
    assert marks(page) == ["SBMA", LONG]
    page.one("#filter").clear()
    page.one("#filter").send_keys(" ")
    page.click("#view-table")
    rows = page.texts("#table tbody td:first-child")
    assert rows == everything
    page.click("#table th button")
    assert page.texts("#table tbody td:first-child") == sorted(rows, key=str.lower)
    page.click("#table tbody td:first-child button")
    assert page.one("#details h2").text == sorted(rows, key=str.lower)[0]


def test_export_has_what_is_shown(page: Page, downloads: Path) -> None:
    page.link(TEXT)
    page.click("#kind-Species")
    page.click("#export")
    file = downloads / "linked.jsonl"
    page.until(file.exists)
    (record,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    texts = [mention["text"] for mention in record["mentions"]]
    assert "patient" not in texts
    nil = next(m for m in record["mentions"] if m["text"] == "zorblax disease")
    assert "links" not in nil
    assert nil["nil_reason"]
    for mention in record["mentions"]:
        assert TEXT[mention["start"] : mention["end"]] == mention["text"]


def test_a_file_is_dropped_and_documents_are_turned(page: Page) -> None:
    script = """const data = new DataTransfer();
        data.items.add(new File([arguments[0]], "notes.PubTator"));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));"""
    content = "7|t|Aspirin for gout.\n7|a|\n\n8|t|Severe asthma.\n8|a|\n\n"
    page.driver.execute_script(script, content)
    page.says("2 documents, read as pubtator")
    assert marks(page) == ["Aspirin", "gout"]
    page.click("#next")
    page.until(lambda: "asthma" in "".join(page.texts("#text > *")))
    page.press("[")
    page.until(lambda: marks(page) == ["Aspirin", "gout"])


def test_markup_and_scripts_are_only_text(page: Page, tmp_path: Path) -> None:
    attack = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>&lt;b&gt;'
    text = f"{attack} aspirin </div><svg onload='window.hacked=3'> javascript:window.hacked=4"
    page.link(text)
    assert "".join(page.texts("#text > *")) == text
    spot = text.index("aspirin")
    mention = Mention(
        0, len(attack), attack, f"Chemical{attack}", long_form=attack, nil_reason=attack,
        id=attack,
    )  # fmt: skip
    other = Mention(spot, spot + 7, "aspirin", "Chemical")
    document = Document(attack, text, mentions=(mention, other), metadata={attack: attack})
    record = json.dumps(document_to_dict(document))
    file = tmp_path / "<img src=x onerror=alert(1)>.jsonl"
    file.write_text(record + "\n" + record.replace(attack[:4], "other") + "\n{" + attack + "\n")
    page.one("#file").send_keys(str(file))
    page.until(lambda: "broken" in page.status)
    assert "<img src=x onerror=alert(1)>.jsonl:2" in page.status
    assert "".join(page.texts("#text > *")) == text
    page.press("j", "s")
    page.until(lambda: page.all("#search-form:not([hidden])"))
    page.press(attack)
    page.click("#view-table")
    assert page.texts("#table tbody td:first-child")[0].startswith(attack)
    assert page.driver.execute_script("return window.hacked") is None
    assert page.all("main img, main script, main svg, main b") == []


def test_corrections_by_keyboard(page: Page, downloads: Path) -> None:
    page.link(TEXT)
    page.press("j", "j")
    page.until(lambda: page.one("#details h2").text == "zorblax disease")
    page.press("s")
    page.until(lambda: page.driver.switch_to.active_element.get_attribute("id") == "search")
    page.press(Keys.CONTROL + "a" + Keys.NULL, "asthma")
    page.until(lambda: page.texts("#found .name")[:1] == ["Asthma"])
    page.press(Keys.ENTER)
    page.says("Asthma, mesh:D001249")
    assert "Chosen by you." in page.one("#verdict").text
    page.press("u")
    page.says("is taken back")
    page.press("x")
    page.says("NIL")
    page.click("#corrections")
    file = downloads / "corrections.jsonl"
    page.until(file.exists)
    saved = read_corrections(file)
    assert [act.act for act in saved.acts] == ["choose", "undo", "nil"]
    assert saved.corrected()[0].mentions[1].decision == "nil"


def test_every_control_has_a_name_in_light_and_dark(page: Page) -> None:
    colours = set()
    for width, dark in ((1280, False), (1280, True), (360, False)):
        look(page.driver, width, dark)
        page.link(TEXT)
        page.press("j")
        body = page.one("body")
        colours.add(body.value_of_css_property("background-color"))
        wide = "return document.documentElement.scrollWidth > innerWidth"
        assert not page.driver.execute_script(wide), width
    assert len(colours) == 2
    page.driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    controls = ("button", "textbox", "searchbox", "slider", "combobox", "checkbox", "link")
    found = [node for node in nodes if node.get("role", {}).get("value") in controls]
    assert len(found) > 20
    for node in found:
        assert node.get("name", {}).get("value"), node
    first = page.one("#text mark")
    assert first.get_attribute("aria-label").startswith("patient, Species, Homo sapiens")


def test_a_token_is_asked_for(driver: Any, linker: Any) -> None:
    with served(linker, token="t" * 20) as address:
        driver.get(address)
        form = driver.find_element(By.ID, "token-form")
        WebDriverWait(driver, MOST, 0.05).until(lambda _: form.is_displayed())
        driver.switch_to.active_element.send_keys("t" * 20 + Keys.ENTER)
        body = driver.find_element(By.TAG_NAME, "body")
        WebDriverWait(driver, MOST, 0.05).until(lambda _: body.get_attribute("data-ready"))
        assert not form.is_displayed()


def test_review_by_keyboard(driver: Any, linker: Any, tmp_path: Path) -> None:
    look(driver, 1280, dark=False)
    documents = [linker(Document("a", TEXT)), linker(Document("b", "Gout and fever."))]
    count = len(documents[0].mentions)
    file = tmp_path / "c.jsonl"

    def saved() -> list[Any]:
        return list(read_corrections(file).acts)

    with (
        Journal(file) as journal,
        served(linker, review=Review(documents, journal, "linked.jsonl")) as address,
    ):
        page = Page(driver, address)
        page.until(lambda: page.one("#details h2").text == "patient")
        page.press("a")
        page.says("accepted as Homo sapiens; saved")
        assert [act.act for act in saved()] == ["accept"]
        page.until(lambda: page.one("#details h2").text == "zorblax disease")
        page.until(lambda: page.all("#details .candidates li"))
        page.press("x")
        page.says("NIL; saved")
        page.until(lambda: page.one("#details h2").text == "aspirin")
        page.press("2")
        page.until(lambda: len(saved()) == 3)
        second = documents[0].mentions[2].links[1]
        assert saved()[2].concepts[0].id == second.concept_id
        page.until(lambda: page.one("#details h2").text == "SBMA")
        # The span takes one word more, and then loses a character at its beginning.
        page.press("e", Keys.ARROW_RIGHT)
        page.until(lambda: page.one("#draft-text").text == "“SBMA (spinal”")
        page.press(Keys.ARROW_RIGHT, held=Keys.SHIFT)
        page.until(lambda: page.one("#draft-text").text == "“spinal”")
        page.press(Keys.ENTER)
        page.says("the span is saved")
        page.press("u")
        page.says("taken back")
        page.press("m")
        page.until(lambda: page.all("#draft-text"))
        page.press(Keys.ESCAPE)
        page.until(lambda: not page.all("#draft-text"))
        # A selected text, after a character that JavaScript counts twice, becomes a mention.
        select = (
            "const piece = [...document.querySelectorAll('#text > span')].find(e => "
            "e.textContent.includes('took')); const at = piece.textContent.indexOf('took');"
            "getSelection().setBaseAndExtent(piece.firstChild, at - 1, piece.firstChild, at + 5)"
        )
        driver.execute_script(select)
        page.press("m")
        page.until(lambda: page.one("#draft-text").text == "“took”")
        page.press(Keys.ENTER)
        page.until(lambda: page.one("#details h2").text == "took")
        assert (saved()[-1].act, saved()[-1].mention) == ("add", count)
        page.press("d")
        page.says("is no mention")
        page.press("]")
        page.until(lambda: page.one("#details h2").text == "Gout")
        page.press("a")
        page.says("accepted as Gout")
        page.until(lambda: f"4 of {count + 2} mentions" in page.one("#progress").text)
        assert page.problems() == []
    # Another review goes on where this one ended.
    with (
        Journal(file) as journal,
        served(linker, review=Review(documents, journal, "linked.jsonl")) as address,
    ):
        page = Page(driver, address)
        page.until(lambda: f"4 of {count + 2} mentions" in page.one("#progress").text)
        assert len(page.all("#text mark.decided")) == 3
        acts = [act.act for act in saved()]
        assert acts == ["accept", "nil", "choose", "span", "undo", "add", "remove", "accept"]
