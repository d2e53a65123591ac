// The page of `curate browse`. Texts of reports are untrusted: they are only ever set as text, never as markup.
"use strict";
const $ = (id) => document.getElementById(id);
const PLACEHOLDER = /(\[[A-Z]+(?::\d{4}-\d\d-\d\d)?\])/;
const TITLES = {drop_step: "Dropped by step", drop_reason: "Reason", split: "Split", modality: "Modality", body_part: "Body part",
  finding: "Finding", view: "View", sex: "Sex", source: "Source"};
const AMONG = {in: "would come in", out: "would go"};
const MODES = {mixed: "a bit of each", random: "kept, at random", subgroup: "kept, by modality", near: "nearest to the cut", uncertain: "least certain", shared: "marked by others"};
const state = {marked: "", q: "", status: "", sort: "", order: "down", column: "", low: "", high: "", among: "", page: 0, facets: {}};
let start = null, shown = [], found = 0, size = 24, turn = 0, moved = null, waiting = 0;

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const n = (value) => value.toLocaleString("en");
const number = (value) => Number(value.toPrecision(4)).toString();
const called = (value) => value === "" ? "none" : value;

const files = typeof local === "undefined" ? null : local; // static.js: the page is files, and nobody answers but they
const source = (key, at) => files ? files.picture(key) : `/${at}/${key}`;
async function ask(path, asked = {}, body = null) {
  if (files) return files.ask(path, asked);
  const address = "/api/" + path + "?" + new URLSearchParams(asked);
  const answer = await fetch(address, body ? {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)} : {});
  const told = await answer.json().catch(() => ({error: answer.statusText}));
  if (!answer.ok) throw new Error(told.error);
  return told;
}
function failed(error) {
  $("told").textContent = error.message;
  $("told").className = "fault";
}

// -- the query -----------------------------------------------------------------------------------------------------
function asked() {
  const out = {page: state.page, size};
  for (const name of ["q", "status", "sort", "order"]) if (state[name]) out[name] = state[name];
  out.among = [state.among, state.marked].filter(Boolean).join("|");
  if (state.low !== "" || state.high !== "") Object.assign(out, {column: state.column, low: state.low, high: state.high});
  for (const [facet, values] of Object.entries(state.facets)) if (values.length) out[facet] = values.join("|");
  return out;
}
async function search(page = 0) {
  state.page = page;
  const mine = ++turn, began = performance.now();
  let told;
  try { told = await ask("records", asked()); } catch (error) { return mine === turn && failed(error); }
  if (mine !== turn) return;
  $("told").className = "note";
  $("told").textContent = `${Math.round(performance.now() - began)} ms`;
  [shown, found] = [told.records, told.found];
  $("found").textContent = `${n(found)} records`;
  $("cards").replaceChildren(...shown.map(card));
  const pages = Math.max(Math.ceil(found / size), 1);
  $("page").textContent = `page ${n(page + 1)} of ${n(pages)}`;
  $("previous").disabled = page === 0;
  $("next").disabled = page + 1 >= pages;
  if (told.facets) drawFacets(told.facets);
  drawChosen();
}
function drawFacets(counts) {
  const open = new Set([...document.querySelectorAll("#facets details[open]")].map((d) => d.dataset.name));
  $("facets").replaceChildren(...Object.entries(start.facets).filter(([, values]) => values.length > 1).map(([name, values]) => {
    const now = new Map(counts[name]), chosen = state.facets[name] || [];
    return el("details", {"data-name": name, open: open.has(name) || chosen.length > 0}, el("summary", {}, TITLES[name]),
      el("div", {class: "values"}, ...values.map(([value]) => el("label", {},
        el("input", {type: "checkbox", checked: chosen.includes(value), onchange: (e) => choose(name, value, e.target.checked)}),
        el("span", {}, called(value)), el("span", {}, n(now.get(value) || 0))))));
  }));
}
function choose(facet, value, on) {
  const before = state.facets[facet] || [];
  state.facets[facet] = on ? [...before, value] : before.filter((v) => v !== value);
  search().catch(failed);
}
function drawChosen() {
  const out = [];
  const chip = (label, remove) => out.push(el("li", {}, el("button", {type: "button", "aria-label": `Remove filter ${label}`, onclick: () => { remove(); fill(); search(); }}, `${label} ✕`)));
  if (state.q) chip(`“${state.q}”`, () => { state.q = ""; });
  if (state.status) chip(state.status, () => { state.status = ""; });
  for (const name of state.among.split("|").filter(Boolean)) chip(AMONG[name] || name, () => { state.among = state.among.split("|").filter((x) => x !== name).join("|"); });
  if (state.marked) chip(`marked ${state.marked}`, () => { state.marked = ""; });
  if (state.low !== "" || state.high !== "") chip(`${state.column} ${state.low || "…"} to ${state.high || "…"}`, () => { state.low = state.high = ""; });
  for (const [facet, values] of Object.entries(state.facets)) for (const value of values) chip(`${TITLES[facet]}: ${called(value)}`, () => { state.facets[facet] = state.facets[facet].filter((v) => v !== value); });
  $("chosen").replaceChildren(...out);
}
function fill() {
  for (const name of ["q", "status", "sort", "order", "column", "low", "high", "marked"]) $(name).value = state[name];
}
function read() {
  for (const name of ["q", "status", "sort", "order", "column", "low", "high", "marked"]) state[name] = $(name).value;
}

