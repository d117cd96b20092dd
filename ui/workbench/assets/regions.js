// Streamlit's containers have no role and no name; those keyed "region-NAME" get both, now and whenever they appear.
export default function () {
  const name = () => {
    for (const box of document.querySelectorAll('[class*="st-key-region-"]')) {
      const key = [...box.classList].find((c) => c.startsWith("st-key-region-"));
      const wanted = key.slice("st-key-region-".length);
      if (box.getAttribute("aria-label") !== wanted) {
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", wanted);
      }
    }
  };
  name();
  const watcher = new MutationObserver(name);
  watcher.observe(document.body, { childList: true, subtree: true });
  return () => watcher.disconnect();
}
