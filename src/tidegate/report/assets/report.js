"use strict";
// The page is text and tables first. When they have been painted the chart library, which lies in the page as inert
// text, is started; each chart is drawn when it comes near the screen.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const places = [...document.querySelectorAll(".chart")];
  const menus = [...document.querySelectorAll("select.series")];
  const drawn = new Set();
  const touch = matchMedia("(pointer: coarse)").matches;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const first = Number(document.body.dataset.first);
  let view = first;
  let started = false;

  // A printed page is light and narrow whatever the screen is. Text follows the medium by itself; charts hold the
  // colours and the width that they were drawn with, so they are drawn anew for the paper and again for the screen.
  const PAPER_WIDTH = 640;
  const PAPER = {ink: "#000000", faint: "#444444", rule: "#cccccc", truth: "#000000", model: "#0b5cad", baseline: "#b45309", paper: "#ffffff"};
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(Object.keys(PAPER).map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  };

  const traces = (chart, palette) => chart.data.map((trace, index) => {
    const shown = chart.views ? chart.views[view].data[index] : {};
    const colour = palette[trace.meta];
    return {
      ...trace, ...shown,
      marker: {...trace.marker, color: colour},
      ...(trace.line ? {line: {...trace.line, color: colour}} : {}),
    };
  });

  const layout = (chart, palette) => {
    const axis = {gridcolor: palette.rule, linecolor: palette.faint, zerolinecolor: palette.faint, automargin: true, fixedrange: touch};
    const title = chart.views ? {text: chart.views[view].title} : chart.layout.yaxis.title;
    return {
      ...chart.layout,
      xaxis: {...axis, ...chart.layout.xaxis},
      yaxis: {...axis, ...chart.layout.yaxis, title},
      font: {color: palette.ink, family: "system-ui, sans-serif", size: 13},
      hoverlabel: {bgcolor: palette.paper, bordercolor: palette.rule, font: {color: palette.ink}},
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      autosize: true, ...(palette === PAPER ? {width: PAPER_WIDTH} : {}),
      margin: {l: 8, r: 8, t: 8, b: 8}, showlegend: true, dragmode: touch ? false : "zoom",
    };
  };

  const draw = (place, palette = colours()) => {
    const chart = charts[place.dataset.chart];
    Plotly.react(place, traces(chart, palette), layout(chart, palette), {responsive: true, displayModeBar: false});
    drawn.add(place);
  };

  const choose = (chosen) => {
    view = chosen;
    menus.forEach((menu) => { menu.value = String(chosen); });
    places.filter((place) => drawn.has(place) && charts[place.dataset.chart].views).forEach((place) => draw(place));
  };

  const start = () => {
    if (started) return;
    started = true;
    const script = document.createElement("script");
    script.textContent = document.getElementById("library").textContent;
    document.head.append(script);
    const watch = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      watch.unobserve(entry.target);
      draw(entry.target);
    }), {rootMargin: "300px"});
    places.forEach((place) => watch.observe(place));
    dark.addEventListener("change", () => drawn.forEach((place) => draw(place)));
    addEventListener("beforeprint", () => places.forEach((place) => draw(place, PAPER)));
    addEventListener("afterprint", () => drawn.forEach((place) => draw(place)));
  };

  menus.forEach((menu) => menu.addEventListener("change", () => choose(Number(menu.value))));
  requestAnimationFrame(() => setTimeout(start, 0));
  setTimeout(start, 300);  // a page in the background gets no animation frame
})();
