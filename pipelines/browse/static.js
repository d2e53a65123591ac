// Answers for page.js where the page is files: what the server would say, from data/*.js (see static.py).
"use strict";
const local = (() => {
  const waiting = new Map(), loaded = new Map(), orders = new Map(), texts = [];
  let start = null;

  function load(name) {
    if (!loaded.has(name)) loaded.set(name, new Promise((done, fail) => {
      waiting.set(name, [done, fail]);
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onerror = () => fail(new Error(`data/${name}.js cannot be read`));
      document.head.append(script);
    }));
    return loaded.get(name);
  }
  function put(name, packed) {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const [done, fail] = waiting.get(name);
    new Response(stream).arrayBuffer().then(done, fail);
  }
  const json = async (name) => JSON.parse(new TextDecoder().decode(await load(name)));
  const parsed = new Map();
  function part(number) {
    if (!parsed.has(number)) parsed.set(number, json(`records-${String(number).padStart(5, "0")}`));
    return parsed.get(number);
  }
  const column = async (name, kind) => new kind(await load(`column-${name}`));
  const codes = (facet) => column(facet, Int32Array), scores = (name) => column(name, Float32Array);
  const record = async (row) => (await part(Math.floor(row / start.size)))[row % start.size];

  async function rowOf(key) { // the first row whose key is not before it, and that key
    const after = start.firsts.findIndex((first) => first > key), at = Math.max((after < 0 ? start.firsts.length : after) - 1, 0);
    const records = start.records ? await part(at) : [], i = records.findIndex((r) => r.key >= key);
    return i < 0 ? [Math.min((at + 1) * start.size, start.records), start.firsts[at + 1] || ""] : [at * start.size + i, records[i].key];
  }
  async function order(name, up) {
    const which = `${name} ${up}`;
    if (!orders.has(which)) {
      const score = await scores(name), rank = (v) => Number.isNaN(v) ? Infinity : up ? v : -v;
      orders.set(which, Int32Array.from(score.keys()).sort((a, b) => rank(score[a]) - rank(score[b]) || a - b));
    }
    return orders.get(which);
  }
  async function readTexts() {
    const parts = Math.ceil(start.records / start.size);
    for (let i = texts.length / start.size; texts.length < start.records; i++) {
      document.getElementById("told").textContent = `reading texts: ${i + 1} of ${parts}`;
      texts.push(...(await part(i)).map((r) => (r.text || "").toLowerCase()));
    }
  }
  async function find(asked) {
    const mask = new Uint8Array(start.records).fill(1);
    const narrow = (holds) => { for (let i = 0; i < mask.length; i++) if (mask[i] && !holds(i)) mask[i] = 0; };
    if (asked.status) {
      const kept = new Uint8Array(await load("column-kept")), wanted = asked.status === "kept" ? 1 : 0;
      narrow((i) => kept[i] === wanted);
    }
    for (const [facet, values] of Object.entries(start.values)) {
      if (asked[facet] === undefined) continue;
      const wanted = new Set(asked[facet].split("|")), hits = values.map((each) => each.some((v) => wanted.has(v))), of = await codes(facet);
      narrow((i) => hits[of[i]]);
    }
    if (asked.column) {
      const low = asked.low === "" ? -Infinity : Number(asked.low), high = asked.high === "" ? Infinity : Number(asked.high), of = await scores(asked.column);
      narrow((i) => of[i] >= low && of[i] <= high);
    }
    const text = (asked.q || "").trim().toLowerCase();
    const [first, found] = /^[0-9a-f]{8,32}$/.test(text) ? await rowOf(text) : [0, ""];
    if (found.startsWith(text) && text) {
      const [last] = await rowOf(text + "g");
      narrow((i) => i >= first && i < last);
    } else if (text) {
      await readTexts();
      for (const [, phrase, word] of text.matchAll(/"([^"]+)"|(\S+)/g)) narrow((i) => texts[i].includes(phrase || word));
    }
    const rows = asked.sort ? await order(asked.sort, asked.order === "up") : Int32Array.from(mask.keys());
    return rows.filter((i) => mask[i]);
  }
  async function count(rows) {
    const out = {};
    for (const [facet, values] of Object.entries(start.values)) {
      const of = await codes(facet), many = new Array(values.length).fill(0), sums = new Map();
      for (const row of rows) many[of[row]]++;
      values.forEach((each, code) => each.forEach((v) => sums.set(v, (sums.get(v) || 0) + many[code])));
      out[facet] = [...sums];
    }
    return out;
  }
  const answers = {
    start: async () => (start = await json("start")),
    records: async (asked) => {
      const rows = await find(asked), shown = rows.subarray(asked.page * asked.size, (asked.page + 1) * asked.size);
      const records = await Promise.all([...shown].map(record));
      return {found: rows.length, records, facets: asked.page ? null : await count(rows)};
    },
    record: async ({key}) => {
      const told = await record((await rowOf(key))[0]), other = told.duplicate_of?.includes("/") ? null : told.duplicate_of;
      return {record: told, kept_instead: other ? await record((await rowOf(other))[0]) : null};
    },
    map: () => start.map ? json("map") : {},
  };
  return {put, ask: async (path, asked = {}) => answers[path](asked), picture: (key) => `pictures/${key.slice(0, 2)}/${key}.jpg`};
})();
