"""The style of the page of events."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dde3ea; --paper: #fff; --card: #f7f9fb;
  --send: #0b7a4b; --receive: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa7b8; --line: #2b3442; --paper: #11161d;
  --card: #171e27; --send: #37b97f; --receive: #6ea5f5; } }
body { margin: 0 auto; max-width: 1080px; padding: 1.2rem 20px 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--receive); text-decoration: none; } a:hover { text-decoration: underline; }
h1 { margin: 1.4rem 0 .3rem; font-size: 1.9rem; } h2 { font-size: 1.2rem; } h3 { margin: 1.2rem 0 .2rem; }
small { font-size: .75em; font-weight: normal; color: var(--soft); } .quiet { color: var(--soft); font-size: .88em; }
i { font-style: normal; font-size: .72em; padding: .15em .6em; border-radius: 1em; color: var(--paper);
  vertical-align: .12em; } i.send { background: var(--send); } i.receive { background: var(--receive); }
.contents { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem; }
.contents ul { list-style: none; margin: 0; padding: 0; } .contents li { padding: .35rem 0;
  border-top: 1px solid var(--line); } .contents span { display: block; color: var(--soft); font-size: .88em; }
article { margin: 1.4rem 0; padding: .4rem 1.2rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .92em; }
td { border-top: 1px solid var(--line); padding: .3rem .8rem .3rem 0; vertical-align: top; }
td:first-child { width: 30%; } td:nth-child(2) { width: 28%; }
code, pre { font: .92em/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); }
summary { cursor: pointer; color: var(--soft); margin-top: .4rem; }
"""
