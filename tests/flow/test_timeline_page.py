"""The timeline's page: its data, and what it does in a real browser."""

import json
import re

import numpy as np
import pytest

from shiftloom.flow.compile import compile
from shiftloom.flow.demonstration import DEMO
from shiftloom.flow.quantize import quantize
from shiftloom.flow.report import report
from shiftloom.flow.timeline_page import timeline_page
from shiftloom.isa.instructions import ENGINES
from shiftloom.sim.timeline import tracks_of
from tests.support.browser import Browser, find_browser


@pytest.fixture(scope="module")
def found():
    graph = quantize(DEMO / "digits.onnx", DEMO / "calibration.npy")
    return report(compile(graph, "tiny"))


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_data_hold_every_piece_of_work(found):
    data = data_of(timeline_page(found))
    tracks = tracks_of(found.program, found.program.segments[0], found.runs[0])
    shown = {track["name"]: track["columns"] for track in data["tracks"]}
    assert list(shown) == ["layer", "fetch", "load", "mac", "vector", "store"]
    for engine in ENGINES:
        track, columns = tracks[engine], [np.array(c) for c in shown[engine.name.lower()]]
        instruction, layer, gap, length, early, wait, blocker, waited, stalled = columns[:9]
        done = np.cumsum(gap + length)
        assert np.cumsum(instruction).tolist() == track.instruction.tolist()
        assert np.cumsum(layer).tolist() == track.layer.tolist()
        assert done.tolist() == track.done.tolist()
        assert (done - length - early).tolist() == track.start.tolist()
        assert wait.tolist() == track.wait.tolist()
        behind = np.where(blocker, track.instruction - blocker, -1)
        assert behind.tolist() == track.blocker.tolist()
        assert (waited.tolist(), stalled.tolist()) == (
            track.waited.tolist(),
            track.stalled.tolist(),
        )
    assert sum(shown["layer"][3]) == found.total.cycles


def test_page_needs_nothing_else(found):
    page = timeline_page(found)
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert len(page) < 100_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium or Chrome is installed: the timeline is not tried")
    with Browser(path, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(browser, found, tmp_path):
    """Return the browser with the timeline open; at the end nothing may have gone wrong."""
    path = tmp_path / "timeline.html"
    path.write_text(timeline_page(found), encoding="utf-8")
    browser.requests.clear()
    browser.errors.clear()
    browser.open(path)
    yield browser
    assert browser.errors == []
    assert browser.requests == [path.as_uri()]


def place(browser, instruction):
    """Return where on the screen an instruction is drawn."""
    return browser.run(
        f"(() => {{ const s = model.places.get({instruction});"
        "const box = view.canvas.getBoundingClientRect();"
        "return [box.x + (view.x(s.front) + view.x(s.done)) / 2, box.y + view.y(s.track) + 8]; })()"
    )


def details(browser):
    return browser.run("document.getElementById('details').innerText")


def shown(browser):
    return browser.run("[view.begin, view.end]")


def some_work(found, engine=1, number=5):
    track = tracks_of(found.program, found.program.segments[0], found.runs[0])[ENGINES[engine]]
    return int(track.instruction[number]), int(track.start[number]), int(track.done[number])


def test_click_pins_details(page, found):
    instruction, start, done = some_work(found)
    page.click(*place(page, instruction))
    text = details(page)
    assert f"MAC #{instruction}" in text
    assert f"{start:,} to {done:,}" in text
    assert "waited for" in text
    assert "operands" in text
    page.mouse("mouseMoved", 5, 5)
    assert details(page) == text
    page.click(100, page.run("view.canvas.getBoundingClientRect().bottom - 2"))
    assert details(page) == ""


def test_hover_shows_the_reason(page, found):
    instruction, *_ = some_work(found, engine=2)
    x, y = place(page, instruction)
    page.mouse("mouseMoved", x, y)
    page.drawn()
    tip = page.run("document.getElementById('tip').innerText")
    assert f"VECTOR #{instruction}" in tip
    assert re.search(r"waited for: (MAC|LOAD|STORE) #\d+ to complete|its own engine", tip)
    page.mouse("mouseMoved", 5, 5)
    page.drawn()
    assert page.run("document.getElementById('tip').hidden")


def test_wheel_zooms_at_the_pointer_and_drag_pans(page, found):
    cycles = found.total.cycles
    assert shown(page) == [0, cycles]
    instruction, *_ = some_work(found, number=20)
    x, y = place(page, instruction)
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-700)
    page.drawn()
    begin, end = shown(page)
    assert end - begin < cycles / 3
    zoomed = place(page, instruction)[0]
    assert zoomed == pytest.approx(x, abs=6)  # the pointer is on whole pixels
    page.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    page.mouse("mouseMoved", x - 100, y, button="left", buttons=1)
    page.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
    page.drawn()
    assert place(page, instruction)[0] == pytest.approx(zoomed - 100, abs=1)
    assert details(page) == ""
    page.run("document.getElementById('all').click()")
    assert shown(page) == [0, cycles]


def test_keyboard(page, found):
    page.run("view.canvas.focus()")
    page.press("ArrowRight")
    first = details(page)
    assert "#" in first
    page.press("ArrowRight")
    assert details(page) != first
    page.press("ArrowLeft")
    assert details(page) == first
    page.press("ArrowDown")
    assert "MAC #" in details(page) or "VECTOR #" in details(page)
    page.press("+")
    begin, end = shown(page)
    assert end - begin < found.total.cycles
    page.press("0")
    assert shown(page) == [0, found.total.cycles]
    page.press("Enter")
    begin, end = shown(page)
    assert end - begin == 3 * page.run("view.pinned.done - view.pinned.front")
    page.press("Escape")
    assert details(page) == ""


def test_jump_to_an_instruction_and_to_what_it_waited_for(page, found):
    tracks = tracks_of(found.program, found.program.segments[0], found.runs[0])
    track = tracks[ENGINES[2]]
    number = int(np.flatnonzero(track.blocker >= 0)[3])
    page.run(
        "(() => { const f = document.getElementById('find');"
        f"f.value = {track.instruction[number]}; f.dispatchEvent(new Event('change')); }})()"
    )
    assert f"to complete; started {track.waited[number]:,} cycles later" in details(page)
    page.run("view.canvas.focus()")
    page.press("b")
    assert f"#{track.blocker[number]}\n" in details(page)


def test_layers_and_colors(page, found):
    rows = page.run("[...document.querySelectorAll('#layers tr')].map(r => r.innerText)")
    assert len(rows) == len(found.layers)
    assert f"{found.layers[1].cycles:,}" in rows[1]
    page.run("document.querySelectorAll('#layers tr')[1].click()")
    begin, end = shown(page)
    assert end - begin < found.total.cycles
    papers = {}
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        papers[scheme] = page.run("view.colors.paper")
    assert papers == {"light": "#fff", "dark": "#15171a"}


def test_what_is_drawn_is_bounded_by_the_width(page):
    """Thirty thousand instructions of five layers, each less than a pixel wide."""
    page.run(
        "(() => { const row = [...Array(30000).keys()];"
        "const slices = row.map(n => ({track: 3, number: n, instruction: n,"
        "layer: Math.floor(n / 6000), front: 10 * n, done: 10 * n + 9, start: 10 * n,"
        "wait: 1, waited: 4, blocker: -1}));"
        "model.tracks[3].slices = slices; model.cycles = 300000; view.show(0, 300000); })()"
    )
    page.drawn()
    width = page.run("view.width")
    assert 0 < page.run("view.rectangles") < width / 2
