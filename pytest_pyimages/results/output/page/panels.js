"use strict";
// The parts of the page besides the matrix of tests: the map of failures, warnings, reasons, history and times.
const drawPanels = ({ data, labels, failing, kind, LETTERS, byId, make, count, column, goTo }) => {
  const SVG = "http://www.w3.org/2000/svg";
  const bar = (x, width, name) => {
    const rect = document.createElementNS(SVG, "rect");
    for (const [key, value] of Object.entries({ x: `${x}%`, width: `${width}%`, height: "14" })) rect.setAttribute(key, value);
    if (name) rect.setAttribute("class", name);
    return rect;
  };
  const drawChart = () => {
    const bars = make("div", undefined, "bars");
    const total = (image) => image.build_seconds + image.run_seconds;
    const longest = Math.max(...data.images.map(total), 0.001);
    for (const image of data.images) {
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `${image.label}: built in ${image.build_seconds} s, ran ${image.run_seconds} s`);
      const built = (100 * image.build_seconds) / longest;
      svg.append(bar(0, built, "b"), bar(built, (100 * image.run_seconds) / longest));
      bars.append(make("span", image.label), svg, make("span", `${total(image).toFixed(1)} s`));
    }
    const legend = make("p", undefined, "legend");
    legend.append(make("i", undefined, "b"), "build", make("i"), "run");
    byId("chart").append(bars, legend);
    byId("panel-time").hidden = false;
  };

  // Big matrices open with a map: a row for each file, or for each folder if there are too many files.
  const MAP_FROM = 200;
  const MOST_ROWS = 40;
  // What leaves room for the tests on the first screen; a button shows the others.
  const isNarrow = window.matchMedia("(max-width: 80rem)").matches;
  const isPhone = window.matchMedia("(max-width: 46rem)").matches;
  const FIRST_ROWS = isPhone ? 1 : isNarrow ? 5 : 7;
  const placeOf = (nodeid, depth) => nodeid.split("::")[0].split("/").slice(0, depth).join("/");
  const drawMap = () => {
    if (data.tests.length < MAP_FROM) return;
    let groups;
    for (let depth = 12; depth > 0; depth -= 1) {
      groups = new Map();
      for (const test of data.tests) {
        const place = placeOf(test[0], depth);
        if (!groups.has(place)) groups.set(place, []);
        groups.get(place).push(test);
      }
      if (groups.size <= MOST_ROWS) break;
    }
    const table = make("table");
    const top = make("tr");
    top.append(make("th", "tests that fail"), ...labels.map((label) => column(label)));
    // Those with failures first, since not all may be shown.
    const hasFailure = ([, tests]) => tests.some(([, outcomes]) => outcomes.some((number) => failing.has(number)));
    const sorted = [...groups].sort((one, other) => hasFailure(other) - hasFailure(one));
    const rows = sorted.slice(0, MOST_ROWS).map(([place, tests]) => {
      const line = make("tr");
      const name = make("th");
      name.append(goTo(place, place));
      line.append(name);
      labels.forEach((label, index) => {
        const here = tests.filter(([, outcomes]) => outcomes[index] >= 0);
        const bad = here.filter(([, outcomes]) => failing.has(outcomes[index])).length;
        const cell = make("td", bad ? count(bad) : here.length ? "✓" : "", bad ? "hot" : "cool");
        cell.title = `${place} on ${label}: ${count(bad)} of ${count(here.length)} tests fail`;
        if (bad) cell.style.setProperty("--heat", `${Math.round(20 + (35 * bad) / here.length)}%`);
        line.append(cell);
      });
      return line;
    });
    table.createTHead().append(top);
    table.createTBody().append(...rows);
    table.classList.add("matrix");
    table.classList.toggle("many", labels.join("  ").length > 60);
    byId("map").append(table);
    if (sorted.length > MOST_ROWS) byId("map").append(make("p", `… and ${count(sorted.length - MOST_ROWS)} more`));
    const others = [...byId("map").querySelectorAll("tbody tr, p")].slice(FIRST_ROWS);
    for (const other of others) other.hidden = true;
    const failed = sorted.slice(FIRST_ROWS).filter(hasFailure).length;
    const all = make("button", `Show ${count(sorted.length - FIRST_ROWS)} more` + (failed ? `, ${count(failed)} with failures` : ""));
    all.type = "button";
    all.addEventListener("click", () => {
      for (const other of others) other.hidden = false;
      all.remove();
    });
    if (others.length) byId("overview").append(all);
    byId("overview").hidden = false;
  };

  // A table with a column for each image; of long ones the beginning.
  const MOST_LINES = 500;
  const drawTable = (id, title, lines) => {
    const top = make("tr");
    top.append(make("th", title), ...labels.map((label) => column(label)));
    const rows = lines.slice(0, MOST_LINES).map(([first, numbers]) => {
      const line = make("tr");
      const cell = make("td");
      cell.append(...first);
      line.append(cell, ...numbers.map((number) => make("td", number ? count(number) : "", "n")));
      return line;
    });
    byId(id).createTHead().append(top);
    byId(id).createTBody().append(...rows);
    byId(id).classList.add("matrix");
    byId(id).classList.toggle("many", labels.join("  ").length > 60);
    if (lines.length > MOST_LINES) byId(id).after(make("p", `… and ${count(lines.length - MOST_LINES)} more`));
  };

  // Warnings by image; first those that announce an error, then those that the fewest images have.
  const drawWarnings = () => {
    if (!data.warnings.length) return;
    const seen = (numbers) => numbers.filter(Boolean).length;
    const sorted = [...data.warnings].sort((one, other) => other[2] - one[2] || seen(one[1]) - seen(other[1]));
    const news = data.new.map(([python, total, errors]) => `new on ${python}: ${count(total)}` + (errors ? `, of which ${count(errors)} ${errors === 1 ? "becomes an error" : "become errors"}` : ""));
    byId("new").textContent = [...news, "“becomes an error” is what the warning’s own text announces"].join(" · ");
    const lines = sorted.map(([text, numbers, announces, places]) => {
      const error = announces ? [" ", make("small", "becomes an error", "state failed")] : [];
      return [[text, ...error, ...(places.length ? [" ", make("small", places.join(", "), "place")] : [])], numbers];
    });
    drawTable("warnings", `warning (${count(lines.length)})`, lines);
    byId("panel-warnings").hidden = false;
  };

  const drawReasons = () => {
    const texts = new Map();
    for (const [, outcomes, , , , reasons] of data.tests) {
      for (const [reason, images] of reasons) {
        for (const index of images) {
          const key = `${data.outcomes[outcomes[index]]}: ${reason}`;
          if (!texts.has(key)) texts.set(key, [reason, labels.map(() => 0)]);
          texts.get(key)[1][index] += 1;
        }
      }
    }
    const sum = ([, [, numbers]]) => numbers.reduce((total, number) => total + number, 0);
    const sorted = [...texts].sort((one, other) => sum(other) - sum(one));
    if (!sorted.length) return;
    drawTable("reasons", `reason (${count(sorted.length)})`, sorted.map(([key, [reason, numbers]]) => [[goTo(key, reason)], numbers]));
    byId("panel-skipped").hidden = false;
  };

  const drawHistory = () => {
    if (!data.history) return;
    const { runs, changes } = data.history;
    const day = ({ started, commit }) => new Date(started * 1000).toISOString().slice(0, 10) + (commit ? ` (${commit})` : "");
    byId("runs").textContent = `${runs.length} runs, ${day(runs[0])} to ${day(runs[runs.length - 1])}, the oldest first` + (changes.length ? "" : ": nothing has changed");
    const rows = changes.slice(0, MOST_LINES).map((change) => {
      const line = make("tr");
      const cell = make("td", undefined, "id");
      cell.append(goTo(`${change.nodeid}[${change.label}]`, change.nodeid));
      const course = make("td", undefined, "course");
      change.outcomes.forEach((outcome, index) => {
        const letter = make("span", LETTERS[outcome] || "·", `o ${kind(outcome)}`);
        letter.title = `${day(runs[index])}: ${outcome || "not collected"}`;
        course.append(letter);
      });
      const times = change.kind === "slower" ? `${change.before.toFixed(2)} s → ${change.now.toFixed(2)} s` : "";
      line.append(make("td", change.kind), course, cell, make("td", times, "n"));
      return line;
    });
    byId("changes").createTBody().append(...rows);
    if (changes.length > MOST_LINES) byId("changes").after(make("p", `… and ${count(changes.length - MOST_LINES)} more`));
    byId("panel-history").hidden = false;
  };

  drawMap();
  // The images' numbers give way to the tests, but not why an image was not tested.
  const isUntested = byId("images").querySelector(".state:not(.passed):not(.failed)");
  byId("about").open = isUntested || !(isPhone || (isNarrow && !byId("overview").hidden));
  byId("images").classList.toggle("dense", labels.length > 6);
  drawWarnings();
  drawReasons();
  drawHistory();
  drawChart();
};
