// Encrypts the card for the gateway in this browser: RSAES-PKCS1-v1_5, which WebCrypto does not have. Number, date and code leave the
// page in no other form: their fields have no name, and stand in a form that no browser sends.
(function () {
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
  function digits(f) { return f.value.replace(/\D/g, "") }
  function luhn(s) {
    for (var sum = 0, i = 0; i < s.length; i++) {
      var n = +s[s.length - 1 - i] * (i % 2 + 1)
      sum += n > 9 ? n - 9 : n
    }
    return sum % 10 === 0
  }
  function date(f) {
    var m = /^\s*(\d\d?)\s*[\/ .-]\s*(?:20)?(\d\d)\s*$/.exec(f.value) || /^\s*(\d\d)(\d\d)\s*$/.exec(f.value)
    return m && m[1] > 0 && m[1] < 13 ? {month: ("0" + +m[1]).slice(-2), year: "20" + m[2]} : null
  }

  var number = $("number"), expiry = $("expiry"), cvc = $("cvc"), name = $("name"), pay = $("pay")
  var loaded = Date.now(), time = +form.getAttribute("data-time"), sent = false

  function fault(f) {
    if (f === name) return digits(f).length > 6 ? "invalid" : "" // a number must not go out in it
    if (!f.value.trim()) return "missing"
    if (f === number) return digits(f).length > 11 && digits(f).length < 20 && luhn(digits(f)) ? "" : "invalid"
    if (f === cvc) return /^\d{3,4}$/.test(f.value.trim()) ? "" : "invalid"
    if (f === expiry) return date(f) ? new Date(date(f).year, date(f).month, 1) <= new Date(time) ? "past" : "" : "invalid"
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
    if (wrong) return wrong.focus()
    var at = new Date(time + Date.now() - loaded).toISOString().slice(0, 19) + "+00:00", d = date(expiry)
    var text = [at, uuid(), digits(number), cvc.value.trim(), d.year + d.month, form.getAttribute("data-order")].join("/")
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
  pay.disabled = false
})()
