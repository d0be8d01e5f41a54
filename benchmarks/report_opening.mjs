// How soon a report opens: node benchmarks/report_opening.mjs run/demo/report.html [width]
// Needs Chromium (CHROMIUM, default /usr/bin/chromium) and, in any folder above, `npm install playwright-core`.
// Prints medians of five openings, each in a fresh browser: text painted, first chart drawn.
import { resolve } from "node:path";
import { chromium } from "playwright-core";

const [file, width = "1280"] = process.argv.slice(2);
const runs = [];
for (let run = 0; run < 5; run++) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  const page = await browser.newPage({ viewport: { width: Number(width), height: 900 } });
  await page.goto(`file://${resolve(file)}`, { waitUntil: "commit" });
  await page.waitForSelector(".main-svg");
  runs.push(await page.evaluate(() => [
    performance.getEntriesByName("first-contentful-paint")[0].startTime,
    performance.now(),
    document.documentElement.scrollWidth,
  ]));
  await browser.close();
}
const median = (at) => runs.map((run) => run[at]).sort((a, b) => a - b)[2].toFixed(0);
console.log(`text painted ${median(0)} ms, first chart ${median(1)} ms, page ${median(2)} px wide at ${width} px`);