// -- records -------------------------------------------------------------------------------------------------------
function texts(said, hits = []) {
  const words = hits.filter(Boolean).map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const hit = words.length ? new RegExp(`(${words.join("|")})`, "gi") : null;
  return said.split(PLACEHOLDER).flatMap((piece, i) => {
    if (i % 2) return [el("mark", {title: "taken out"}, piece)];
    return hit ? piece.split(hit).map((p, j) => j % 2 ? el("mark", {class: "hit"}, p) : p) : [piece];
  });
}
const hits = () => [...state.q.matchAll(/"([^"]+)"|(\S+)/g)].map((m) => m[1] || m[2]);
function outcome(r) {
  if (r.kept) return el("span", {class: "chip kept"}, `kept ${r.split || ""}`);
  const kind = r.drop_reason.startsWith("quarantine_") ? "quarantine" : "dropped";
  return el("span", {class: `chip ${kind}`}, `${r.drop_step}: ${r.drop_reason}`);
}
function picture(r, at) {
  if (!r.width) return el("div", {class: "thumb none"}, el("span", {}, "no picture"));
  return el("div", {class: "thumb"}, el("img", {src: source(r.key, at), alt: `${r.modality || "picture"} ${r.body_part || ""}`, loading: "lazy"}));
}
function card(r) {
  const score = r.scores.score;
  return el("article", {class: "card"},
    el("button", {type: "button", "aria-label": `${r.width ? "" : "no picture, "}open record ${r.key}`, onclick: () => openRecord(r.key)}, picture(r, "thumb")),
    el("div", {class: "body"},
      el("div", {class: "badges"}, outcome(r), score === undefined ? null : el("span", {class: "score"}, number(score))),
      r.text ? el("p", {class: "text"}, ...texts(r.text, hits())) : el("p", {class: "absent"}, "no text"),
      el("p", {class: "facts"}, ...["modality", "body_part", "view", "finding"].filter((f) => r[f]).map((f) => el("bdi", {}, r[f]))),
      el("code", {class: "key"}, r.key)));
}
function side(r, title) {
  const boxes = r.painted || [];
  const layer = () => svg("svg", {viewBox: `0 0 ${r.width} ${r.height}`, "aria-hidden": "true"}, ...boxes.map(([x, y, w, h]) => svg("rect", {x, y, width: w, height: h})));
  const known = ["split", "modality", "body_part", "view", "sex", "age", "source", "finding", "text_from", "drop_stage", "duplicate_of"];
  const look = el("div", {}, el("h3", {}, title), r.kept === undefined ? null : outcome(r),
    r.width ? el("div", {class: "picture"}, el("img", {src: source(r.key, "image"), alt: "the picture as it was written"}), layer()) : picture(r, "image"),
    r.width ? el("p", {class: "note"}, boxes.length ? `${boxes.length} places painted over, ${(100 * (r.painted_share || 0)).toFixed(2)} % of the picture` : "nothing was painted over") : null);
  const told = el("div", {}, r.sections && r.sections.length ? el("div", {}, ...r.sections.flatMap(([name, said]) => [el("h3", {}, name), el("p", {class: "text"}, ...texts(said, hits()))]))
      : r.text ? el("p", {class: "text"}, ...texts(r.text, hits())) : el("p", {class: "absent"}, "no text"),
    el("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}: scores and facts`}, el("table", {}, el("tbody", {},
      ...Object.entries(r.scores).map(([name, value]) => el("tr", {}, el("th", {scope: "row"}, name), el("td", {class: "n"}, number(value)))),
      ...known.filter((f) => r[f] != null).map((f) => el("tr", {}, el("th", {scope: "row"}, f.replaceAll("_", " ")), el("td", {}, String(r[f]))))))),
    el("code", {class: "key"}, r.key));
  return el("div", {class: "side"}, look, told);
}
async function openRecord(key) {
  const told = await ask("record", {key}).catch(failed);
  if (!told) return;
  const at = shown.findIndex((r) => r.key === key), step = (by) => shown[at + by] && openRecord(shown[at + by].key);
  $("one").replaceChildren(
    el("div", {class: "row"}, el("button", {type: "button", disabled: at < 1, onclick: () => step(-1)}, "← Previous"),
      el("button", {type: "button", disabled: at < 0 || at + 1 >= shown.length, onclick: () => step(1)}, "Next →"),
      el("button", {type: "button", onclick: () => $("one").close()}, "Close")),
    el("div", {class: "sides"}, side(told.record, told.kept_instead ? "This record" : "Record"), ...(told.kept_instead ? [side(told.kept_instead, "Kept in its place")] : [])));
  $("one").onkeydown = (e) => { if (e.key === "ArrowLeft") step(-1); else if (e.key === "ArrowRight") step(1); };
  if (!$("one").open) $("one").showModal();
}

