// What Streamlit leaves undone on every page, now and whenever something appears.
let shown = null; // the page that was shown last

// Containers have no role and no name; those keyed "region-NAME" get both.
const nameRegions = () => {
  for (const box of document.querySelectorAll('[class*="st-key-region-"]')) {
    const key = [...box.classList].find((c) => c.startsWith("st-key-region-"));
    const wanted = key.slice("st-key-region-".length);
    if (box.getAttribute("aria-label") !== wanted) {
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", wanted);
    }
  }
};

// Words in a long source stand where they can be seen.
const showMarks = () => {
  for (const box of document.querySelectorAll(".pp-context:not([data-shown])")) {
    const mark = box.querySelector("mark");
    box.dataset.shown = "";
    if (mark) box.scrollTop = mark.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
  }
};

// What stands outside of the app (menus, popovers) is as light or dark as the app.
const matchScheme = () => {
  const app = document.querySelector('[data-testid="stApp"]');
  const wanted = app ? getComputedStyle(app).colorScheme : "";
  if (wanted && document.documentElement.style.colorScheme !== wanted) document.documentElement.style.colorScheme = wanted;
};

// A workbench that was ended is not the internet's fault, and its runs go on.
const ENDED = "The workbench does not answer. Runs go on without it; start it again with research ui, and this page comes back.";
const sayWhatEnded = () => {
  for (const box of document.querySelectorAll('[role="dialog"]')) {
    const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode())
      if (node.data.includes("Streamlit server is not responding")) node.data = ENDED;
  }
};

// Another page begins at its top.
const begin = (page) => {
  if (shown !== null && shown !== page) document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
  shown = page;
};

export default function (component) {
  begin(component.data.page);
  const look = () => {
    nameRegions();
    showMarks();
    matchScheme();
    sayWhatEnded();
  };
  look();
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { childList: true, subtree: true });
  return () => watcher.disconnect();
}
