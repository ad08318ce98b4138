// Reads what is typed, pasted or filled in, as package card does. The table of payment systems is the server's.
function reader(table) {
  var systems = table.split(";").filter(Boolean).map(function (s) {
    s = s.split(":")
    return {id: s[0], ranges: s[1].split(","), least: parseInt(s[2]), most: +s[2].split("-")[1], code: +s[3], free: s.length > 4}
  })
  var months = "jan янв қаң yan|feb фев ақп fev|mar мар нау|apr апр сәу|may май мам мая|jun июн мау iyun|jul июл шіл iyul|aug авг там avg|sep сен қыр sen|oct окт қаз okt|nov ноя қар noy|dec дек жел dek"

  // Zeros of the scripts whose digits are read.
  var zeros = [0x660, 0x6f0, 0x7c0, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xff10]
  for (var z = 0x966; z < 0xe00; z += 0x80) zeros.push(z)

  function plain(s) {
    return s.replace(/[\0-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20dd-\u20e4\ufe00-\ufe0f\ufeff]/g, "")
      .replace(/[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]/g, "-").replace(/[\uff0f\u2044\u2215]/g, "/").replace(/\s/g, " ")
      .replace(/\ud835[\udfce-\udfff]/g, function (c) { return (c.charCodeAt(1) - 0xdfce) % 10 })
      .replace(/[^\0-\x7f]/g, function (c) {
        for (var i = 0; i < zeros.length; i++) if (c.charCodeAt(0) - zeros[i] >>> 0 < 10) return c.charCodeAt(0) - zeros[i]
        return c
      })
  }
  function digits(s) { return plain(s).replace(/\D/g, "") }
  function worded(t) { return /[a-z\xaa\xb5\xba\xc0-\u02af\u0370-\u1fff\u2c00-\u2fef\u3041-\ufefe]/i.test(t) }

  function luhn(s) {
    for (var sum = 0, i = 0; i < s.length; i++) {
      var n = +s[s.length - 1 - i] * (i % 2 + 1)
      sum += n > 9 ? n - 9 : n
    }
    return sum % 10 === 0
  }

  function systemOf(d) {
    var best, longest = 0
    systems.forEach(function (s) {
      s.ranges.forEach(function (r) {
        var lo = r.split("-")[0], hi = r.split("-")[1] || lo, n = lo.length, head = d.slice(0, n)
        if (n > longest && head.length === n && head >= lo && head <= hi) best = s, longest = n
      })
    })
    return best
  }
  function whole(d) {
    var s = systemOf(d) || {least: 12, most: 19}
    return d.length >= s.least && d.length <= s.most && (s.free || luhn(d))
  }

  // The number in a text that may have words around it, or the date and the code behind it; "" where none is found.
  function number(text) {
    var t = plain(text), all = digits(text), alone = !/[^\d .-]/.test(t), found = "", known
    if (whole(all) && alone) return all
    ;(t.replace(/(^|\D)\d\d? *\//g, "$1/").match(/\d[\d ._\xb7\u2022-]*/g) || []).forEach(function (run) {
      var g = run.split(/\D+/).filter(Boolean)
      for (var end = g.length; end > 0; end--) for (var at = 0; at < end; at++) {
        var d = g.slice(at, end).join(""), s = systemOf(d)
        if (whole(d) && (!found || s && !known) && (!alone || !at && follow(g.slice(end), s))) found = d, known = s
      }
    })
    return found || (whole(all) && !worded(t) ? all : "")
  }
  function follow(g, s) {
    var n = s && s.code
    if (g.length && g[g.length - 1].length === n) g = g.slice(0, -1)
    else if (g.length > 1 && g[0].length === n) g = g.slice(1)
    return !g.length || date(g.join(" "))
  }

  // Month and year, in every order that people, browsers and password managers write.
  function date(text) {
    var word, g
    months.split("|").forEach(function (names, i) {
      text = text.replace(new RegExp("(^|[^a-zа-я])(" + names.replace(/ /g, "|") + ")[a-zа-яәғқңөұүһі]*", "i"), function (_, before) {
        if (word) return _
        return word = before + " " + (i + 1) + " "
      })
    })
    g = plain(text).split(/\D+/).filter(Boolean)
    var s = g[0] || "", n = g.length
    if (n > 2) {
      if (s.length === 4 && g[1].length < 3 || n === 3 && g[2].length === 3) g = g.slice(0, 2)
      else if (n === 3 && g[2].length === 4) {
        if (s > 12 || +s === 1 && g[1] <= 12) g.shift()
        else if (g[1] > 12 || +g[1] === 1 || +s === +g[1]) g.splice(1, 1)
      }
    }
    if (n === 1) {
      var cut = s.length % 2 ? 1 : s.length === 6 && (s.slice(0, 2) > 12 || s.slice(2, 4) !== "20") ? 4 : 2
      if (s.length > 2 && s.length < 7) g = [s.slice(0, cut), s.slice(cut)]
    }
    if (g.length === 2 && (g[0].length === 4 || g[0].length === 2 && g[0] > 12)) g.reverse()
    if (!/^\d\d?,(20)?\d\d$/.test(g) || g[0] < 1 || g[0] > 12) return
    return {month: +g[0], year: 2000 + g[1] % 100}
  }

  // The three or four digits of the code; "" where there is none.
  function code(text) {
    var t = plain(text).trim(), g = t.split(/\D+/).filter(Boolean), d = worded(t) ? g.pop() || "" : t.replace(/[ .-]/g, "")
    return /^\d{3,4}$/.test(d) ? d : ""
  }

  return {plain: plain, digits: digits, systemOf: systemOf, whole: whole, number: number, date: date, code: code}
}
