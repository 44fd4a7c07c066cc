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

  const isBad = ([, outcomes, differs]) => differs >= 0 || outcomes.some((number) => number >= 0 && failing.has(number));
  const failing = new Set(data.outcomes.flatMap((name, number) => (["failed", "error", "not run"].includes(name) ? [number] : [])));
  const rank = ([, outcomes, differs]) => (outcomes.some((number) => failing.has(number)) ? 0 : differs >= 0 ? 1 : 2);
  const slowest = ([, , , seconds]) => Math.max(...seconds, 0);

  const column = (label) => {
    const cell = make("th", undefined, "o");
    cell.title = label;
    cell.append(make("span", label.length > 22 ? `…${label.slice(-21)}` : label));
    return cell;
  };
  const goTo = (text, id) => {
    const link = make("button", text, "link");
    link.type = "button";
    link.addEventListener("click", () => {
      byId("q").value = id;
      byId("differs").value = byId("outcome").value = byId("image").value = "";
      openTab("tests");
      show();
      byId("box").scrollIntoView();
    });
    return link;
  };
  // Only parts that have something are tabs.
  let tab = "tests";
  const openTab = (name) => {
    const panel = byId(`panel-${name}`);
    tab = panel && !panel.hidden ? name : "tests";
    for (const button of byId("tabs").children) {
      const isOpen = button.id === `tab-${tab}`;
      button.setAttribute("aria-selected", isOpen);
      button.tabIndex = isOpen ? 0 : -1;
    }
    for (const other of document.querySelectorAll("[data-tab]")) other.classList.toggle("away", other.id !== `panel-${tab}`);
  };
  const drawTabs = () => {
    const numbers = { tests: data.tests.length, warnings: data.warnings.length, history: data.history ? data.history.changes.length : 0 };
    for (const panel of document.querySelectorAll("[data-tab]:not([hidden])")) {
      const name = panel.id.slice("panel-".length);
      const button = make("button", panel.dataset.tab + (numbers[name] ? ` (${count(numbers[name])})` : ""));
      button.type = "button";
      button.id = `tab-${name}`;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", panel.id);
      button.addEventListener("click", () => {
        openTab(name);
        show();
      });
      byId("tabs").append(button);
    }
    // The keys of the tabs pattern (WAI-ARIA Authoring Practices).
    byId("tabs").addEventListener("keydown", (event) => {
      const buttons = [...byId("tabs").children];
      const at = buttons.findIndex((button) => button.tabIndex === 0);
      const place = { ArrowLeft: at - 1, ArrowRight: (at + 1) % buttons.length, Home: 0, End: -1 }[event.key];
      if (place === undefined || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      const next = buttons.at(place);
      event.preventDefault();
      next.focus();
      next.click();
    });
  };

  const head = make("tr");
  const slow = make("th", "slowest", "n slow");
  head.append(make("th", "test"), ...labels.map((label) => column(label)), slow);
  for (const cell of head.children) cell.scope = "col";
  byId("tests").tHead.append(head);
  document.querySelector("main").style.setProperty("--columns", labels.length);
  byId("tests").classList.toggle("many", labels.join("  ").length > 60);
  for (const outcome of data.outcomes) {
    byId("outcome").append(new Option(outcome, outcome));
    byId("letters").append(make("span", `${LETTERS[outcome] || outcome} ${outcome}`, kind(outcome)), " ");
  }
  if (data.tests.some(([, outcomes]) => outcomes.includes(-1))) byId("letters").append("empty: not collected");
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
  const place = (nodeid, line) => {
    const [path] = nodeid.split("::");
    const source = data.session.source || "";
    const text = make(/^(file|https?):/.test(source) ? "a" : "span", `${path}:${line}`);
    if (text.href !== undefined) text.href = source + path.split("/").map(encodeURIComponent).join("/") + (source.startsWith("file:") ? "" : `#L${line}`);
    return text;
  };
  const failure = (nodeid, names, told, others) => {
    const details = make("details");
    details.append(make("summary", `${names.join(", ")}: ${told.message || told.phase}`));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const tools = make("p", undefined, "tools");
      if (told.line) tools.append(place(nodeid, told.line), " ");
      tools.append(copy(`pytest --py-images=${names.map(quote).join(",")} ${quote(nodeid)}`));
      const text = make("pre");
      mark(text, told.text, others);
      details.append(tools, text);
      for (const [title, printed] of told.sections) details.append(make("div", title), make("pre", printed));
    });
    return details;
  };
  // A group of images with the same failure is one entry, with what differs from the other images' marked.
  const why = (nodeid, groups, reasons, kind) => {
    const line = make("tr", undefined, `why${kind}`);
    const cell = make("td");
    const inside = make("div", undefined, "in");
    cell.colSpan = labels.length + 2;
    const name = (index) => labels[index];
    for (const group of groups) {
      const [[, told], ...same] = group;
      const inGroup = same.filter(([, other]) => other).map(([index, other]) => [[name(index)], other.text]);
      const elsewhere = groups.filter((other) => other !== group).map((other) => [other.map(([index]) => name(index)), other[0][1].text]);
      inside.append(failure(nodeid, group.map(([index]) => name(index)), told, inGroup.length ? inGroup : elsewhere));
    }
    for (const [reason, images] of reasons) {
      inside.append(make("p", images.length < labels.length ? `${images.map(name).join(", ")}: ${reason}` : reason, "reason"));
    }
    cell.append(inside);
    line.append(cell);
    return line;
  };
  const rows = ([nodeid, outcomes, , seconds, groups, reasons], number) => {
    const hasMore = groups.length + reasons.length > 0;
    const odd = number % 2 ? "" : " odd";
    const line = make("tr", undefined, `test${odd}${hasMore ? " told" : ""}`);
    line.append(make("td", nodeid));
    outcomes.forEach((code, index) => {
      const outcome = code < 0 ? "" : data.outcomes[code];
      const cell = make("td", outcome ? LETTERS[outcome] || outcome : "", `o ${kind(outcome)}`);
      cell.title = `${labels[index]}: ${outcome || "not collected"}` + (seconds[index] ? `, ${seconds[index]} s` : "");
      if (outcome) cell.setAttribute("aria-label", outcome);
      line.append(cell);
    });
    line.append(make("td", `${Math.max(...seconds, 0).toFixed(2)} s`, "n slow"));
    return hasMore ? [line, why(nodeid, groups, reasons, odd)] : [line];
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
    sort: byId("sort").value,
    tab: tab === "tests" ? "" : tab,
  });
  const show = () => {
    const wanted = fields();
    const number = data.outcomes.indexOf(wanted.outcome);
    const pattern = data.patterns.findIndex(([name]) => name === wanted.differs);
    found = data.tests.filter((test) => {
      const [nodeid, outcomes, differs, , , reasons] = test;
      if (wanted.differs === "bad" && !isBad(test)) return false;
      if (wanted.q && ![nodeid, ...reasons.map(([reason]) => reason)].some((text) => text.toLowerCase().includes(wanted.q))) return false;
      if (wanted.differs && wanted.differs !== "bad" && (pattern < 0 ? differs < 0 : differs !== pattern)) return false;
      if (wanted.image === "every") return outcomes.every((seen) => (wanted.outcome ? seen === number : seen >= 0));
      const seen = wanted.image === "" ? outcomes : [outcomes[Number(wanted.image)]];
      return wanted.outcome ? seen.includes(number) : wanted.image === "" || seen[0] >= 0;
    });
    const byTime = wanted.sort === "time";
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
    byId("sort").value = given.get("sort") || "";
    openTab(given.get("tab") || "tests");
    show();
  };

  byId("filter").addEventListener("input", show);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", showMore);
  byId("box").addEventListener("scroll", ({ target }) => {
    if (shown < found.length && target.scrollTop + target.clientHeight > target.scrollHeight - 600) showMore();
  });
  window.addEventListener("hashchange", readAddress);
  drawPanels({ data, labels, failing, kind, LETTERS, byId, make, count, column, goTo });
  drawTabs();
  readAddress();
  if (!location.hash && bad) byId("differs").value = "bad", show();
})();
