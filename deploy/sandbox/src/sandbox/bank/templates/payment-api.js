// What a shop's page loads. halyk.pay(object) leaves the shop: the card is typed into the bank's own page.
(function () {
  var base = new URL(".", document.currentScript.src);
  window.halyk = {
    pay: function (payment) {
      var form = document.createElement("form");
      form.method = "POST";
      form.action = new URL("page", base).href;
      var field = document.createElement("input");
      field.type = "hidden";
      field.name = "payment";
      field.value = JSON.stringify(payment);
      form.appendChild(field);
      document.body.appendChild(form);
      form.submit();
    }
  };
})();
