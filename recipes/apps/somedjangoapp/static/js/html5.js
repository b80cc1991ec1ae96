// Writes altitudes as the page's language does: 2,962 m in English, 2.962 m in German.
"use strict";

const altitude = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "meter" });

for (const element of document.querySelectorAll("data.hut-altitude")) {
  element.textContent = altitude.format(Number(element.value));
}
