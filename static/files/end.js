// The end of a payment: goes back to the shop after a time that is shown and can be stopped, once; copies and prints.
(function () {
  function $(id) { return document.getElementById(id) }
  var clock = $("clock"), left = $("left"), stay = $("stay"), dates = document.querySelectorAll("time"), tick, seen
  for (var i = 0; i < dates.length; i++) try {
    dates[i].textContent = new Date(dates[i].dateTime).toLocaleString(document.documentElement.lang, {dateStyle: "long", timeStyle: "short"})
  } catch (e) {}

  function button(id, can, press) {
    var b = $(id)
    if (!b || !can) return
    b.hidden = false
    b.addEventListener("click", press)
  }
  button("print", window.print, function () { print() })
  button("copy", navigator.clipboard, function () {
    var rows = document.querySelectorAll("#receipt > div"), text = document.title
    for (var i = 0; i < rows.length; i++) text += "\n" + rows[i].children[0].textContent + ": " + rows[i].children[1].textContent.trim()
    navigator.clipboard.writeText(text).then(function () { $("copied").textContent = $("copied").dataset.done })
  })

  if (!clock) return
  function stop() {
    clearInterval(tick)
    clock.textContent = clock.dataset.stays
    stay.hidden = true
  }
  // A page that is opened again stays.
  var key = "tollgate end " + location.pathname, visit = performance.getEntriesByType && performance.getEntriesByType("navigation")[0]
  try { seen = localStorage.getItem(key); localStorage.setItem(key, 1) } catch (e) {}
  if (seen || visit && visit.type !== "navigate") return
  var seconds = +left.textContent
  clock.hidden = stay.hidden = false
  stay.addEventListener("click", function () { stop(); $("continue").focus() })
  tick = setInterval(function () {
    if (document.visibilityState === "hidden") return
    left.textContent = --seconds
    if (seconds > 0) return
    clearInterval(tick)
    location.replace($("continue").href)
  }, 1000)
  addEventListener("pageshow", function (e) { if (e.persisted) stop() })
})()