// -- the cut -------------------------------------------------------------------------------------------------------
function drawPlot(at) {
  const {edges, kept, dropped, line} = start.cut, low = edges[0], wide = (edges.at(-1) - low) || 1;
  const top = Math.max(...kept.map((k, i) => k + dropped[i]), 1), x = (v) => 1000 * (v - low) / wide, y = (v) => 140 * v / top;
  const bars = kept.flatMap((k, i) => {
    const [left, width] = [x(edges[i]), Math.max(x(edges[i + 1]) - x(edges[i]) - 1, 1)], d = dropped[i];
    return [svg("rect", {class: "kept", x: left, width, y: 140 - y(k), height: y(k)}), svg("rect", {class: "dropped", x: left, width, y: 140 - y(k + d), height: y(d)})];
  });
  const mark = (value, kind) => value == null ? [] : [svg("line", {class: kind, x1: x(value), x2: x(value), y1: 0, y2: 140})];
  const label = `Histogram of ${start.cut.by}: kept and dropped now; from ${number(low)} to ${number(edges.at(-1))}`;
  $("plot").replaceChildren(svg("svg", {viewBox: "0 0 1000 140", preserveAspectRatio: "none", role: "img", "aria-label": label}, ...bars, ...mark(line, "was"), ...mark(at, "moved")),
    el("div", {class: "ends"}, el("span", {}, number(low)), el("span", {}, start.cut.by), el("span", {}, number(edges.at(-1)))),
    el("ul", {class: "legend"}, el("li", {class: "kept"}, el("span", {}, "kept now")), el("li", {class: "dropped"}, el("span", {}, "dropped now"))));
}
function startCut() {
  const cut = start.cut;
  if (!cut.scored) return;
  $("cut-none").hidden = true;
  $("cut-body").hidden = false;
  const names = {threshold: `score (${cut.by})`, keep: "share kept"};
  $("kind").replaceChildren(...cut.kinds.map((k) => el("option", {value: k}, names[k])));
  rest();
}
function rest() {
  const cut = start.cut, kept = cut.kept.reduce((a, b) => a + b, 0);
  moved = null;
  drawPlot(null);
  place($("kind").value === "keep" ? kept / cut.scored : cut.line ?? cut.edges[0]);
  const now = Object.entries(cut.now).map(([name, value]) => `${name}: ${value}`).join(", ") || "no cut";
  $("cut-told").textContent = `The recipe's cut (${now}) keeps ${n(kept)} of the ${n(cut.scored)} scored records it chooses from.`;
  for (const id of ["cut-set", "cut-show", "cut-groups"]) $(id).hidden = true;
  if (state.among.match(/\b(in|out)\b/)) { state.among = ""; search(); }
}
function place(value) {
  const {edges} = start.cut;
  $("slider").value = 1000 * ($("kind").value === "keep" ? value : (value - edges[0]) / (edges.at(-1) - edges[0] || 1));
  $("value").value = Number(value.toPrecision(6));
}
async function move(value) {
  const kind = $("kind").value, mine = ++waiting;
  const told = await ask("cut", {kind, value}).catch((error) => { $("cut-told").textContent = error.message; });
  if (!told || mine !== waiting) return;
  moved = told;
  drawPlot(kind === "threshold" ? value : start.cut.steps[Math.round((1 - value) * (start.cut.steps.length - 1))]);
  $("cut-told").textContent = `Would keep ${n(told.then)} of the ${n(told.cut)} records (${n(told.now)} now) and drop ${n(told.cut - told.then)}: ${n(told.in)} come in, ${n(told.out)} go.`;
  $("cut-set").firstElementChild.textContent = told.set;
  $("show-in").disabled = !told.in;
  $("show-out").disabled = !told.out;
  const head = ["value", "records", "kept now", "kept then"].map((h, i) => el("th", {scope: "col", class: i ? "n" : ""}, h));
  $("cut-groups").lastElementChild.replaceChildren(...Object.entries(told.groups).map(([name, rows]) => el("table", {},
    el("caption", {class: "note"}, TITLES[name]), el("thead", {}, el("tr", {}, ...head.map((h) => h.cloneNode(true)))),
    el("tbody", {}, ...rows.map((r) => el("tr", {}, el("th", {scope: "row"}, called(r.value)),
      ...[n(r.n), `${n(r.now)} (${Math.round(100 * r.now / r.n)} %)`, `${n(r.then)} (${Math.round(100 * r.then / r.n)} %)`].map((v) => el("td", {class: "n"}, v))))))));
  for (const id of ["cut-set", "cut-show", "cut-groups"]) $(id).hidden = false;
  if (state.among.match(/\b(in|out)\b/)) search();
}
function debounced(make, ms) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => make(...given), ms); };
}

