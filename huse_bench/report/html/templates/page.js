// What the parts of a page share. A part's script calls hbPage.each(name, start), and start(element, data) is called for
// each part of that name: one for each results folder.
"use strict";
const hbPage = {
  each(name, start) {
    for (const element of document.querySelectorAll(`section[data-section="${name}"]`)) {
      const data = element.querySelector(':scope > script[type="application/json"]');
      start(element, data === null ? null : JSON.parse(data.textContent));
    }
  },
};

// Paper cannot be opened further.
(() => {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const element of opened) element.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const element of opened) element.open = false;
  });
  // Who follows a link to a closed entry wants to read it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  window.addEventListener("hashchange", reveal);
  reveal();
})();
