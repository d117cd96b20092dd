// Words of a text as buttons: one click (or Enter) begins a stretch, the next ends it.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let root = parentElement.querySelector(".pp-words");
  if (!root) {
    root = parentElement.appendChild(document.createElement("div"));
    root.className = "pp-words";
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Words of the text; choose the first and the last word of a mask");
  }
  let first = null;
  const buttons = data.words.map((word, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pp-word";
    button.textContent = word.text;
    button.setAttribute("aria-pressed", "false");
    if (word.mask) button.dataset.mask = word.mask;
    button.onclick = () => {
      if (first === null) {
        first = n;
        button.setAttribute("aria-pressed", "true");
        return;
      }
      setTriggerValue("marked", [Math.min(first, n), Math.max(first, n)]);
      first = null;
    };
    return button;
  });
  root.replaceChildren(...buttons.flatMap((b) => [b, " "]));
}