// -- the map -------------------------------------------------------------------------------------------------------
const HUES = ["#4cc9b0", "#ffb000", "#6ea8fe", "#ff7a90", "#c7a4ff", "#9bd64a", "#f2e394", "#8ad8ff", "#d49a6a", "#e7e7e7"], OTHERS = "#66717a";
let map = null;
async function openMap() {
  if (map || !$("map").open) return;
  map = await ask("map").catch(failed);
  if (!map || !map.x) { map = null; return; }
  $("map-none").hidden = true;
  $("map-body").hidden = false;
  $("map-told").textContent = `${n(map.x.length)} records, a fair draw; alike pictures lie near each other; a click opens the nearest`;
  $("colour").replaceChildren(...map.colours.flatMap((c) => c === "scores" ? start.scores.map((s) => el("option", {value: `scores.${s}`}, s)) : [el("option", {value: c}, TITLES[c])]));
  drawMap();
}
const mapX = (i) => 700 + 680 * map.x[i], mapY = (i) => 450 + 430 * map.y[i];
function drawMap() {
  const [name, score] = $("colour").value.split("."), values = map.records.map((r) => score ? r.scores[score] ?? null : called(r[name] ?? ""));
  let colourOf, legend;
  if (score) {
    const known = values.filter((v) => v !== null).sort((a, b) => a - b), rank = new Map(known.map((v, i) => [v, i / Math.max(known.length - 1, 1)]));
    colourOf = (v) => v === null ? OTHERS : `hsl(${20 + 160 * rank.get(v)} 85% 60%)`;
    legend = known.length ? [known[0], known[known.length >> 1], known.at(-1)].map((v) => [number(v), colourOf(v)]) : [];
  } else {
    const many = new Map();
    for (const v of values) many.set(v, (many.get(v) || 0) + 1);
    const first = [...many].sort((a, b) => b[1] - a[1]).slice(0, HUES.length).map(([v]) => v), hue = new Map(first.map((v, i) => [v, HUES[i]]));
    colourOf = (v) => hue.get(v) || OTHERS;
    legend = [...first.map((v) => [`${v} ${n(many.get(v))}`, hue.get(v)]), ...(many.size > first.length ? [["others", OTHERS]] : [])];
  }
  const plane = $("plane").getContext("2d"), size = map.x.length > 1500 ? 4 : 6;
  plane.clearRect(0, 0, 1400, 900);
  values.forEach((v, i) => { plane.fillStyle = colourOf(v); plane.beginPath(); plane.arc(mapX(i), mapY(i), size, 0, 7); plane.fill(); });
  $("map-key").replaceChildren(...legend.map(([said, colour]) => { const dot = el("i"); dot.style.background = colour; return el("li", {}, dot, said); }));
}
function pick(e) {
  const box = $("plane").getBoundingClientRect(), x = (e.clientX - box.left) * 1400 / box.width, y = (e.clientY - box.top) * 900 / box.height;
  let near = -1, least = 40 * 40;
  for (let i = 0; i < map.x.length; i++) { const d = (mapX(i) - x) ** 2 + (mapY(i) - y) ** 2; if (d < least) [near, least] = [i, d]; }
  if (near >= 0) openRecord(map.records[near].key);
}

