// Test mode only: a press on one of the sandbox's cards beside the form fills it in. Pages that take money never load this.
(function () {
  var details = document.getElementById("test")
  details.querySelectorAll("li").forEach(function (line) {
    var b = document.createElement("button")
    b.type = "button"
    b.className = "quiet"
    while (line.firstChild) b.appendChild(line.firstChild)
    line.appendChild(b)
    b.addEventListener("click", function () {
      var values = {number: line.dataset.number, expiry: "12/" + String(new Date().getFullYear() + 3).slice(2), cvc: "123", name: "TEST SHOPPER"}
      Object.keys(values).forEach(function (name) {
        var field = document.getElementById(name)
        field.value = values[name]
        ;["input", "change"].forEach(function (kind) { field.dispatchEvent(new Event(kind, {bubbles: true})) })
      })
      details.open = false
      document.getElementById("pay").focus()
    })
  })
})()
