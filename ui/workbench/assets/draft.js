// A draft, built from values by the text of elements. What settles, is revised or reopened is shown by a class, once.
const TAGS = { heading: (b) => "h" + Math.min(6, b.level + 1), quotation: (b) => (b.listed ? "li" : "blockquote"), table: () => "table",
  conflict: () => "li", open: () => "li", unread: () => "li", source: () => "li" };
const LISTED = { conflict: "ul", open: "ul", unread: "ul", source: "ol" };

const make = (tag, name, words) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (words !== undefined) node.textContent = words;
  return node;
};

const showSpan = (span, before, { picked, still }) => {
  const node = make("span", "pp-span");
  node.dataset.span = span.id;
  if (span.stop && !still) {
    node.tabIndex = 0;
    node.setAttribute("role", "button");
    node.setAttribute("aria-pressed", String(span.id === picked));
  }
  if (span.mask) {
    node.dataset.mask = span.mask;
    node.classList.add("pp-mask");
    node.title = span.title;
    for (const tile of span.tiles) {
      const part = node.appendChild(make("i", tile.open ? (tile.text ? "pp-known" : "") : "pp-fixed", tile.text));
      if (tile.open && tile.text) part.style.opacity = String(0.35 + 0.65 * tile.sure);
    }
    node.append(make("span", "pp-hidden", span.title));
    if (span.why) node.append(make("span", "pp-why", span.why));
  } else {
    node.textContent = span.text;
    if (span.kind !== "FIXED") node.dataset.kind = span.kind;
    if (span.title) node.title = span.title;
  }
  for (const mark of span.marks || []) node.classList.add("pp-" + mark);
  if (span.id === picked) node.classList.add("pp-picked");
  if (before) {
    if (before.mask && !span.mask && span.text) node.classList.add("pp-settled");
    else if (!before.mask && span.mask) node.classList.add("pp-reopened");
    else if (!span.mask && before.text !== span.text) node.classList.add("pp-settled");
  }
  return node;
};

const showCited = (block, still) => {
  const numbers = block.cited.map((n) => "[" + n + "]").join("");
  if (still) return make("span", "pp-cited", numbers);
  const node = make("button", "pp-cite", numbers);
  node.type = "button";
  node.dataset.pick = block.cite;
  node.setAttribute("aria-label", "Evidence of “" + block.short + "”");
  return node;
};

const showBlock = (block, known, data) => {
  const node = make((TAGS[block.kind] || (() => "p"))(block), "pp-block pp-" + block.kind);
  node.dataset.block = block.kind;
  node.id = (data.still ? "still-" : "block-") + block.id; // a page may hold two drafts
  const spans = new Map(block.spans.map((s) => [s.id, showSpan(s, known.get(s.id), data)]));
  if (block.rows.length) {
    block.rows.forEach((row, n) => {
      const line = node.appendChild(make("tr"));
      for (const id of row) line.appendChild(make(n ? "td" : "th")).append(spans.get(id) || "");
    });
    return node;
  }
  for (const [id, span] of spans) {
    const lead = block.leads[id];
    if (lead) node.append(make("span", "pp-lead", lead));
    else if (block.kind === "conflict") span.classList.add("pp-note");
    node.append(span);
  }
  if (block.note) node.append(make("span", "pp-note", block.note));
  if (block.cited.length) node.append(" ", showCited(block, data.still));
  if (block.speaker) node.append(" ", make("span", "pp-speaker", "– " + block.speaker));
  if (block.standing) node.append(" ", make("span", "pp-standing", block.standing));
  return node;
};

// Where columns stand under each other, what was chosen opens below what is seen: the page goes there.
const showEvidence = () => {
  if (!window.matchMedia("(max-width: 640px)").matches) return;
  const box = document.querySelector('[class*="st-key-region-Evidence"]');
  if (box) box.scrollIntoView({ behavior: "smooth", block: "start" });
};

// Elements that were drawn anew keep the keyboard where it was.
const refocus = (root, focused) => {
  const name = focused.pick ? "pick" : "span";
  const node = [...root.querySelectorAll(`[data-${name}]`)].find((n) => n.dataset[name] === focused[name]);
  if (node && node !== document.activeElement) node.focus({ preventScroll: true });
};

const group = (block) => (block.kind === "quotation" && block.listed ? "ul" : LISTED[block.kind]);

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let root = parentElement.querySelector(".pp-draft");
  if (!root) {
    root = parentElement.appendChild(make("div", "pp-draft"));
    if (data.still) {
      root.tabIndex = 0; // it scrolls, and holds nothing else that a key could reach
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", "The draft as it was");
    }
    root.known = new Map();
    root.held = new Map();
    const choose = (event) => {
      const hit = event.target.closest("[data-pick], [data-span]");
      if (hit && root.contains(hit)) root.choose(hit.dataset.pick || hit.dataset.span);
      return hit;
    };
    root.addEventListener("click", choose);
    root.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === " ") && event.target.dataset.span && choose(event)) event.preventDefault();
    });
  }
  root.choose = (id) => {
    if (data.still) return;
    for (const node of root.querySelectorAll("[data-span]")) node.classList.toggle("pp-picked", node.dataset.span === id); // at once
    root.follow = true;
    setTriggerValue("picked", id);
  };
  root.setAttribute("aria-busy", data.busy ? "true" : "false");
  const held = new Map();
  let box = root, kind = "";
  const parts = [];
  for (const block of data.blocks) {
    const look = JSON.stringify([block, block.spans.some((s) => s.id === data.picked) ? data.picked : ""]);
    const old = root.held.get(block.id);
    const node = old && old.look === look ? old.node : showBlock(block, root.known, data);
    held.set(block.id, { look, node });
    const wanted = group(block) || "";
    if (wanted !== kind || !wanted) {
      box = wanted ? make(wanted, "pp-list") : null;
      if (box) parts.push(box);
      kind = wanted;
    }
    if (box) box.append(node);
    else parts.push(node);
  }
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset : null;
  root.replaceChildren(...parts);
  if (focused) refocus(root, focused);
  if (root.follow && data.picked) {
    root.follow = false;
    showEvidence();
  }
  root.held = held;
  root.known = new Map(data.blocks.flatMap((b) => b.spans.map((s) => [s.id, s])));
}
