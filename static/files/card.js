// Makes the card form nicer. The server reads and checks everything again, by the same table.
(function () {
  // include read.js
  function $(id) { return document.getElementById(id) }
  var form = $("card"), errors = $("errors"), pay = $("pay"), brands = $("brands"), hint = $("cvc-hint")
  var number = $("number"), expiry = $("expiry"), cvc = $("cvc"), name = $("name"), to = $("to_number")
  var fields = [number, expiry, cvc, name].concat(to || []), label = pay.textContent, title = document.title
  var sent = false, down = false, touched = false, held = [], wasExpiry = "", three = hint.textContent
  var accepts = form.dataset.accepts.split(" ")
  var is = reader(form.dataset.systems)

  function set(field, value) { form.elements[field].value = value }
  set("browserJavascriptEnabled", true)
  set("browserJavaEnabled", !!(navigator.javaEnabled && navigator.javaEnabled()))
  set("browserLanguage", navigator.language || "")
  set("browserColorDepth", screen.colorDepth)
  set("browserScreenHeight", screen.height)
  set("browserScreenWidth", screen.width)
  set("browserTZ", new Date().getTimezoneOffset())

  function tidy(d) { return ("0" + d.month).slice(-2) + "/" + (d.year + "").slice(-2) }

  function formatNumber(f, how) {
    var value = f.value, caret = is.digits(value.slice(0, f.selectionStart)).length, s = is.digits(value)
    if (/[^\d\s]/.test(value) || s.length > 19 || !/^insertText$|^delete/.test(how) && !is.whole(s)) {
      var found = is.number(value) || s
      if (found !== s) s = found, caret = s.length
    }
    // A key that took a gap away takes the digit behind it, or before it.
    if (s === f.was && /^deleteContent[FB]/.test(how)) {
      if (how === "deleteContentBackward") caret--
      s = s.slice(0, Math.max(0, caret)) + s.slice(caret + 1)
    }
    f.was = s
    var system = is.systemOf(s), amex = system && system.code === 4
    var out = s.replace(amex ? /^(.{4})(.{1,6})?(.{1,})?/ : /(.{4})(?=.)/g, amex
      ? function (_, a, b, c) { return [a, b, c].filter(Boolean).join(" ") } : "$1 ")
    if (out !== value) {
      // The caret stays behind the digit it stood behind.
      for (var at = 0; caret > 0 && at < out.length; at++) if (out[at] !== " ") caret--
      f.value = out
      if (document.activeElement === f) f.setSelectionRange(at, at)
    }
    if (f === number) mark(system)
  }

  function mark(system) {
    hint.textContent = system && system.code === 4 ? hint.dataset.four : three
    if (!brands) return
    var known = system && brands.querySelector("." + system.id)
    for (var i = 0; i < brands.children.length; i++) brands.children[i].classList.toggle("on", brands.children[i] === known)
    brands.classList.toggle("known", !!known)
  }

  function formatExpiry(how) {
    var v = is.plain(expiry.value).trim(), d
    if (how !== "insertText" || expiry.value.length > wasExpiry.length + 1) { // filled in or pasted, not typed
      if (!/^delete/.test(how) && (d = is.date(v))) v = tidy(d)
      else v = expiry.value
    } else if (expiry.selectionStart === expiry.value.length) {
      v = v.replace(/^(\d)\D$/, "0$1/") // 1/
        .replace(/^1([3-9])$/, "01/$1").replace(/^([2-9])([2-5])$/, "0$1/$2") // no month begins so
        .replace(/^(0[1-9]|1[0-2])$/, "$1/").replace(/^(\d\d)\/\D+/, "$1/")
        .replace(/^(\d\d\/)20(\d\d)$/, "$1$2")
    } else v = expiry.value
    if (v !== expiry.value) expiry.value = v
    wasExpiry = expiry.value
  }

  // What is wrong with a field: "", "missing", "invalid", "unsupported" or "past".
  function fault(f) {
    var d
    if (!is.plain(f.value).trim()) return "missing"
    if (f === number || f === to) {
      d = is.number(f.value)
      if (!d) return "invalid"
      d = is.systemOf(d)
      return f === number && d && accepts.indexOf(d.id) < 0 ? "unsupported" : ""
    }
    if (f === cvc) {
      d = is.systemOf(is.number(number.value) || is.digits(number.value))
      var code = is.code(f.value)
      return code && (!d || d.code === code.length) ? "" : "invalid"
    }
    if (f === expiry) {
      d = is.date(f.value)
      return !d ? "invalid" : new Date(d.year, d.month, 1) <= new Date() ? "past" : ""
    }
    return ""
  }

  function show(f, text) {
    $(f.id + "-error").textContent = text
    if (text) f.setAttribute("aria-invalid", "true")
    else f.removeAttribute("aria-invalid")
  }

  function format(f, how) {
    if (f === number || f === to) formatNumber(f, how)
    if (f === expiry) formatExpiry(how)
    if (f.hasAttribute("aria-invalid") && !fault(f)) show(f, "")
    if (f === number && cvc.hasAttribute("aria-invalid") && !fault(cvc)) show(cvc, "")
  }

  fields.forEach(function (f) {
    f.addEventListener("keydown", function () { touched = true })
    f.addEventListener("input", function (e) {
      touched = touched || !!e.inputType
      if (!e.isComposing) format(f, e.inputType || "")
    })
    f.addEventListener("compositionend", function () { format(f, "") })
    f.addEventListener("change", function () {
      format(f, "")
      function tell() { if (f.value) show(f, f.dataset[fault(f)] || "") }
      down ? held.push(tell) : tell()
    })
  })

  // A message that appears while the mouse is down moves the button away from under it.
  addEventListener("mousedown", function () { down = true }, true)
  addEventListener("mouseup", function () {
    down = false
    setTimeout(function () { held.splice(0).forEach(function (tell) { tell() }) })
  }, true)

  function busy(is) {
    sent = is
    pay.textContent = is ? form.dataset.busy : label
    ;["aria-disabled", "aria-busy"].forEach(function (a) { is ? pay.setAttribute(a, "true") : pay.removeAttribute(a) })
  }

  form.addEventListener("submit", function (e) {
    if (sent) return e.preventDefault()
    // A phone's clock may be wrong: whether a card is past its date is for the server to say.
    var by = form.querySelector("[name=way]:checked"), bad = by && by.value !== "card" ? [] : fields.filter(function (f) { return /missing|invalid|unsupported/.test(fault(f)) })
    if (!bad.length) {
      sent = true
      return setTimeout(function () { busy(true) })
    }
    e.preventDefault()
    var list = errors.querySelector("ul")
    list.textContent = ""
    bad.forEach(function (f) {
      var a = document.createElement("a"), text = f.dataset[fault(f)]
      show(f, text)
      a.href = "#" + f.id
      a.textContent = text
      list.appendChild(document.createElement("li")).appendChild(a)
    })
    document.title = form.dataset.title || title
    errors.hidden = false
    errors.focus()
  })

  // Browsers keep what was typed for the way back; number and code are not for keeping.
  function forget() { number.value = cvc.value = number.was = ""; if (to) to.value = ""; mark() }
  var visit = performance.getEntriesByType && performance.getEntriesByType("navigation")[0]
  if (visit && visit.type !== "navigate") forget()
  addEventListener("pagehide", forget)
  addEventListener("pageshow", function (e) {
    busy(false)
    if (e.persisted || !touched && visit && visit.type !== "navigate") forget()
    if (e.persisted) location.replace(form.dataset.self || location.href) // whatever it shows may be long past
  })

  // The minutes that are left to pay.
  var left = $("time-left"), end = left && Date.now() + left.dataset.seconds * 1000
  if (left) setInterval(function () {
    var s = Math.max(0, Math.round((end - Date.now()) / 1000))
    left.lastElementChild.textContent = (s / 60 | 0) + ":" + ("0" + s % 60).slice(-2)
  }, 1000)

  if (form.dataset.test) document.head.appendChild(document.createElement("script")).src = form.dataset.test
  if (number.value) formatNumber(number, "")
  if (!errors.hidden) errors.focus()
})()
