// Makes the card form nicer. The server checks everything again and guards against a second press by itself.
(function () {
  function $(id) { return document.getElementById(id) }
  var form = $("card"), errors = $("errors"), pay = $("pay"), brands = $("brands")
  var number = $("number"), expiry = $("expiry"), cvc = $("cvc"), name = $("name"), to = $("to_number")
  var fields = [number, expiry, cvc, name].concat(to || []), label = pay.textContent, sent = false, wasExpiry = "", down = false, held = []

  function set(field, value) { form.elements[field].value = value }
  set("browserJavascriptEnabled", true)
  set("browserJavaEnabled", !!(navigator.javaEnabled && navigator.javaEnabled()))
  set("browserLanguage", navigator.language || "")
  set("browserColorDepth", screen.colorDepth)
  set("browserScreenHeight", screen.height)
  set("browserScreenWidth", screen.width)
  set("browserTZ", new Date().getTimezoneOffset())

  function digits(s) { return s.replace(/\D/g, "") }

  function luhn(s) {
    for (var sum = 0, i = 0; i < s.length; i++) {
      var n = +s[s.length - 1 - i] * (i % 2 + 1)
      sum += n > 9 ? n - 9 : n
    }
    return sum % 10 === 0
  }

  function brandOf(s) {
    return /^4/.test(s) ? "visa"
      : /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/.test(s) ? "mastercard"
      : /^220[0-4]/.test(s) ? "mir"
      : /^(62|81)/.test(s) ? "unionpay"
      : /^3[47]/.test(s) ? "amex" : ""
  }

  function formatNumber(f) {
    var value = f.value, s = digits(value).slice(0, 19), amex = brandOf(s) === "amex"
    var out = s.replace(amex ? /^(.{4})(.{1,6})?(.{1,5})?.*/ : /(.{4})(?=.)/g, amex
      ? function (_, a, b, c) { return [a, b, c].filter(Boolean).join(" ") } : "$1 ")
    if (out !== value) {
      // The caret stays behind the digit it stood behind.
      var before = digits(value.slice(0, f.selectionStart)).length, at = 0
      while (before > 0 && at < out.length) if (out[at++] !== " ") before--
      f.value = out
      if (document.activeElement === f) f.setSelectionRange(at, at)
    }
    if (f === number) mark(brandOf(s))
  }

  function mark(brand) {
    if (!brands) return
    var known = brand && brands.querySelector("." + brand)
    for (var i = 0; i < brands.children.length; i++) brands.children[i].classList.remove("on")
    if (known) known.classList.add("on")
    brands.classList[known ? "add" : "remove"]("known")
  }

  function formatExpiry() {
    var value = expiry.value, s = digits(value)
    var typing = value.length > wasExpiry.length && expiry.selectionStart === value.length
    if (typing && s) {
      if (/^([2-9]|\d\D)/.test(value.trim())) s = "0" + s
      var year = s.slice(2)
      // 12/2029, as some browsers fill it in.
      year = /^20\d\d/.test(year) ? year.slice(2, 4) : /^20\d$/.test(year) ? year : year.slice(0, 2)
      if (s.length > 1) expiry.value = s.slice(0, 2) + "/" + year
    }
    wasExpiry = expiry.value
  }

  // What is wrong with a field: "", "missing", "invalid" or "past".
  function fault(f) {
    var s = digits(f.value), m
    if (!f.value.trim()) return "missing"
    if (f === number || f === to) return s.length > 11 && (luhn(s) || brandOf(s) === "unionpay") ? "" : "invalid"
    if (f === cvc) return /^\d{3,4}$/.test(f.value.trim()) ? "" : "invalid"
    if (f === expiry) {
      m = /^\s*(0?[1-9]|1[0-2])\s*\D\s*(?:20)?(\d\d)\s*$/.exec(f.value)
      return !m ? "invalid" : new Date(2000 + +m[2], +m[1], 1) <= new Date() ? "past" : ""
    }
    return ""
  }

  function show(f, text) {
    $(f.id + "-error").textContent = text
    if (text) f.setAttribute("aria-invalid", "true")
    else f.removeAttribute("aria-invalid")
  }

  fields.forEach(function (f) {
    f.addEventListener("input", function () {
      if (f === number || f === to) formatNumber(f)
      if (f === expiry) formatExpiry()
      if (f.hasAttribute("aria-invalid") && !fault(f)) show(f, "")
    })
    f.addEventListener("change", function () {
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

  form.addEventListener("submit", function (e) {
    if (sent) return e.preventDefault()
    // A phone's clock may be wrong: whether a card is past its date is for the server to say.
    var bad = fields.filter(function (f) { return /missing|invalid/.test(fault(f)) })
    if (!bad.length) {
      sent = true
      return setTimeout(function () {
        pay.disabled = true
        pay.textContent = form.dataset.busy
      })
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
    errors.hidden = false
    errors.focus()
  })

  // Back to this page: whatever it shows may be long past.
  addEventListener("pageshow", function (e) {
    sent = pay.disabled = false
    pay.textContent = label
    if (!e.persisted) return
    fields.forEach(function (f) { f.value = "" })
    location.replace(form.dataset.self || location.href)
  })

  if (number.value) formatNumber(number)
  if (!errors.hidden) errors.focus()
})()
