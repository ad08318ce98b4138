// Tollgate.open(url) shows a payment page in a dialog over the shop's page, Tollgate.mount(element, url) inside an element. Both
// return {close}. The options are {height, ended}, functions that are told what the page says of itself. That a payment ended
// there is a hint: ask your own server what became of it. Without this file, or where it fails, link to the url.
(function () {
  var base = new URL(document.currentScript.src).origin
  function frame(url, told) {
    var f = document.createElement("iframe")
    if (new URL(url).origin !== base) throw new Error("Tollgate: this is no payment page of " + base)
    f.src = url
    f.title = "Payment"
    f.allow = "payment *; publickey-credentials-get *"
    f.setAttribute("style", "border:0;width:100%;min-height:32rem;display:block;color-scheme:normal")
    function hear(e) {
      var said = e.data && e.data.tollgate
      if (e.source !== f.contentWindow || e.origin !== base || !said) return
      if (said.height > 0) {
        f.style.height = Math.min(said.height, 4000) + "px"
        if (told.height) told.height(said.height)
      }
      if (said.ended && told.ended) told.ended()
    }
    addEventListener("message", hear)
    return {element: f, remove: function () { removeEventListener("message", hear); f.remove() }}
  }
  function way(url) {
    var a = document.createElement("a")
    a.href = url
    a.target = "_top"
    a.textContent = "↗ " + new URL(url).host
    a.setAttribute("style", "display:inline-block;padding:.75rem")
    return a
  }
  window.Tollgate = {
    mount: function (element, url, told) {
      var f = frame(url, told || {}), a = way(url)
      element.append(f.element, a)
      return {close: function () { f.remove(); a.remove() }}
    },
    open: function (url, told) {
      var d = document.createElement("dialog"), x = document.createElement("button"), f = frame(url, told || {})
      if (!d.showModal) return location.assign(url)
      x.type = "button"
      x.textContent = "✕"
      x.setAttribute("aria-label", "Close")
      x.setAttribute("style", "float:right;min-width:2.75rem;min-height:2.75rem")
      d.setAttribute("style", "width:min(34rem,100vw);max-height:100vh;padding:0;border:0;border-radius:1rem")
      d.append(x, way(url), f.element)
      function close() { f.remove(); d.remove() }
      x.onclick = close
      d.onclose = close
      document.body.append(d)
      d.showModal()
      return {close: close}
    }
  }
})()