// -- review --------------------------------------------------------------------------------------------------------
let judged = null, before = [];
function startReview() {
  $("review-none").hidden = $("review").open = Boolean(start.reviewer);
  $("review-body").hidden = !start.reviewer;
  $("mode").replaceChildren(...start.modes.map((m) => el("option", {value: m}, MODES[m])));
  $("begin").addEventListener("click", draw);
  $("mode").addEventListener("change", () => judged && draw());
  $("sums").addEventListener("toggle", sums);
  addEventListener("keydown", (e) => {
    if (!judged || e.ctrlKey || e.metaKey || e.altKey || $("one").open || /INPUT|SELECT|TEXTAREA/.test(e.target.tagName) && e.target.type !== "checkbox") return;
    const why = start.whys[Number(e.key) - 1], verdict = {g: "good", b: "bad", u: "unsure"}[e.key];
    if (verdict) mark(verdict, null);
    else if (why) mark("bad", why);
    else if (e.key === "z") takeBack();
    else if (e.key === "s") draw();
    else return;
    e.preventDefault();
  });
}
async function draw() {
  const told = await ask("draw", {mode: $("mode").value}).catch(failed);
  if (told) showJudged(told);
}
function showJudged(told) {
  const r = told.record;
  judged = r ? told : null;
  $("begin").textContent = "Another";
  $("review-told").textContent = r ? `${n(told.done)} marked; this one: ${MODES[told.drawn]}` : `${n(told.done)} marked; none is left of these`;
  if (!r) return $("judged").replaceChildren();
  const buttons = [["good", null, "g"], ["bad", null, "b"], ["unsure", null, "u"], ...start.whys.map((w, i) => ["bad", w, i + 1])];
  $("judged").replaceChildren(el("div", {class: "sides"}, side(r, "Is this text of this picture?"),
    el("div", {class: "verdicts"}, ...buttons.map(([verdict, why, key]) => el("button", {type: "button", class: verdict, onclick: () => mark(verdict, why)},
      el("kbd", {}, String(key)), why ? `bad: ${why.replaceAll("_", " ")}` : verdict)))));
}
async function mark(verdict, why) {
  const {record, drawn} = judged, mine = judged;
  judged = null; // until the next is there: a second key must not mark the same record again
  const told = await ask("mark", {}, {key: record.key, verdict, why, drawn}).catch(failed);
  if (!told) { judged = mine; return; }
  before.push(mine);
  await draw();
  if ($("sums").open) sums();
}
async function takeBack() {
  const last = before.pop();
  if (!last) return;
  const told = await ask("mark", {}, {key: last.record.key, verdict: ""}).catch(failed);
  if (told) showJudged({...last, done: told.done});
}
async function sums() {
  if (!$("sums").open) return;
  const told = await ask("marks").catch(failed);
  if (!told) return;
  const share = (p) => p.records ? `${p.share.toFixed(3)} [${p.low.toFixed(3)}, ${p.high.toFixed(3)}]` : "-";
  const rows = (title, head, body) => body.length ? el("table", {}, el("caption", {class: "note"}, title), el("thead", {}, el("tr", {}, ...head.map((h) => el("th", {scope: "col"}, h)))),
    el("tbody", {}, ...body.map((cells) => el("tr", {}, ...cells.map((c) => el("td", {}, String(c))))))) : null;
  $("sums-told").replaceChildren(...[
    rows("Marks", ["reviewer", "verdict", "records"], told.marks.map((m) => [m.reviewer, m.verdict, n(m.records)])),
    rows("Precision of what is kept, 95 % interval", ["of", "share good", "records"], [["all", told.precision], ...Object.entries(told.groups)].filter(([, p]) => p.records).map(([name, p]) => [name, share(p), n(p.records)])),
    rows("Agreement (Cohen's kappa)", ["reviewers", "records of both", "alike", "kappa"], told.agreement.map((a) => [a.reviewers.join(", "), n(a.records), `${Math.round(100 * a.agree)} %`, a.kappa == null ? "-" : a.kappa.toFixed(3)])),
    rows("Why bad", ["why", "records"], told.why.map(([why, many]) => [why.replaceAll("_", " "), n(many)]))].filter(Boolean));
  if (!told.marks.length) $("sums-told").textContent = "no marks yet";
}

