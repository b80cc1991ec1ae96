"""Visits the huts with headless Chromium, as somebody does who reads German, and writes down what the browser made of
the pages: BASE DIRECTORY.

The browser is driven by its DevTools protocol over a pipe: JSON messages that end in a NUL byte.
"""

import base64
import json
import os
import subprocess
import sys
import time

CHROMIUM = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--window-size=1000,700", "--remote-debugging-pipe",
]
# Every style sheet and script of the page has an entry among what was loaded, which is written after the event that tells
# the page to be there.
IS_ENTERED = """(() => {
  const entered = new Set(performance.getEntriesByType("resource").filter(e => e.responseStatus).map(e => e.name));
  const wanted = Array.from(document.querySelectorAll("link[rel=stylesheet], script[src]")).map(e => e.href || e.src);
  return wanted.every(url => entered.has(url));
})()"""
OBSERVATION = """(() => {
  const all = selector => Array.from(document.querySelectorAll(selector));
  const texts = selector => all(selector).map(element => element.textContent.trim());
  // When the browser loads its icon, and whether it tells that, is its own affair.
  const loaded = performance.getEntriesByType("resource")
    .filter(entry => !all("link[rel=icon]").some(icon => icon.href === entry.name));
  const style = (selector, property) => all(selector).slice(0, 1).map(e => getComputedStyle(e)[property]).join();
  return {
    address: location.pathname,
    language: document.documentElement.lang,
    title: document.title,
    heading: texts("h1").join(),
    navigation: texts(".nav-views a"),
    current: texts(".nav-bar a[aria-current]"),
    huts: all(".hut").map(hut => Array.from(hut.children).map(child => child.textContent.trim())),
    notes: texts(".note p:first-child"),
    version: texts("#version").join(),
    styles: {
      masthead: style(".masthead", "backgroundColor"),
      open: style(".hut-open", "borderLeftColor"),
      closed: style(".hut-closed", "backgroundColor"),
      state: style(".hut-state", "marginLeft"),
      navigation: style(".nav-bar", "display"),
      footer: style(".footer", "borderTopColor"),
      button: style(".btn", "borderRadius"),
    },
    loaded: loaded.map(entry => {
      const url = new URL(entry.name);
      return [entry.responseStatus, url.pathname + url.search];
    }).sort((one, other) => one[1] < other[1] ? -1 : 1),
    // Sent smaller than it is: the server has a compressed copy.
    compressed: loaded.filter(entry => entry.encodedBodySize < entry.decodedBodySize)
      .map(entry => new URL(entry.name).pathname).sort(),
  };
})()"""


class Browser:
    """A browser with one page."""

    def __init__(self):
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # The browser wants its pipe as descriptors 3 and 4.
        script = 'exec "$@" 3<&%d 4>&%d' % (theirs_in, theirs_out)
        command = ["/bin/sh", "-c", script, "sh"] + CHROMIUM
        self.process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.out = os.fdopen(ours_out, "wb", 0)
        self.messages = split(os.fdopen(ours_in, "rb", 0))
        self.count = 0
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method, **parameters):
        """Calls a method of the protocol and returns its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        answer = next(message for message in self.messages if message.get("id") == self.count)
        if "error" in answer:
            raise SystemExit("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def evaluate(self, expression):
        """Returns the value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise SystemExit("%s: %s" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def wait_for_load(self):
        next(message for message in self.messages if message.get("method") == "Page.loadEventFired")
        status = self.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
        if status != 200:
            raise SystemExit("%s answered with %s" % (self.evaluate("location.href"), status))
        limit = time.monotonic() + 60
        while not self.evaluate(IS_ENTERED):
            if time.monotonic() > limit:
                raise SystemExit("%s has not loaded everything: %s" % (self.evaluate("location.href"), self.evaluate(
                    "JSON.stringify(performance.getEntriesByType('resource'))")))
            time.sleep(0.05)

    def go(self, url):
        failure = self.call("Page.navigate", url=url).get("errorText")
        if failure:
            raise SystemExit("%s: %s" % (url, failure))
        self.wait_for_load()

    def click(self, selector):
        """Clicks what leads to another page."""
        self.evaluate("document.querySelector(%s).click()" % json.dumps(selector))
        self.wait_for_load()

    def fill(self, selector, text):
        self.evaluate("document.querySelector(%s).value = %s" % (json.dumps(selector), json.dumps(text)))

    def screenshot(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self):
        self.call("Browser.close")
        self.process.wait()


def split(stream):
    """Yields the messages of a stream."""
    pending = b""
    while True:
        received = stream.read(65536)
        if not received:
            raise SystemExit("the browser ended")
        *whole, pending = (pending + received).split(b"\0")
        yield from map(json.loads, whole)


def main(base, directory):
    browser = Browser()

    def keep(name):
        with open(os.path.join(directory, name + ".json"), "w") as file:
            json.dump(browser.evaluate(OBSERVATION), file, ensure_ascii=False, indent=1)
        with open(os.path.join(directory, name + ".png"), "wb") as file:
            file.write(browser.screenshot())

    browser.go(base + "/")
    keep("english")
    browser.click("a[hreflang=de]")
    keep("german")
    browser.click(".hut-closed .hut-name")
    browser.fill("[name=author]", "Ada")
    browser.fill("[name=text]", "Der Weg über den Grat ist vereist.")
    browser.click(".add-note button")
    keep("note")
    browser.close()


main(*sys.argv[1:])
