// Pictures: loaded when their fold is opened, chosen by class and quality, enlarged one after the other.
(() => {
  const list = document.getElementById("pictures");
  if (!list) return;
  const addresses = JSON.parse(list.textContent);
  const folds = [...document.querySelectorAll("details.pictures")];
  const shotsOf = (node) => [...node.querySelectorAll("button.shot")];

  function load(fold) {
    for (const button of shotsOf(fold)) {
      if (button.querySelector("img, .lost")) continue;
      const image = new Image();
      image.alt = button.textContent;
      image.decoding = "async";
      image.addEventListener("error", () => {
        const lost = document.createElement("span");
        lost.className = "lost";
        lost.textContent = "the file of this picture is not beside the page";
        image.replaceWith(lost);
      });
      image.src = addresses[Number(button.dataset.picture)];
      button.prepend(image);
    }
  }
  folds.forEach((fold) => fold.addEventListener("toggle", () => fold.open && load(fold)));

  // --- filter

  const form = document.querySelector("form.filter");
  const field = (name) => document.getElementById(`filter-${name}`);

  function isChosen(image) {
    const name = field("class") ? field("class").value : "";
    if (name !== "" && !image.dataset.classes.split(" ").includes(name)) return false;
    const low = Number(field("low").value), high = field("high").value === "" ? 1 : Number(field("high").value);
    if (!("quality" in image.dataset)) return low <= 0 && high >= 1;
    const quality = Number(image.dataset.quality);
    return quality >= low && quality <= high;
  }

  function filter() {
    let all = 0, left = 0;
    for (const fold of folds) {
      const images = [...fold.querySelectorAll("article.image")];
      images.forEach((image) => { image.hidden = !isChosen(image); });
      const shown = images.filter((image) => !image.hidden).length;
      const words = images.length === 1 ? "image" : "images";
      fold.querySelector(".count").textContent = (shown < images.length ? `${shown} of ` : "") + `${images.length} ${words}`;
      all += images.length;
      left += shown;
    }
    form.querySelector("output").textContent = left < all ? `${left} of ${all} images` : "";
  }
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());

  // --- one large picture

  const box = document.getElementById("lightbox");
  const large = box.querySelector("img");
  let row = [], at = 0, touched = null;

  function show(place) {
    at = (place + row.length) % row.length;
    const button = row[at];
    const of = button.closest("article").querySelector("p").textContent.trim();
    large.src = addresses[Number(button.dataset.picture)];
    large.alt = `${button.textContent}, ${of}`;
    document.getElementById("lightbox-caption").textContent = `${button.textContent} · ${of}`;
    document.getElementById("lightbox-place").textContent = `${at + 1} of ${row.length}`;
  }

  function open(button) {
    row = shotsOf(button.closest("details")).filter((other) => !other.closest("article").hidden);
    show(row.indexOf(button));
    box.showModal();
  }

  folds.forEach((fold) => fold.addEventListener("click", (event) => {
    const button = event.target.closest("button.shot");
    if (button) open(button);
  }));
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && "step" in button.dataset) show(at + Number(button.dataset.step));
    else if (event.target === box || (button && "close" in button.dataset)) box.close();
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(at + step);
  });
  box.addEventListener("touchstart", (event) => {
    touched = event.touches.length === 1 ? event.touches[0] : null;
  }, { passive: true });
  box.addEventListener("touchend", (event) => {
    if (!touched) return;
    const along = event.changedTouches[0].clientX - touched.clientX;
    const across = event.changedTouches[0].clientY - touched.clientY;
    touched = null;
    if (Math.abs(along) > 40 && Math.abs(along) > 2 * Math.abs(across)) show(at + (along < 0 ? 1 : -1));
  }, { passive: true });
  box.addEventListener("close", () => row[at] && row[at].focus()); // where the reader is, not where the reader was
})();
