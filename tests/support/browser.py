"""What the tests of the pages in a real browser share: how it is started, and scripts that measure a page."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--headless",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
LIMIT_MS = 8_000

OUTSIDE = """() => [...document.querySelectorAll('main *')].filter(e => e.offsetParent && !e.closest('.visually-hidden, caption, thead, svg')
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
"""Elements that stick out to the right."""

SPILLED = """() => [...document.querySelectorAll('td .v')].filter(e => { const v = e.getBoundingClientRect(), c = e.closest('td').getBoundingClientRect();
  return e.offsetParent && (v.right > c.right + 1 || v.left < c.left - 1); }).map(e => e.textContent.trim())"""
"""Values that stick out of their table cell."""

NAMELESS = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [role=img]')].filter(e =>
  !(e.textContent.trim() && e.tagName !== 'SELECT' || e.getAttribute('aria-label') || (e.labels && e.labels.length && e.labels[0].textContent.trim()))
).map(e => e.outerHTML.slice(0, 90))"""
"""Whatever takes focus, or is a picture, and has no name."""

TWICE = """() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.filter((id, i) => ids.indexOf(id) !== i); }"""
"""Ids that are there more than once."""

CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (css) => { const [r, g, b] = [...rgb(css)].map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const s = getComputedStyle(e), found = [];
      for (const m of s.backgroundImage.matchAll(/rgba?\\([^)]*\\)/g)) if (rgb(m[0])[3]) found.push(m[0]);
      if (rgb(s.backgroundColor)[3] === 255) found.push(s.backgroundColor);
      if (found.length) return found;
    }
    return ['rgb(255, 255, 255)'];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest('noscript, script, title, .visually-hidden, .skip, dialog:not([open])')) continue;
    const s = getComputedStyle(e), ink = e.closest('svg') ? s.fill : s.color;
    for (const ground of behind(e)) if (ratio(ink, ground) < 4.5) poor.push([e.className.baseVal || e.className || e.tagName, ink, ground, ratio(ink, ground).toFixed(2)]);
  }
  return poor;
}"""

"""Texts whose contrast against anything behind them is under 4.5:1: (class, ink, ground, ratio)."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        try:
            yield browser
        finally:
            browser.close()
