// The demo newspaper's consent bar: nothing is stored before a choice, and the choice is the widget's to keep.
const bar = document.querySelector("[data-consent-bar]");
const chosen = () => localStorage.getItem("gazette.consent");
if (bar && !chosen()) bar.hidden = false;
for (const button of document.querySelectorAll("[data-choice]")) {
  button.addEventListener("click", () => {
    const choice = button.dataset.choice;
    localStorage.setItem("gazette.consent", choice);
    window.embellie?.consent(choice);
    if (bar) bar.hidden = true;
    if (choice !== "none") location.reload();
  });
}
const again = document.querySelector("[data-consent-again]");
again?.addEventListener("click", () => { bar.hidden = false; bar.scrollIntoView({ block: "nearest" }); });
