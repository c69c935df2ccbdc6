// For every element of a page with text of its own: the text, and the least contrast of its colour with what is behind it.
// A background of stripes or dots counts with each of its colours.
(within) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const numbers = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(colour);
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255)).reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    const found = [];
    for (let one = node; one; one = one.parentElement) {
      const style = getComputedStyle(one);
      for (const ink of style.backgroundImage.match(/(rgba?|color)\([^()]*\)/g) || []) if (numbers(ink)[3] === 255) found.push(numbers(ink));
      const fill = numbers(style.backgroundColor);
      if (fill[3] === 255) return [...found, fill];
    }
    return [...found, [255, 255, 255]];
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const found = [];
  for (const node of (within || document.body).querySelectorAll("*")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest(".pvw-hidden") || ["SCRIPT", "STYLE", "OPTION"].includes(node.tagName)) continue;
    const ink = numbers(getComputedStyle(node).color);
    found.push([node.textContent.trim().slice(0, 40), Math.min(...behind(node).map((one) => ratio(ink, one)))]);
  }
  const focused = document.activeElement;
  const ring = focused && focused !== document.body ? getComputedStyle(focused) : null;
  return { texts: found, ring: ring && (ring.outlineStyle === "none" ? 0 : Math.min(...behind(focused.parentElement).map((one) => ratio(numbers(ring.outlineColor), one)))) };
}
