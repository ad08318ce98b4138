// Encrypts the card for the gateway in this browser: RSAES-PKCS1-v1_5, which WebCrypto does not have. Number, date and code leave the
// page in no other form: their fields have no name, and stand in a form that no browser sends.
(function () {
  // include read.js
  function $(id) { return document.getElementById(id) }

  // The way to the gateway's own page stands there for browsers that cannot do this.
  var able = typeof BigInt === "function" && window.crypto && crypto.getRandomValues
  if ($("seal-go") && able) {
    $("seal-go").hidden = false
    $("seal-page").hidden = true
  }
  var form = $("seal"), post = $("sealed")
  if (!form || !able) return

  function hex(bytes) {
    for (var s = "", i = 0; i < bytes.length; i++) s += ("0" + bytes[i].toString(16)).slice(-2)
    return s
  }

  function power(base, exponent, modulus) {
    for (var result = BigInt(1), zero = BigInt(0), one = BigInt(1); exponent > zero; exponent >>= one) {
      if (exponent & one) result = result * base % modulus
      base = base * base % modulus
    }
    return result
  }

  // random fills an array with bytes; the tests put their own in its place.
  function encrypt(text, modulus, exponent, random) {
    var size = modulus.length / 2, block = new Uint8Array(size), gap = size - text.length - 3, one = new Uint8Array(1)
    if (gap < 8) throw new Error("too long")
    block[1] = 2
    for (var i = 0; i < gap; i++) {
      do random(one); while (!one[0])
      block[2 + i] = one[0]
    }
    for (i = 0; i < text.length; i++) block[gap + 3 + i] = text.charCodeAt(i)
    var out = power(BigInt("0x" + hex(block)), BigInt(exponent), BigInt("0x" + modulus)).toString(16)
    while (out.length < size * 2) out = "0" + out
    return btoa(out.replace(/../g, function (b) { return String.fromCharCode(parseInt(b, 16)) }))
  }
  window.tollgateSeal = encrypt

  function random(bytes) { crypto.getRandomValues(bytes) }
  function uuid() {
    var b = new Uint8Array(16)
    random(b)
    b[6] = b[6] & 15 | 64
    b[8] = b[8] & 63 | 128
    return hex(b).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
  }
  var number = $("number"), expiry = $("expiry"), cvc = $("cvc"), name = $("name"), pay = $("pay")
  var loaded = Date.now(), time = +form.getAttribute("data-time"), sent = false
  var is = reader(form.getAttribute("data-systems")), accepts = form.getAttribute("data-accepts").split(" ")

  function fault(f) {
    var d
    if (f === name) return is.digits(f.value).length > 6 ? "invalid" : "" // a number must not go out in it
    if (!is.plain(f.value).trim()) return "missing"
    if (f === number) {
      d = is.number(f.value)
      if (!d) return "invalid"
      d = is.systemOf(d)
      return d && accepts.indexOf(d.id) < 0 ? "unsupported" : ""
    }
    if (f === cvc) {
      d = is.systemOf(is.number(number.value))
      var code = is.code(f.value)
      return code && (!d || d.code === code.length) ? "" : "invalid"
    }
    if (f === expiry) {
      d = is.date(f.value)
      return !d ? "invalid" : new Date(d.year, d.month, 1) <= new Date(time) ? "past" : ""
    }
    return ""
  }

  function submit(e) {
    if (e) e.preventDefault()
    if (sent) return
    var wrong
    ;[number, expiry, cvc, name].forEach(function (f) {
      var what = fault(f)
      $(f.id + "-error").textContent = what && f.getAttribute("data-" + what)
      if (what) f.setAttribute("aria-invalid", "true")
      else f.removeAttribute("aria-invalid")
      if (what && !wrong) wrong = f
    })
    if (wrong) {
      document.title = form.getAttribute("data-title")
      return wrong.focus()
    }
    var at = new Date(time + Date.now() - loaded).toISOString().slice(0, 19) + "+00:00", d = is.date(expiry.value)
    var text = [at, uuid(), is.number(number.value), is.code(cvc.value), d.year + ("0" + d.month).slice(-2), form.getAttribute("data-order")].join("/")
    post.elements.se_token.value = encrypt(text, form.getAttribute("data-modulus"), form.getAttribute("data-exponent"), random)
    post.elements.name.value = name.value
    number.value = cvc.value = ""
    sent = true
    pay.setAttribute("aria-disabled", "true")
    pay.setAttribute("aria-busy", "true")
    pay.textContent = form.getAttribute("data-busy")
    post.submit()
  }
  form.addEventListener("submit", submit)
  pay.addEventListener("click", submit)
  form.addEventListener("keydown", function (e) { if (e.key === "Enter" && e.target !== pay) submit(e) })
  // Browsers keep what was typed for the way back; number and code are not for keeping.
  addEventListener("pagehide", function () { number.value = cvc.value = "" })
  addEventListener("pageshow", function (e) { if (e.persisted) location.replace(form.getAttribute("data-self")) })
  pay.disabled = false
})()
