// Reads the values of a chart at the pointer, or at the place of the arrow keys.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("readings").textContent);
  const cursor = document.querySelector(".cursor");
  const plot = cursor.parentElement;
  const readout = document.querySelector(".readout");
  const last = data.dates.length - 1;
  let at = last;

  function show(index) {
    at = Math.max(0, Math.min(last, index));
    cursor.hidden = false;
    cursor.style.left = (100 * at) / Math.max(last, 1) + "%";
    readout.replaceChildren();
    const parts = [["", data.dates[at]]].concat(
      data.parts.map((part) => [part.names ? part.names[at] : part.name, part.values[at]]));
    for (const [name, value] of parts) {
      if (value === null) continue;
      const part = document.createElement("span");
      const strong = document.createElement("b");
      strong.textContent = value;
      part.append(name ? name + " " : "", strong);
      readout.append(part);
    }
  }

  plot.tabIndex = 0;
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show(Math.round(((event.clientX - box.left) / box.width) * last));
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(at + step);
  });
})();
