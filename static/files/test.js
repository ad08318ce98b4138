// Test mode only: a press on one of the sandbox's cards beside the form fills it in. Pages that take money never load this.
(function () {
  var details = document.getElementById("test"), cards = ["4000019900050008", "4000019900020720", "4000019900050107"]
  details.querySelectorAll("li").forEach(function (line, i) {
    var b = document.createElement("button")
    b.type = "button"
    b.className = "quiet"
    var number = document.createElement("span")
    number.className = "nowrap"
    number.textContent = cards[i].replace(/(\d{4})(?=\d)/g, "$1 ")
    b.append(number, " ", line.firstChild)
    line.appendChild(b)
    b.addEventListener("click", function () {
      var values = {number: cards[i], expiry: "12/" + String(new Date().getFullYear() + 3).slice(2), cvc: "123", name: "TEST SHOPPER"}
      Object.keys(values).forEach(function (name) {
        var field = document.getElementById(name)
        field.value = values[name]
        ;["input", "change"].forEach(function (kind) { field.dispatchEvent(new Event(kind, {bubbles: true})) })
      })
      details.open = false
      document.getElementById("pay").focus()
    })
  })
  details.classList.add("ready")
})()
