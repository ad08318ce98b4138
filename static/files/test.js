// Test mode only: cards of the sandbox beside the form, one press fills it in. Pages that take money never load this.
(function () {
  var form = document.getElementById("card"), words = form.dataset.words.split(";"), details = document.createElement("details"), summary = document.createElement("summary")
  details.className = "test"
  summary.textContent = words[0]
  details.appendChild(summary)
  ;["4000019900050008", "4000019900020720", "4000019900050107"].forEach(function (card, i) {
    var b = document.createElement("button"), small = document.createElement("span")
    b.type = "button"
    b.className = "quiet"
    b.textContent = card.replace(/(\d{4})(?=\d)/g, "$1 ")
    small.className = "small"
    small.textContent = words[i + 1]
    b.appendChild(document.createElement("br"))
    b.appendChild(small)
    b.addEventListener("click", function () {
      var values = {number: card, expiry: "12/" + String(new Date().getFullYear() + 3).slice(2), cvc: "123", name: "TEST SHOPPER"}
      Object.keys(values).forEach(function (name) {
        var field = document.getElementById(name)
        field.value = values[name]
        ;["input", "change"].forEach(function (kind) { field.dispatchEvent(new Event(kind, {bubbles: true})) })
      })
      details.open = false
      document.getElementById("pay").focus()
    })
    details.appendChild(b)
  })
  form.parentNode.insertBefore(details, form)
})()
