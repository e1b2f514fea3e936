// Follows an order while it is in progress. Without this script the page says the same, as of its loading.
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;
  const source = new EventSource(main.dataset.live);
  source.addEventListener("changed", async () => {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["standing", "timeline", "usage", "alert", "code", "resend"]) {
      const old = document.getElementById(id);
      const now = fresh.getElementById(id);
      if (old && now) old.replaceWith(now);
    }
  });
  source.addEventListener("settled", () => source.close());
})();
