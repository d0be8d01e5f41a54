from __future__ import annotations

from tidegate.report.page import Section, chart, page


def test_headings_and_titles_are_escaped_and_linked() -> None:
    html = page("<title>", "<p>lead</p>", [Section("one", "A & B", "<p>text</p>")], {}, first=0)
    assert "<title>&lt;title&gt;</title>" in html
    assert '<a href="#one">A &amp; B</a>' in html
    assert '<section id="one"><h2>A &amp; B</h2><p>text</p></section>' in html
    assert "<p>lead</p>" in html


def test_a_section_without_content_is_left_out_with_its_link() -> None:
    html = page("t", "", [Section("one", "One", ""), Section("two", "Two", "<p>text</p>")], {}, first=0)
    assert 'id="one"' not in html
    assert '#one"' not in html
    assert '<a href="#two">Two</a>' in html


def test_the_library_is_inert_until_it_is_started_and_in_ascii() -> None:
    html = page("t", "", [], {}, first=0)
    library = html.split('<script type="text/plain" id="library">')[1].split("</script>")[0]
    assert len(library) > 1_000_000
    assert library.isascii()
    assert "<!--" not in library
    assert "Plotly" in library
    assert html.count("</script>") == 3  # charts, library, and the page's own


def test_a_chart_says_what_it_shows_and_how_to_read_it() -> None:
    html = chart("x", label='a "label"', caption="a <caption>")
    assert 'data-chart="x"' in html
    assert 'aria-label="a &quot;label&quot;"' in html
    assert "<figcaption>a &lt;caption&gt;</figcaption>" in html


def test_a_small_chart_has_its_title_above_it() -> None:
    html = chart("x", label="l", caption="MASE 1", small="store <1>")
    assert html.index("<strong>store &lt;1&gt;</strong><br>MASE 1") < html.index('class="chart small"')
    assert 'class="chart"' not in html
