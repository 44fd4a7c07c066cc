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

  const when = new Date(data.started * 1000).toISOString().replace("T", " ").slice(0, 16);
  byId("facts").textContent =
    `${data.tests.length} tests on ${labels.length} images in ${data.seconds.toFixed(1)} s · ${when} UTC · ` +
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
    byId("chart").append(bars, make("p", "build, then run", "legend"));
  };

  const head = make("tr");
  head.append(make("th", "test"), ...labels.map((label) => make("th", label, "o")), make("th", "slowest"));
  for (const cell of head.children) cell.scope = "col";
  byId("tests").tHead.append(head);
  for (const outcome of data.outcomes) byId("outcome").append(new Option(outcome, outcome));
  labels.forEach((label, index) => byId("image").append(new Option(label, String(index))));

  const failure = (index, told) => {
    const details = make("details");
    details.append(make("summary", `${labels[index]}: ${told.message || told.phase}`));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      details.append(make("pre", told.text));
      for (const [title, text] of told.sections) details.append(make("div", title), make("pre", text));
    });
    return details;
  };
  const row = ([nodeid, outcomes, , seconds, failures]) => {
    const line = make("tr");
    const name = make("td", nodeid);
    for (const [index, told] of Object.entries(failures)) name.append(failure(Number(index), told));
    line.append(name);
    outcomes.forEach((number, index) => {
      const outcome = number < 0 ? "" : data.outcomes[number];
      const cell = make("td", outcome ? LETTERS[outcome] || outcome : "", `o ${kind(outcome)}`);
      cell.title = `${labels[index]}: ${outcome || "not collected"}` + (seconds[index] ? `, ${seconds[index]} s` : "");
      if (outcome) cell.setAttribute("aria-label", outcome);
      line.append(cell);
    });
    line.append(make("td", `${Math.max(...seconds, 0).toFixed(2)} s`, "n"));
    return line;
  };

  let found = [];
  let shown = 0;
  const showMore = () => {
    const part = found.slice(shown, shown + PAGE);
    byId("tests").tBodies[0].append(...part.map(row));
    shown += part.length;
    byId("more").hidden = shown >= found.length;
    byId("more").textContent = `Show more (${found.length - shown} left)`;
  };
  const fields = () => ({
    q: byId("q").value.trim().toLowerCase(),
    outcome: byId("outcome").value,
    image: byId("image").value,
    differs: byId("differs").checked ? "1" : "",
  });
  const show = () => {
    const wanted = fields();
    const number = data.outcomes.indexOf(wanted.outcome);
    found = data.tests.filter(([nodeid, outcomes, differs]) => {
      if (wanted.q && !nodeid.toLowerCase().includes(wanted.q)) return false;
      if (wanted.differs && !differs) return false;
      const seen = wanted.image === "" ? outcomes : [outcomes[Number(wanted.image)]];
      return wanted.outcome ? seen.includes(number) : wanted.image === "" || seen[0] >= 0;
    });
    byId("tests").tBodies[0].replaceChildren();
    shown = 0;
    showMore();
    byId("found").textContent = `${found.length} of ${data.tests.length} tests`;
    const given = Object.entries(wanted).filter(([, value]) => value);
    history.replaceState(null, "", given.length ? `#${new URLSearchParams(given)}` : location.pathname + location.search);
  };
  const readAddress = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    byId("q").value = given.get("q") || "";
    byId("outcome").value = given.get("outcome") || "";
    byId("image").value = given.get("image") || "";
    byId("differs").checked = given.get("differs") === "1";
    show();
  };

  byId("filter").addEventListener("input", show);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", showMore);
  window.addEventListener("hashchange", readAddress);
  drawChart();
  if (!location.hash && data.tests.some(([, , differs]) => differs)) byId("differs").checked = true, show();
  else readAddress();
})();
