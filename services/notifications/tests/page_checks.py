"""What a browser counts on a page: words that are hard to read, things that are hard to hit, fields without a name."""

#: WCAG 2.2 section 1.4.3.
CONTRAST = """
(() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((v) => linear(v / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parts(getComputedStyle(at).backgroundColor);
      if (found.length && (found.length < 4 || found[3] > 0)) return found;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    if (!walker.currentNode.textContent.trim() || !box.width || !box.height || box.left < 0) continue;
    if (getComputedStyle(element).display === "none" || element.closest("script,style,option")) continue;
    const [one, other] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${walker.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return bad;
})()
"""
#: Things a finger must hit (WCAG 2.2 section 2.5.8), and fields that nobody named.
SMALL = """
[...document.querySelectorAll("button, a.button, summary")].filter((one) => {
  const box = one.getBoundingClientRect(); return box.width && box.height < 24; }).length
"""
UNNAMED = """
[...document.querySelectorAll("select, textarea, input:not([type=hidden]), img")].filter((one) =>
  one.tagName === "IMG" ? !one.alt : !one.labels.length).length
"""