// -- what is clicked -----------------------------------------------------------------------------------------------
addEventListener("DOMContentLoaded", async () => {
  try { start = await ask("start"); } catch (error) { return failed(error); }
  document.title = `${start.name} - curate browse`;
  $("name").textContent = start.name;
  $("counts").textContent = `${n(start.records)} records, ${n(start.kept)} kept`;
  for (const name of start.scores) for (const id of ["sort", "column"]) $(id).append(el("option", {value: name}, name));
  state.column = start.scores[0] || "";
  $("range").hidden = !start.scores.length;
  if (files) for (const part of document.querySelectorAll(".served")) part.hidden = true;
  if (matchMedia("(max-width: 860px)").matches) $("more").open = false;
  fill();
  startCut();
  startReview();
  $("map").addEventListener("toggle", openMap);
  $("colour").addEventListener("change", drawMap);
  $("plane").addEventListener("click", pick);
  const again = () => { read(); search(); };
  $("search").addEventListener("submit", (e) => { e.preventDefault(); again(); });
  for (const id of ["status", "sort", "order", "low", "high", "column", "marked"]) $(id).addEventListener("change", again);
  $("q").addEventListener("input", debounced(again, 250));
  $("clear").addEventListener("click", () => { Object.assign(state, {q: "", status: "", sort: "", order: "down", low: "", high: "", among: "", marked: "", facets: {}}); fill(); search(); });
  $("previous").addEventListener("click", () => search(state.page - 1));
  $("next").addEventListener("click", () => search(state.page + 1));
  $("kind").addEventListener("change", rest);
  $("back").addEventListener("click", rest);
  const slid = debounced(move, 120);
  $("slider").addEventListener("input", () => {
    const at = Number($("slider").value) / 1000, {edges} = start.cut;
    const value = $("kind").value === "keep" ? Math.max(at, .001) : Number((edges[0] + at * (edges.at(-1) - edges[0])).toPrecision(6));
    $("value").value = value;
    slid(value);
  });
  $("value").addEventListener("change", () => { place(Number($("value").value)); move(Number($("value").value)); });
  for (const [id, name] of [["show-in", "in"], ["show-out", "out"]]) $(id).addEventListener("click", () => { state.among = name; search(); $("found").scrollIntoView(); });
  await search();
});
