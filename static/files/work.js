// Does the work that a try costs while the card is typed: finds a number whose hash with the task begins with enough zeros. The
// form waits for it; without script time does for it.
(function () {
  var form = document.getElementById("card"), task = form.elements.task, answer = form.elements.task_number
  var bits = +task.getAttribute("data-bits"), n = 0, found = false, pressed = false
  var K = [], H = []
  for (var p = 2, c = 0; c < 64; p++) {
    for (var q = 2; q * q <= p && p % q; q++);
    if (q * q > p) {
      if (c < 8) H[c] = Math.sqrt(p) % 1 * 4294967296 | 0
      K[c++] = Math.cbrt ? frac(Math.cbrt(p)) : frac(Math.pow(p, 1 / 3))
    }
  }
  function frac(x) { return (x - Math.floor(x)) * 4294967296 | 0 }
  function first(s) { // the first 32 bits of SHA-256
    var w = [], l = s.length, i, h = H.slice(), total = (l + 9 + 63 >> 6) << 4
    for (i = 0; i < total; i++) w[i] = 0
    for (i = 0; i < l; i++) w[i >> 2] |= s.charCodeAt(i) << (24 - i % 4 * 8)
    w[l >> 2] |= 128 << (24 - l % 4 * 8)
    w[total - 1] = l * 8
    for (var at = 0; at < total; at += 16) {
      var m = w.slice(at, at + 16), a = h[0], b = h[1], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7], cc = h[2]
      for (i = 0; i < 64; i++) {
        if (i > 15) {
          var x = m[i - 15], y = m[i - 2]
          m[i] = m[i - 16] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + m[i - 7] + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10) | 0
        }
        var t = k + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K[i] + m[i] | 0
        var u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & cc ^ b & cc) | 0
        k = g; g = f; f = e; e = d + t | 0; d = cc; cc = b; b = a; a = t + u | 0
      }
      h = [h[0] + a | 0, h[1] + b | 0, h[2] + cc | 0, h[3] + d | 0, h[4] + e | 0, h[5] + f | 0, h[6] + g | 0, h[7] + k | 0]
    }
    return h[0]
  }
  function some() {
    for (var end = n + 1500; n < end; n++) {
      if (first(task.value + "." + n) >>> (32 - bits) === 0) {
        answer.value = n
        found = true
        if (pressed) form.submit()
        return
      }
    }
    setTimeout(some, 0)
  }
  form.addEventListener("submit", function (e) {
    if (!found && !e.defaultPrevented) {
      e.preventDefault()
      pressed = true
    }
  })
  if (bits > 0 && bits < 32) some()
})()
