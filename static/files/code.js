// The time that a code is still good. Without script the page says until when; the server knows what is true.
(function () {
  var clock = document.getElementById("clock"), d = clock.dataset, end = Date.now() + d.left * 1000
  var shown = document.createElement("b")
  clock.textContent = d.text + " "
  clock.appendChild(shown)
  function show() {
    var s = Math.max(0, Math.ceil((end - Date.now()) / 1000))
    shown.textContent = (s / 60 | 0) + ":" + ("0" + s % 60).slice(-2)
    if (s) return
    clearInterval(tick)
    if (d.next) return location.replace(d.next)
    clock.setAttribute("role", "status")
    clock.textContent = d.over
  }
  var tick = setInterval(show, 1000)
  show()
})()
