// Hands the payment object to the bank's script, which leaves this shop: the card is typed into the bank's own page.
const button = document.getElementById("pay");
button.addEventListener("click", () => {
  if (!window.halyk) {
    document.getElementById("no-bank").hidden = false;
    return;
  }
  button.disabled = true;
  window.halyk.pay(JSON.parse(button.dataset.payment));
});
// Coming back with the browser's button shows the page as it was left.
window.addEventListener("pageshow", () => { button.disabled = false; });
