// Follows an order without a reload. Without this script the page says the same, as of its loading.
const part = document.getElementById("part");
let shown = part.innerHTML;
let busy = false;
let again = false;

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    do {
      again = false;
      const answer = await fetch(part.dataset.part, { cache: "no-store" });
      if (!answer.ok) continue;
      const text = await answer.text();
      if (text === shown) continue;
      const open = part.querySelector("details")?.open;
      const focused = document.activeElement?.id;
      shown = text;
      part.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
      if (open) part.querySelector("details").open = true;
      if (focused) document.getElementById(focused)?.focus();
    } while (again);
  } catch {
    // The connection is gone; the next event asks again.
  } finally {
    busy = false;
  }
}

const source = new EventSource(part.dataset.events);
source.addEventListener("changed", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
