"""The report holds together in a browser: nothing is fetched, nothing overflows, nothing is injected."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table
from tests.report_samples import Sample, sample
from tests.tables import build

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = "<script>document.title='owned'</script>\"><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield found
        found.close()


def opened(browser: Browser, path: Path, *, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """Return the page and the addresses that it asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # pyright: ignore[reportArgumentType]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(f"console: {message.text}"))
    page.goto(path.as_uri())
    return page, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_fits_the_screen_and_asks_for_nothing(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    sample("amber", rows=1_000).write(tmp_path)
    for name in ("report.html", "report.internal.html"):
        page, asked = opened(browser, tmp_path / name, width=width, scheme=scheme)
        assert [urlsplit(one).scheme for one in asked] == ["file"]
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(255, 255, 255)") == (scheme == "light")
        page.close()


@pytest.mark.parametrize("colour", ["green", "hold"])
def test_no_column_of_a_table_is_cut_off_at_1200_pixels(browser: Browser, tmp_path: Path, colour: str) -> None:
    sample(colour, rows=1_000).write(tmp_path)
    page, _ = opened(browser, tmp_path / "report.html", width=1200)
    assert page.locator(".scroll").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)") == [0] * 9
    maps = page.locator(".maps > *").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert len(set(maps)) == 1
    page.close()


def test_pictures_have_titles_and_headings_do_not_skip_a_level(browser: Browser, tmp_path: Path) -> None:
    sample("green", rows=1_000).write(tmp_path)
    page, _ = opened(browser, tmp_path / "report.html")
    pictures = page.locator("svg:not([aria-hidden])")
    assert pictures.count() > 20
    assert pictures.evaluate_all("all => all.every(one => one.querySelector('title').textContent.length > 5)")
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("nav a").evaluate_all("all => all.every(one => document.querySelector(one.hash))")
    assert page.locator("th:not([scope])").count() == 0
    page.close()


def test_names_and_labels_are_text_and_never_markup(browser: Browser, tmp_path: Path) -> None:
    rows = 60
    made = build(
        {
            HOSTILE: Column(HOSTILE, Kind.NUMERIC, dtype="float64"),
            "b": Column("b", Kind.CATEGORICAL, categories=(HOSTILE, "plain")),
        },
        {HOSTILE: np.arange(rows, dtype=np.float64), "b": np.arange(rows) % 2},
    )
    one = sample("red", rows=1_000)
    run = replace(one.run, data=replace(one.run.data, name=HOSTILE), notes=(HOSTILE,))
    hidden = Schema((*made.schema.columns, Column(HOSTILE + "2", Kind.TEXT)))
    Sample(run, made, made, made, hidden).write(tmp_path)
    for name in ("report.html", "report.internal.html"):
        page, asked = opened(browser, tmp_path / name)
        assert len(asked) == 1
        assert page.title() != "owned"
        assert page.locator("script, img").count() == 0
        assert HOSTILE in page.locator("h1").inner_text()
        page.close()


def test_a_wide_table_stays_below_a_megabyte(browser: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = [Column(f"laboratory_value_{place:03d}", Kind.NUMERIC, dtype="float64") for place in range(90)]
    columns += [
        Column(f"code_{place:03d}", Kind.CATEGORICAL, categories=tuple(f"level number {one}" for one in range(30)))
        for place in range(60)
    ]

    def drawn() -> Table:
        values: dict[str, object] = {}
        for column in columns:
            if column.continuous:
                values[column.name] = rng.normal(size=400)
            else:
                codes = rng.integers(0, 30, 400)
                values[column.name] = pd.Categorical.from_codes(codes, categories=list(column.categories))
        return Table(Schema(tuple(columns)), pd.DataFrame(values))

    train = drawn()
    Sample(sample("green", rows=1_000).run, train, drawn(), drawn(), train.schema).write(tmp_path)
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 1_000_000
    page, _ = opened(browser, tmp_path / "report.html", width=375)
    assert "Of 150 columns the 40 with the largest distance are drawn" in page.locator("#columns").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.close()
