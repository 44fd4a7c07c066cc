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
  const LETTERS = { passed: "✓", failed: "F", error: "E", skipped: "s", xfailed: "x", xpassed: "X", "not run": "–" };
  const PAGE = 200;
  const labels = data.images.map((image) => image.label);
  const kind = (outcome) => outcome.replace(/[^a-z]+/g, "-");

  const count = (number) => number.toLocaleString("en");

  const when = new Date(data.started * 1000).toISOString().replace("T", " ").slice(0, 16);
  byId("facts").textContent =
    `${count(data.tests.length)} tests on ${labels.length} images in ${data.seconds.toFixed(1)} s · ${when} UTC · ` +
    `exit status ${data.exit_status} · pytest-pyimages ${data.version}`;

  const { project, commit, engine, command } = data.session;
  if (project) document.title = `${project}: ${document.title}`;
  byId("session").textContent = [project, commit && `commit ${commit}`, engine].filter(Boolean).join(" · ");
  byId("command").textContent = command || "";

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

  const isBad = ([, outcomes, differs]) => differs >= 0 || outcomes.some((number) => number >= 0 && failing.has(number));
  const failing = new Set(data.outcomes.flatMap((name, number) => (["failed", "error", "not run"].includes(name) ? [number] : [])));
  const rank = ([, outcomes, differs]) => (outcomes.some((number) => failing.has(number)) ? 0 : differs >= 0 ? 1 : 2);
  const slowest = ([, , , seconds]) => Math.max(...seconds, 0);

  // Big matrices open with a map: a row for each file, or for each folder if there are too many files.
  const MAP_FROM = 200;
  const MOST_ROWS = 40;
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
    const rows = [...groups].slice(0, MOST_ROWS).map(([place, tests]) => {
      const line = make("tr");
      const name = make("th");
      const link = make("button", place, "link");
      link.type = "button";
      link.addEventListener("click", () => {
        byId("q").value = place;
        show();
        byId("box").scrollIntoView();
      });
      name.append(link);
      line.append(name);
      labels.forEach((label, index) => {
        const here = tests.filter(([, outcomes]) => outcomes[index] >= 0);
        const bad = here.filter(([, outcomes]) => failing.has(outcomes[index])).length;
        const cell = make("td", bad ? count(bad) : here.length ? "✓" : "", bad ? "hot" : "cool");
        cell.title = `${place} on ${label}: ${count(bad)} of ${count(here.length)} tests fail`;
        if (bad) cell.style.setProperty("--heat", `${Math.round(20 + (80 * bad) / here.length)}%`);
        line.append(cell);
      });
      return line;
    });
    table.createTHead().append(top);
    table.createTBody().append(...rows);
    table.classList.toggle("many", labels.join("  ").length > 60);
    byId("map").append(table);
    byId("overview").hidden = false;
  };

  // Warnings by image; first those that the fewest images have.
  const MOST_WARNINGS = 200;
  const drawWarnings = () => {
    const texts = new Map();
    data.images.forEach((image, index) => {
      for (const [text, number] of Object.entries(image.warnings || {})) {
        if (!texts.has(text)) texts.set(text, labels.map(() => 0));
        texts.get(text)[index] = number;
      }
    });
    if (!texts.size) return;
    const seen = (numbers) => numbers.filter(Boolean).length;
    const sorted = [...texts].sort(([, one], [, other]) => seen(one) - seen(other));
    const only = labels.map((label, index) => [label, sorted.filter(([, numbers]) => numbers[index] && seen(numbers) === 1).length]);
    const some = labels.length > 1 ? only.filter(([, number]) => number) : [];
    byId("new").textContent = some.map(([label, number]) => `only on ${label}: ${count(number)}`).join(" · ");
    const top = make("tr");
    top.append(make("th", `warning (${count(texts.size)})`), ...labels.map((label) => column(label)));
    const rows = sorted.slice(0, MOST_WARNINGS).map(([text, numbers]) => {
      const line = make("tr");
      line.append(make("td", text), ...numbers.map((number) => make("td", number ? count(number) : "", "n")));
      return line;
    });
    byId("warnings").createTHead().append(top);
    byId("warnings").createTBody().append(...rows);
    byId("warned").hidden = false;
  };

  const head = make("tr");
  const column = (label) => {
    const cell = make("th", undefined, "o");
    cell.title = label;
    cell.append(make("span", label.length > 22 ? `…${label.slice(-21)}` : label));
    return cell;
  };
  const slow = make("th", undefined, "n slow");
  const sorter = make("button", "slowest", "link");
  sorter.type = "button";
  sorter.title = "sort by time";
  sorter.addEventListener("click", () => {
    byTime = !byTime;
    show();
  });
  slow.append(sorter);
  head.append(make("th", "test"), ...labels.map((label) => column(label)), slow);
  for (const cell of head.children) cell.scope = "col";
  byId("tests").tHead.append(head);
  byId("tests").style.setProperty("--columns", labels.length);
  byId("tests").classList.toggle("many", labels.join("  ").length > 60);
  for (const outcome of data.outcomes) byId("outcome").append(new Option(outcome, outcome));
  labels.forEach((label, index) => byId("image").append(new Option(label, String(index))));
  const differing = data.patterns.reduce((sum, [, number]) => sum + number, 0);
  const bad = data.tests.filter(isBad).length;
  if (bad) byId("differs").append(new Option(`what failed or differs (${count(bad)})`, "bad"));
  if (differing) byId("differs").append(new Option(`what differs (${count(differing)})`, "1"));
  for (const [pattern, number] of data.patterns) byId("differs").append(new Option(`${pattern} (${count(number)})`, pattern));

  // The words of a text; those that the others have otherwise are marked, with the others' in a title.
  const words = (line) => line.match(/[\w.]+|\s+|[^\w\s.]/g) || [];
  const mark = (parent, text, others) => {
    const lines = text.split("\n");
    const theirs = others.map(([names, other]) => [names.join(", "), other.split("\n")]);
    const aligned = theirs.every(([, other]) => other.length === lines.length);
    lines.forEach((line, at) => {
      const same = aligned ? theirs.map(([, other]) => other[at]) : theirs.map(([, other]) => (other.includes(line) ? line : ""));
      const mine = words(line);
      const split = same.map(words);
      if (same.every((other) => other === line)) parent.append(line);
      else if (aligned && split.every((other) => other.length === mine.length)) {
        mine.forEach((word, place) => {
          if (split.every((other) => other[place] === word)) return parent.append(word);
          const marked = make("mark", word);
          marked.title = theirs.map(([names], index) => `${names}: ${split[index][place]}`).join("\n");
          return parent.append(marked);
        });
      } else parent.append(make("mark", line));
      if (at < lines.length - 1) parent.append("\n");
    });
  };
  const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);
  const copy = (text) => {
    const button = make("button", "copy command", "copy");
    button.type = "button";
    button.title = text;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        button.replaceWith(make("code", text));
      }
    });
    return button;
  };
  const failure = (nodeid, names, told, others) => {
    const details = make("details");
    details.append(make("summary", `${names.join(", ")}: ${told.message || told.phase}`));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const tools = make("p", told.line ? `${nodeid.split("::")[0]}:${told.line} ` : "", "tools");
      tools.append(copy(`pytest --py-images=${names.map(quote).join(",")} ${quote(nodeid)}`));
      const text = make("pre");
      mark(text, told.text, others);
      details.append(tools, text);
      for (const [title, printed] of told.sections) details.append(make("div", title), make("pre", printed));
    });
    return details;
  };
  // Images whose failures differ in numbers only are one entry: line numbers, addresses, minor versions.
  const alike = (told) => JSON.stringify([told.phase, told.message, told.text]).replace(/\d+|0x[0-9a-f]+/g, "0");
  const why = (nodeid, failures, kind) => {
    const groups = new Map();
    for (const [index, told] of Object.entries(failures)) {
      const key = alike(told);
      if (!groups.has(key)) groups.set(key, [[], told, []]);
      const [names, , texts] = groups.get(key);
      names.push(labels[Number(index)]);
      texts.push([[labels[Number(index)]], told.text]);
    }
    const line = make("tr", undefined, `why${kind}`);
    const cell = make("td");
    const inside = make("div", undefined, "in");
    cell.colSpan = labels.length + 2;
    const entries = [...groups.values()];
    for (const [names, told, texts] of entries) {
      const others = entries.length > 1 ? entries.filter(([, other]) => other !== told).map(([n, o]) => [n, o.text]) : texts.slice(1);
      inside.append(failure(nodeid, names, told, others));
    }
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
    return failed ? [line, why(nodeid, failures, odd)] : [line];
  };

  let byTime = false;
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
    sort: byTime ? "time" : "",
  });
  const show = () => {
    const wanted = fields();
    const number = data.outcomes.indexOf(wanted.outcome);
    const pattern = data.patterns.findIndex(([name]) => name === wanted.differs);
    found = data.tests.filter((test) => {
      const [nodeid, outcomes, differs] = test;
      if (wanted.differs === "bad" && !isBad(test)) return false;
      if (wanted.q && !nodeid.toLowerCase().includes(wanted.q)) return false;
      if (wanted.differs && wanted.differs !== "bad" && (pattern < 0 ? differs < 0 : differs !== pattern)) return false;
      if (wanted.image === "every") return outcomes.every((seen) => (wanted.outcome ? seen === number : seen >= 0));
      const seen = wanted.image === "" ? outcomes : [outcomes[Number(wanted.image)]];
      return wanted.outcome ? seen.includes(number) : wanted.image === "" || seen[0] >= 0;
    });
    found.sort(byTime ? (one, other) => slowest(other) - slowest(one) : (one, other) => rank(one) - rank(other));
    slow.setAttribute("aria-sort", byTime ? "descending" : "none");
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
    byTime = given.get("sort") === "time";
    show();
  };

  byId("filter").addEventListener("input", show);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", showMore);
  byId("box").addEventListener("scroll", ({ target }) => {
    if (shown < found.length && target.scrollTop + target.clientHeight > target.scrollHeight - 600) showMore();
  });
  window.addEventListener("hashchange", readAddress);
  drawMap();
  drawWarnings();
  drawChart();
  if (!location.hash && bad) byId("differs").value = "bad", show();
  else readAddress();
})();
