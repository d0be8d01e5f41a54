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

  // A chart of one view, such as those of the best and worst series, follows no menu.
  const shownIn = (chart) => chart.views && chart.views[chart.views.length > 1 ? view : 0];

  // A band comes as the two ends of an interval at each point of the model's line; its outline goes along one and back
  // along the other. Where the line has a gap, one outline ends and the next begins.
  const outline = ({lower, upper}, times) => {
    const [x, y] = [[], []];
    for (let from = 0, to; from < upper.length; from = to + 1) {
      to = upper.indexOf(null, from);
      if (to < 0) to = upper.length;
      const along = times.slice(from, to);
      x.push(...along, ...along.slice().reverse(), null);
      y.push(...upper.slice(from, to), ...lower.slice(from, to).reverse(), null);
    }
    return {x, y};
  };

  const shade = (colour, depth) => {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return `rgba(${red}, ${green}, ${blue}, ${Math.min(0.12 + 0.07 * depth, 0.4)})`;
  };

  const brief = (value) => String(Number(value.toPrecision(5)));

  const traces = (chart, palette) => {
    const shown = shownIn(chart);
    const whole = chart.data.map((trace, index) => ({...trace, ...(shown ? shown.data[index] : {})}));
    const bands = whole.filter((trace) => trace.meta === "band");
    const lines = whole.filter((trace) => trace.meta !== "band");
    lines.forEach((line, place) => { line.x = line.x || lines[place - 1].x; });  // the same, and written once
    return whole.map((trace) => {
      if (trace.meta === "band") {
        const {lower, upper, ...rest} = trace;
        const depth = bands.indexOf(trace);
        const fillcolor = shade(palette.model, depth);
        // A horizon of one step has no area to fill: its intervals are upright bars, the narrowest the broadest.
        const bar = !upper.some((end, at) => at > 0 && end !== null && upper[at - 1] !== null);
        const line = bar ? {width: 8 + 6 * depth, color: fillcolor} : {...trace.line, color: palette.model};
        const within = lines.find((other) => other.meta === "model").x;
        return {...rest, ...outline(trace, within), line, fillcolor};
      }
      const colour = palette[trace.meta];
      const drawn = {...trace, marker: {...trace.marker, color: colour}};
      if (trace.line) drawn.line = {...trace.line, color: colour};
      if (trace.meta === "model" && bands.length) {
        drawn.text = trace.x.map((_, at) => bands.filter((band) => band.upper[at] != null).map((band) =>
          `${band.name}: ${brief(band.lower[at])} – ${brief(band.upper[at])}`).reverse().join("<br>"));
        drawn.hovertemplate = "%{y}<br>%{text}";
      }
      return drawn;
    });
  };

  const layout = (chart, palette) => {
    const axis = {gridcolor: palette.rule, linecolor: palette.faint, zerolinecolor: palette.faint, automargin: true, fixedrange: touch};
    const shown = shownIn(chart);
    const title = shown ? {text: shown.title} : chart.layout.yaxis.title;
    return {
      showlegend: true, ...chart.layout,
      xaxis: {...axis, ...chart.layout.xaxis},
      yaxis: {...axis, ...chart.layout.yaxis, title},
      font: {color: palette.ink, family: "system-ui, sans-serif", size: 13},
      hoverlabel: {bgcolor: palette.paper, bordercolor: palette.rule, font: {color: palette.ink}},
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      autosize: true, ...(palette === PAPER ? {width: PAPER_WIDTH} : {}),
      margin: {l: 8, r: 8, t: 8, b: 8}, dragmode: touch ? false : "zoom",
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
    const follows = (place) => (charts[place.dataset.chart].views || []).length > 1;
    places.filter((place) => drawn.has(place) && follows(place)).forEach((place) => draw(place));
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
