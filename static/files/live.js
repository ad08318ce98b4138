// What this page waits for stands on the script's own element, see templates/layout.templ.
(function () {
  var d = document.currentScript.dataset, going, timer, watch, source, release
  clearTimeout(window.guard) // from here on this script waits, see templates/guard.go

  function go() {
    if (going) return
    // A reload now would only show the browser's own error page.
    if (navigator.onLine === false) return addEventListener("online", go)
    going = true
    hush()
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

  // The stream speaks every eight seconds. One that is silent is held up on the way.
  function heard() {
    clearTimeout(timer)
    clearTimeout(watch)
    timer = 0
    watch = setTimeout(go, 10000)
  }
  function hush() {
    clearTimeout(watch)
    if (source) source.close()
    if (release) release()
    source = release = null
  }
  function listen() {
    if (source || going || document.visibilityState === "hidden") return
    source = new EventSource(d.events)
    source.addEventListener("change", go)
    source.addEventListener("here", heard)
    source.onerror = poll
  }
  // A browser has six connections for all its tabs: only those that are seen hold one, and of these two.
  function connect(place) {
    if (document.visibilityState === "hidden" || !d.events || !window.EventSource) return
    if (!navigator.locks) return listen()
    navigator.locks.request("tollgate live " + place, {ifAvailable: true}, function (lock) {
      if (!lock) return place ? undefined : void connect(1)
      return new Promise(function (done) { release = done; listen() })
    }).catch(listen)
  }
  function wait() {
    poll()
    connect(0)
  }
  wait()
  document.addEventListener("visibilitychange", function () {
    clearTimeout(timer)
    timer = 0
    document.visibilityState === "hidden" ? hush() : wait()
  })

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

// The end of a payment: goes back to the shop after a time that is shown and can be stopped, once; copies and prints.
;(function () {
  function $(id) { return document.getElementById(id) }
  var clock = $("clock"), left = $("left"), stay = $("stay"), dates = document.querySelectorAll("#receipt time"), tick, seen
  for (var i = 0; i < dates.length; i++) try {
    // Browsers lack the months of some of our languages.
    var at = new Date(dates[i].dateTime), lang = document.documentElement.lang
    dates[i].textContent = /^(en|ru)$/.test(lang) ? at.toLocaleString(lang, {dateStyle: "long", timeStyle: "short"})
      : at.toLocaleString("ru", {dateStyle: "short", timeStyle: "short"})
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

  if (!left) return // the clock is that of a code
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
  if ($("mail")) $("mail").addEventListener("focusin", stop)
})()
