// What this page waits for stands on the script's own element, see templates/layout.templ.
(function () {
  var d = document.currentScript.dataset, going, timer, source
  clearTimeout(window.guard) // from here on this script waits, see templates/guard.go

  function go() {
    if (going) return
    // A reload now would only show the browser's own error page.
    if (navigator.onLine === false) return addEventListener("online", go)
    going = true
    if (source) source.close()
    location.replace(d.next)
  }
  function poll() {
    if (d.poll && !timer) timer = setTimeout(go, d.poll * 1000)
  }

  if (d.delay) setTimeout(go, d.delay * 1000)
  if (d.poll) {
    setTimeout(go, 60000)
    setTimeout(function () {
      ["late", "exit"].forEach(function (id) {
        var late = document.getElementById(id)
        if (late) late.hidden = false
      })
    }, 20000)
  }
  poll()

  if (d.events && window.EventSource) {
    source = new EventSource(d.events)
    source.addEventListener("change", go)
    source.onopen = function () { clearTimeout(timer); timer = 0 }
    source.onerror = poll
  }

  // Our own page inside one of our own frames says that the bank has answered; the server knows what.
  if (d.method) addEventListener("message", function (e) {
    if (e.origin !== location.origin || !e.data || e.data.tollgate !== "method" || e.data.id !== d.method) return
    var frames = document.getElementsByTagName("iframe")
    for (var i = 0; i < frames.length; i++) if (frames[i].contentWindow === e.source) go()
  })

  // The browser shows the page as it was when it was left; the server knows what is true now.
  addEventListener("pageshow", function (e) {
    if (e.persisted && d.back) location.replace(d.back)
  })
})()
