// The seconds that a one-time code is still good. Without script they stand still, and the server knows what is true.
(function () {
  var clock = document.getElementById("clock"), left = document.getElementById("left")
  var end = Date.now() + left.textContent * 1000
  var tick = setInterval(function () {
    var s = Math.max(0, Math.ceil((end - Date.now()) / 1000))
    left.textContent = s
    if (s) return
    clearInterval(tick)
    clock.setAttribute("role", "status")
    clock.textContent = clock.getAttribute("data-over")
  }, 1000)
})()
