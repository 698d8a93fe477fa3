"""What a reader meets who opens a page in a browser: Debian's chromium, without a window."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium")
WHY_NOT = "there is no chromium here to look at the page with (Debian: apt install chromium)"

# In the page: text that lies on text, text hard to tell from its ground, and what is too wide.
LOOK = r"""
function look(frame) {
  const win = frame.contentWindow, doc = frame.contentDocument, found = {};
  const width = doc.documentElement.clientWidth;
  found.width = width;
  found.scroll = doc.documentElement.scrollWidth;
  found.ground = win.getComputedStyle(doc.body).backgroundColor;
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = color => (color.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const solid = c => c.length < 4 || c[3] > 0.5;
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  function ground(element, box) {
    const svg = element.closest("svg");
    let under = null;
    if (svg) for (const path of svg.querySelectorAll("path, rect")) {
      const style = win.getComputedStyle(path), area = path.getBoundingClientRect();
      const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
      const covers = area.left < x && x < area.right && area.top < y && y < area.bottom;
      if (path.compareDocumentPosition(element) & 4 && covers && style.fill !== "none"
          && style.fillOpacity > 0.5 && style.opacity > 0.5 && !path.closest("defs"))
        under = parse(style.fill);
    }
    for (let e = element; !under && e; e = e.parentElement) {
      const color = parse(win.getComputedStyle(e).backgroundColor);
      if (solid(color)) under = color;
    }
    return under || [255, 255, 255];
  }
  const boxes = [], faint = [], sizes = [];
  const texts = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest("style, script, defs")) continue;
    const style = win.getComputedStyle(element);
    const range = doc.createRange();
    range.selectNodeContents(node);
    const parts = element.closest("svg") ? [element.getBoundingClientRect()]
      : [...range.getClientRects()];
    for (const box of parts) if (box.width > 0.5) boxes.push([box, node.data.trim().slice(0, 40)]);
    if (!parts.length) continue;
    const svg = element.closest("svg"), view = svg && svg.viewBox.baseVal.width;
    sizes.push(parseFloat(style.fontSize) * (view ? svg.clientWidth / view : 1));
    const color = parse(element.closest("svg") ? style.fill : style.color);
    const contrast = ratio(light(color), light(ground(element, parts[0])));
    if (contrast < 4.5) faint.push(node.data.trim().slice(0, 40) + " " + contrast.toFixed(2));
  }
  const over = [];
  boxes.sort((a, b) => a[0].top - b[0].top);
  boxes.forEach(([a, text], i) => {
    // Lines of text may touch: the middle of each counts.
    for (let j = i + 1; j < boxes.length && boxes[j][0].top < a.bottom; j++) {
      const b = boxes[j][0], part = 0.2;
      const down = Math.min(a.bottom - part * a.height, b.bottom - part * b.height)
        - Math.max(a.top + part * a.height, b.top + part * b.height);
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (down > 0.5 && across > 1) over.push(text + " / " + boxes[j][1]);
    }
  });
  found.beyond = boxes.filter(([b]) => b.right > width + 0.5 || b.left < -0.5).map(b => b[1]);
  return Object.assign(found, {over, faint, texts: boxes.length, smallest: Math.min(...sizes)});
}
"""


@dataclass(frozen=True)
class Seen:
    """What a page is like at one width.

    Attributes:
        width: Of the window, in CSS pixels.
        scroll: Of what is in it.
        ground: The colour behind all.
        over: Pairs of texts that lie on each other.
        faint: Texts with a contrast of less than 4.5 (WCAG 2, AA).
        beyond: Texts that are cut by an edge.
        texts: How many lines of text there are.
        smallest: Of their font sizes, in pixels.
    """

    width: int
    scroll: int
    ground: str
    over: list[str]
    faint: list[str]
    beyond: list[str]
    texts: int
    smallest: float


def look_at(page: Path, widths: tuple[int, ...], folder: Path, dark: bool = False) -> list[Seen]:
    """Open a page once for every width, in frames; what is seen in each."""
    source = html.escape(page.read_text())
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{source}"></iframe>'
        for width in widths
    )
    around = folder / "around.html"
    around.write_text(
        f'<!doctype html><meta charset="utf-8"><style>:root{{color-scheme:light dark}}</style>'
        f"{frames}<pre id=seen></pre><script>{LOOK}"
        "window.onload = () => { document.getElementById('seen').textContent ="
        "'SEEN' + JSON.stringify([...document.querySelectorAll('iframe')].map(look)) + 'END'; };"
        "</script>"
    )
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'profile'}", "--blink-settings=preferredColorScheme="]
    command[-1] += "0" if dark else "1"
    command += ["--virtual-time-budget=2000", "--dump-dom", around.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"SEEN(\[.*?\])END</pre>", done.stdout, re.S)
    assert found is not None, done.stderr
    seen: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return [Seen(**each) for each in seen]
