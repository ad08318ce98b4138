package page

import "html/template"

// Hosted is the style of the simulated gateways' own pages. It stands in the page itself, because some of these pages are shown by
// others than the sandbox.
const Hosted = template.HTML(`<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<style>
:root{--paper:#f4f5f8;--sheet:#fff;--ink:#14213d;--dim:#56607a;--line:#8a93a8;--act:#28518f;--on:#fff}
@media(prefers-color-scheme:dark){:root{--paper:#10131a;--sheet:#1a1f2a;--ink:#e8ebf3;--dim:#a4adc0;--line:#7682a0;--act:#8fb6f2;--on:#0b1a33}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:28rem;margin:0 auto;padding:2rem 1rem}
.sheet{padding:1.5rem 1.25rem;background:var(--sheet);border:1px solid var(--line);border-radius:.75rem}
.by{margin:0 0 .75rem;color:var(--dim);font-size:.875rem}
h1{margin:0 0 1rem;font-size:1.25rem;line-height:1.3}
p{margin:0 0 1rem;overflow-wrap:anywhere}
label{display:block;font-weight:600}
input:not([type=hidden]):not([type=submit]){display:block;width:100%;min-height:3rem;margin-top:.25rem;padding:.5rem .75rem;color:inherit;background:var(--sheet);border:1px solid var(--line);border-radius:.5rem;font:inherit}
button,input[type=submit]{display:block;width:100%;min-height:3rem;margin:0 0 .5rem;padding:.5rem 1rem;border:2px solid transparent;border-radius:.5rem;background:var(--act);color:var(--on);font:inherit;font-weight:600;cursor:pointer}
form+form button,.plain{background:none;color:var(--act);border-color:var(--act)}
.amount{margin:0 0 1rem;font-size:1.5rem;font-weight:700}
a{color:var(--act)}
:focus-visible{outline:3px solid #b57600;outline-offset:2px}
</style>
`)
