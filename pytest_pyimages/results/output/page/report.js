"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const make = (name, text, kind) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const LETTERS = { passed: ".", failed: "F", error: "E", skipped: "s", xfailed: "x", xpassed: "X", "not run": "–" };
  const PAGE = 200;
  const labels = data.images.map((image) => image.label);
  const kind = (outcome) => outcome.replace(/[^a-z]+/g, "-");

  const count = (number) => number.toLocaleString("en");

  const when = new Date(data.started * 1000).toISOString().replace("T", " ").slice(0, 16);
  byId("facts").textContent =
    `${count(data.tests.length)} tests on ${labels.length} images in ${data.seconds.toFixed(1)} s · ${when} UTC · ` +
    `exit status ${data.exit_status} · pytest-pyimages ${data.version}`;

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
  };

  const head = make("tr");
  const column = (label) => {
    const cell = make("th", undefined, "o");
    cell.title = label;
    cell.append(make("span", label.length > 22 ? `…${label.slice(-21)}` : label));
    return cell;
  };
  head.append(make("th", "test"), ...labels.map(column), make("th", "slowest", "n slow"));
  for (const cell of head.children) cell.scope = "col";
  byId("tests").tHead.append(head);
  byId("tests").style.setProperty("--columns", labels.length);
  byId("tests").classList.toggle("many", labels.join("  ").length > 60);
  for (const outcome of data.outcomes) byId("outcome").append(new Option(outcome, outcome));
  labels.forEach((label, index) => byId("image").append(new Option(label, String(index))));
  const differing = data.patterns.reduce((sum, [, number]) => sum + number, 0);
  if (differing) byId("differs").append(new Option(`what differs (${count(differing)})`, "1"));
  for (const [pattern, number] of data.patterns) byId("differs").append(new Option(`${pattern} (${count(number)})`, pattern));

  const failure = (names, told) => {
    const details = make("details");
    details.append(make("summary", `${names.join(", ")}: ${told.message || told.phase}`));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      details.append(make("pre", told.text));
      for (const [title, text] of told.sections) details.append(make("div", title), make("pre", text));
    });
    return details;
  };
  const why = (failures, kind) => {
    const groups = new Map(); // images that say the very same
    for (const [index, told] of Object.entries(failures)) {
      const key = JSON.stringify(told);
      if (!groups.has(key)) groups.set(key, [[], told]);
      groups.get(key)[0].push(labels[Number(index)]);
    }
    const line = make("tr", undefined, `why${kind}`);
    const cell = make("td");
    const inside = make("div", undefined, "in");
    cell.colSpan = labels.length + 2;
    inside.append(...[...groups.values()].map(([names, told]) => failure(names, told)));
    cell.append(inside);
    line.append(cell);
    return line;
  };
  const rows = ([nodeid, outcomes, , seconds, failures], place) => {
    const failed = Object.keys(failures).length > 0;
    const odd = place % 2 ? "" : " odd";
    const line = make("tr", undefined, `test${odd}${failed ? " told" : ""}`);
    line.append(make("td", nodeid));
    outcomes.forEach((number, index) => {
      const outcome = number < 0 ? "" : data.outcomes[number];
      const cell = make("td", outcome ? LETTERS[outcome] || outcome : "", `o ${kind(outcome)}`);
      cell.title = `${labels[index]}: ${outcome || "not collected"}` + (seconds[index] ? `, ${seconds[index]} s` : "");
      if (outcome) cell.setAttribute("aria-label", outcome);
      line.append(cell);
    });
    line.append(make("td", `${Math.max(...seconds, 0).toFixed(2)} s`, "n slow"));
    return failed ? [line, why(failures, odd)] : [line];
  };

  let found = [];
  let shown = 0;
  const showMore = () => {
    const part = found.slice(shown, shown + PAGE);
    byId("tests").tBodies[0].append(...part.flatMap((test, index) => rows(test, shown + index)));
    shown += part.length;
    byId("more").hidden = shown >= found.length;
    byId("more").textContent = `Show more (${count(found.length - shown)} left)`;
  };
  const fields = () => ({
    q: byId("q").value.trim().toLowerCase(),
    outcome: byId("outcome").value,
    image: byId("image").value,
    differs: byId("differs").value,
  });
  const show = () => {
    const wanted = fields();
    const number = data.outcomes.indexOf(wanted.outcome);
    const pattern = data.patterns.findIndex(([name]) => name === wanted.differs);
    found = data.tests.filter(([nodeid, outcomes, differs]) => {
      if (wanted.q && !nodeid.toLowerCase().includes(wanted.q)) return false;
      if (wanted.differs && (pattern < 0 ? differs < 0 : differs !== pattern)) return false;
      if (wanted.image === "every") return outcomes.every((seen) => (wanted.outcome ? seen === number : seen >= 0));
      const seen = wanted.image === "" ? outcomes : [outcomes[Number(wanted.image)]];
      return wanted.outcome ? seen.includes(number) : wanted.image === "" || seen[0] >= 0;
    });
    byId("tests").tBodies[0].replaceChildren();
    byId("box").scrollTop = 0;
    shown = 0;
    showMore();
    byId("found").textContent = `${count(found.length)} of ${count(data.tests.length)} tests`;
    const given = Object.entries(wanted).filter(([, value]) => value);
    history.replaceState(null, "", given.length ? `#${new URLSearchParams(given)}` : location.pathname + location.search);
  };
  const readAddress = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    byId("q").value = given.get("q") || "";
    byId("outcome").value = given.get("outcome") || "";
    byId("image").value = given.get("image") || "";
    byId("differs").value = given.get("differs") || "";
    show();
  };

  byId("filter").addEventListener("input", show);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", showMore);
  byId("box").addEventListener("scroll", ({ target }) => {
    if (shown < found.length && target.scrollTop + target.clientHeight > target.scrollHeight - 600) showMore();
  });
  window.addEventListener("hashchange", readAddress);
  drawChart();
  if (!location.hash && differing) byId("differs").value = "1", show();
  else readAddress();
})();
