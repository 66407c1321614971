"use strict";

for (const divider of document.querySelectorAll(".divider")) {
  const show = () => divider.parentElement.style.setProperty("--cut", `${divider.value}%`);
  divider.addEventListener("input", show);
  show(); // a browser that goes back to the page restores where it was
}

for (const chart of document.querySelectorAll(".chart")) {
  const points = JSON.parse(chart.dataset.points);
  const here = chart.querySelector(".here");
  const [line, dot] = here.children;
  const said = chart.parentElement.querySelector("output");
  let at = points.length - 1;

  const show = (index) => {
    at = Math.max(0, Math.min(points.length - 1, index));
    const [x, y, label] = points[at];
    line.setAttribute("transform", `translate(${x} 0)`);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    here.removeAttribute("hidden");
    said.textContent = label;
  };
  const hide = () => {
    here.setAttribute("hidden", "hidden");
    said.textContent = "";
  };

  chart.addEventListener("pointermove", (event) => {
    const { left, width } = chart.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * chart.viewBox.baseVal.width;
    let nearest = 0;
    points.forEach((point, index) => {
      if (Math.abs(point[0] - x) < Math.abs(points[nearest][0] - x)) nearest = index;
    });
    show(nearest);
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("focus", () => show(at));
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: points.length - 1 };
    if (event.key in moves) {
      show(moves[event.key]);
      event.preventDefault();
    }
  });
}
