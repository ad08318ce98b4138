// Tells of the browser what the bank wants to know. A form that was sent says so and is not sent twice. The server guards against a second press by itself.
(function () {
  var forms = document.querySelectorAll("form[data-busy]"), sent
  function each(f) { for (var i = 0; i < forms.length; i++) f(forms[i]) }
  function tell(form) { // what EMV 3DS wants to know of the browser; card.js tells it with a card
    var is = form.elements, now = navigator
    if (!is.browserTZ) return
    is.browserJavascriptEnabled.value = true
    is.browserJavaEnabled.value = !!(now.javaEnabled && now.javaEnabled())
    is.browserLanguage.value = now.language || ""
    is.browserColorDepth.value = screen.colorDepth
    is.browserScreenHeight.value = screen.height
    is.browserScreenWidth.value = screen.width
    is.browserTZ.value = new Date().getTimezoneOffset()
  }
  each(function (form) {
    tell(form)
    form.addEventListener("submit", function (e) {
      if (sent) return e.preventDefault()
      sent = true
      var button = e.submitter || form.querySelector("button")
      button.setAttribute("data-label", button.textContent)
      setTimeout(function () {
        button.setAttribute("aria-disabled", "true")
        button.setAttribute("aria-busy", "true")
        button.textContent = form.getAttribute("data-busy")
      })
    })
  })
  var left = document.getElementById("time-left"), end = left && Date.now() + left.getAttribute("data-seconds") * 1000
  if (left) setInterval(function () {
    var s = Math.max(0, Math.round((end - Date.now()) / 1000))
    left.lastElementChild.textContent = (s / 60 | 0) + ":" + ("0" + s % 60).slice(-2)
  }, 1000)
  addEventListener("pageshow", function () {
    sent = false
    each(function (form) {
      var button = form.querySelector("[data-label]")
      if (!button) return
      button.removeAttribute("aria-disabled")
      button.removeAttribute("aria-busy")
      button.textContent = button.getAttribute("data-label")
    })
  })
})()
